"""Requests of shuffles: to discard results, and to place tasks where their data is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dagrpc_scheduler.core.events import PlacesAdvised, ResultsDiscarded, TaskOptions
from dagrpc_scheduler.core.instructions import FreeKeys
from dagrpc_scheduler.core.model import MEMORY, PROCESSING, RELEASED, WAITING, WorkerState
from dagrpc_scheduler.core.replica_table import free_everywhere
from dagrpc_scheduler.core.state import SchedulerState


def results_discarded(state: SchedulerState, event: ResultsDiscarded) -> None:
    """Treat results as lost; tasks that are being computed start again."""
    _tell_discarded(state, event.keys)
    for key in event.keys:
        task = state.tasks.get(key)
        if task is None or task.work is None:
            continue
        if task.state == MEMORY:
            free_everywhere(state, task)
            state.recommend(task, RELEASED)
        elif task.state == PROCESSING:
            state.recommend(task, WAITING)


def _tell_discarded(state: SchedulerState, keys: Sequence[str]) -> None:
    """Tell workers not to use existing or imminent results of keys: to a worker, the same key means the same data.

    A freed result may stay on a worker because the barrier uses it, and would be reported for the new run.
    """
    discarded: dict[WorkerState, list[str]] = {}
    for key in keys:
        task = state.tasks.get(key)
        if task is None or task.work is None:
            continue
        for removed in state.removed_workers.values():
            # Results of a removed worker are useless as well if it reconnects.
            removed.results.pop(task, None)
            removed.runs.pop(task, None)
        for worker in task.who_has:
            discarded.setdefault(worker, []).append(key)
        if task.processing_on is not None:
            discarded.setdefault(task.processing_on, []).append(key)
    for worker, found in discarded.items():
        # Keys that are freed from here on must follow this instruction.
        worker.free_batch = None
        state.instructions.append(FreeKeys(worker.address, found, discard=True))


def places_advised(state: SchedulerState, event: PlacesAdvised) -> None:
    """Restrict tasks that are not placed yet to certain workers while these are running."""
    advised: dict[tuple[int, str], TaskOptions] = {}
    for key, worker in event.places.items():
        task = state.tasks.get(key)
        if task is None or task.state not in (RELEASED, WAITING):
            continue
        options = task.options
        if options.workers and not options.advised:
            # A user's restriction has priority.
            continue
        # Tasks with equal options share one object, whose identity distinguishes them from other tasks.
        place = (id(options), worker)
        if place not in advised:
            advised[place] = replace(options, workers=(worker,), allow_other_workers=True, advised=True)
        task.options = advised[place]
