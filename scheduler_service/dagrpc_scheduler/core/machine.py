"""The interface of the scheduler's core: events in, instructions out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.config import DEFAULT_CONFIG, CoreConfig
from dagrpc_scheduler.core.events import Event
from dagrpc_scheduler.core.handlers import (
    client_requests,
    graph_submission,
    replica_plan_steps,
    replica_reports,
    restart_and_clock,
    shuffle_requests,
    steal_requests,
    worker_membership,
)
from dagrpc_scheduler.core.handlers import (
    task_reports as tasks,
)
from dagrpc_scheduler.core.instructions import Instruction
from dagrpc_scheduler.core.invariants import check
from dagrpc_scheduler.core.model import TaskState
from dagrpc_scheduler.core.replica_table import send_refreshes
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.loop import ImpossibleTransition, run_transitions
from dagrpc_scheduler.policies.choice import install_policies

__all__ = ["DEFAULT_CONFIG", "CoreConfig", "ImpossibleTransition", "SchedulerCore"]

# Each handler takes an event of the type that it is listed under.
_HANDLERS: Final[dict[type, Callable[[SchedulerState, Any], None]]] = {
    events.GraphSubmitted: graph_submission.graph_submitted,
    events.SharedHeld: client_requests.shared_held,
    events.SharedReleased: client_requests.shared_released,
    events.ClientAdded: client_requests.client_added,
    events.ClientRemoved: client_requests.client_removed,
    events.KeysWanted: client_requests.keys_wanted,
    events.KeysReleased: client_requests.keys_released,
    events.KeysCancelled: client_requests.keys_cancelled,
    events.KeysRetried: client_requests.keys_retried,
    events.ScatterAnnounced: client_requests.scatter_announced,
    events.WorkerAdded: worker_membership.worker_added,
    events.WorkerRemoved: worker_membership.worker_removed,
    events.WorkerExplained: worker_membership.worker_explained,
    events.WorkerDisconnected: worker_membership.worker_disconnected,
    events.WorkerResumed: worker_membership.worker_resumed,
    events.WorkerStatusChanged: worker_membership.worker_status_changed,
    events.WorkerResourcesChanged: worker_membership.worker_resources_changed,
    events.WorkerAbilitiesChanged: worker_membership.worker_abilities_changed,
    events.TaskFinished: tasks.task_finished,
    events.TaskErred: tasks.task_erred,
    events.TaskRescheduled: tasks.task_rescheduled,
    events.TaskLongRunning: tasks.task_long_running,
    events.StealAnswered: steal_requests.steal_answered,
    events.ReplicasAdded: replica_reports.replicas_added,
    events.ReplicasRemoved: replica_reports.replicas_removed,
    events.DataMissing: replica_reports.data_missing,
    events.ReplicasPlanned: replica_plan_steps.replicas_planned,
    events.ResultsDiscarded: shuffle_requests.results_discarded,
    events.PlacesAdvised: shuffle_requests.places_advised,
    events.RestartRequested: restart_and_clock.restart_requested,
    events.BalanceDue: steal_requests.balance_due,
    events.TimePassed: restart_and_clock.time_passed,
}


class SchedulerCore:
    """Decides which worker runs which task. The same events at the same times give the same instructions.

    >>> core = SchedulerCore()
    >>> core.handle(events.ClientAdded("client"), now=0.0)
    []
    """

    __slots__ = ("_validate", "state")

    def __init__(self, config: CoreConfig = DEFAULT_CONFIG, validate: bool = False) -> None:
        """Make a core without workers and clients; `validate` checks all invariants after each event, in O(tasks)."""
        self.state = SchedulerState(config)
        install_policies(self.state)
        self._validate = validate

    @property
    def tasks(self) -> dict[str, TaskState]:
        """Live tasks by key, for reading only."""
        return self.state.tasks

    def watch(self, watcher: Callable[[Any], object] | None) -> None:
        """Call a function with each transition, as a tuple of the fields of `StoryEntry`; see `Story.watch`."""
        self.state.story.watch(watcher)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Handle one event and return the instructions that follow from it."""
        return self.handle_batch((event,), now)

    def handle_batch(self, events: Iterable[Event], now: float) -> list[Instruction]:
        """Handle events that arrived together and return the instructions that follow from them.

        Free slots are filled once, after the last event. If a handler raises, which is a bug, the instructions up to
        then are returned with the next batch.
        """
        state = self.state
        state.now = now
        handlers = _HANDLERS
        for event in events:
            state.stimulus = getattr(event, "stimulus", "")
            handlers[type(event)](state, event)
            run_transitions(state)
            state.payload = None
            if state.cancelled:
                state.cancelled = {}
                state.interrupting = False
            if state.refresh:
                send_refreshes(state)
            if self._validate:
                check(state)
        if state.queue.size:
            state.queueing.fill()
        if state.balance_due:
            steal_requests.balance(state)
        for worker in state.open_free_batches:
            worker.free_batch = None
        state.open_free_batches.clear()
        instructions, state.instructions = state.instructions, []
        if self._validate:
            check(state, filled=True)
        return instructions
