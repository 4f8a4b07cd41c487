"""The scheduler's core as its shell sees it: events in, effects out."""

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

# A handler takes the type of event that it is listed under.
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
    """Decides what runs where. The same events at the same times give the same effects.

    >>> core = SchedulerCore()
    >>> core.handle(events.ClientAdded("client"), now=0.0)
    []
    """

    __slots__ = ("_validate", "state")

    def __init__(self, config: CoreConfig = DEFAULT_CONFIG, validate: bool = False) -> None:
        """Make the core of a scheduler that nobody has connected to.

        `validate` has all invariants checked after each event, which takes time proportional to the number of tasks.
        """
        self.state = SchedulerState(config)
        install_policies(self.state)
        self._validate = validate

    @property
    def tasks(self) -> dict[str, TaskState]:
        """Live tasks by key; to be read only."""
        return self.state.tasks

    def watch(self, watcher: Callable[[Any], object] | None) -> None:
        """Have a function called with each transition, as a tuple of the fields of `StoryEntry`; see `Story.watch`."""
        self.state.story.watch(watcher)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take note of an event, and return what is to be done about it."""
        return self.handle_batch((event,), now)

    def handle_batch(self, events: Iterable[Event], now: float) -> list[Instruction]:
        """Do the same for events that came together.

        Room that they make on the workers is filled once, after the last of them. If this raises, which is a bug, what
        was decided until then comes with the next batch.
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
