"""What shuffles want of the core: results discarded, and tasks placed where their data is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dagrpc_scheduler.core.events import PlacesAdvised, ResultsDiscarded, TaskOptions
from dagrpc_scheduler.core.instructions import FreeKeys
from dagrpc_scheduler.core.model import MEMORY, PROCESSING, RELEASED, WAITING, WorkerState
from dagrpc_scheduler.core.replica_table import free_everywhere
from dagrpc_scheduler.core.state import SchedulerState


def results_discarded(state: SchedulerState, event: ResultsDiscarded) -> None:
    """Do as if results were lost; what is being computed is computed again, too."""
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
    """Have workers not use what they have, or are about to have: in their view, the same key stands for the same data.

    Some of it stays with them when it is freed, because the barrier uses it, and would be given again for new results.
    """
    discarded: dict[WorkerState, list[str]] = {}
    for key in keys:
        task = state.tasks.get(key)
        if task is None or task.work is None:
            continue
        for removed in state.removed_workers.values():
            # What a worker brings that was removed is of no use either.
            removed.results.pop(task, None)
            removed.runs.pop(task, None)
        for worker in task.who_has:
            discarded.setdefault(worker, []).append(key)
        if task.processing_on is not None:
            discarded.setdefault(task.processing_on, []).append(key)
    for worker, found in discarded.items():
        # What is freed from here on comes after it.
        worker.free_batch = None
        state.instructions.append(FreeKeys(worker.address, found, discard=True))


def places_advised(state: SchedulerState, event: PlacesAdvised) -> None:
    """Have tasks that are not placed yet run on certain workers as long as these are there."""
    advised: dict[tuple[int, str], TaskOptions] = {}
    for key, worker in event.places.items():
        task = state.tasks.get(key)
        if task is None or task.state not in (RELEASED, WAITING):
            continue
        options = task.options
        if options.workers and not options.advised:
            # Users come first.
            continue
        # Tasks with equal options share one object, and are told apart from others by it.
        place = (id(options), worker)
        if place not in advised:
            advised[place] = replace(options, workers=(worker,), allow_other_workers=True, advised=True)
        task.options = advised[place]
