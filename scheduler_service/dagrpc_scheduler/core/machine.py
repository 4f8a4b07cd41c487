"""The scheduler's core as its shell sees it: events in, effects out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.config import DEFAULT_CONFIG, CoreConfig
from dagrpc_scheduler.core.effects import Effect
from dagrpc_scheduler.core.events import Event
from dagrpc_scheduler.core.handlers import (
    admin,
    clients,
    fair,
    graph,
    replica_plans,
    replicas,
    shuffles,
    stealing,
    tasks,
    workers,
)
from dagrpc_scheduler.core.invariants import check
from dagrpc_scheduler.core.model import TaskState
from dagrpc_scheduler.core.replicas import send_refreshes
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.fair_fill import fill_fairly
from dagrpc_scheduler.core.transitions.loop import ImpossibleTransition, fill, settle

__all__ = ["DEFAULT_CONFIG", "CoreConfig", "ImpossibleTransition", "SchedulerCore"]

# A handler takes the type of event that it is listed under.
_HANDLERS: Final[dict[type, Callable[[SchedulerState, Any], None]]] = {
    events.GraphSubmitted: graph.graph_submitted,
    events.SharedHeld: clients.shared_held,
    events.SharedReleased: clients.shared_released,
    events.ClientAdded: clients.client_added,
    events.ClientRemoved: clients.client_removed,
    events.KeysWanted: clients.keys_wanted,
    events.KeysReleased: clients.keys_released,
    events.KeysCancelled: clients.keys_cancelled,
    events.KeysRetried: clients.keys_retried,
    events.DataAnnounced: clients.data_announced,
    events.WorkerAdded: workers.worker_added,
    events.WorkerRemoved: workers.worker_removed,
    events.WorkerExplained: workers.worker_explained,
    events.WorkerDisconnected: workers.worker_disconnected,
    events.WorkerResumed: workers.worker_resumed,
    events.WorkerStatusChanged: workers.worker_status_changed,
    events.WorkerResourcesChanged: workers.worker_resources_changed,
    events.TaskFinished: tasks.task_finished,
    events.TaskErred: tasks.task_erred,
    events.TaskRescheduled: tasks.task_rescheduled,
    events.TaskLongRunning: tasks.task_long_running,
    events.StealAnswered: stealing.steal_answered,
    events.ReplicasAdded: replicas.replicas_added,
    events.ReplicasRemoved: replicas.replicas_removed,
    events.DataMissing: replicas.data_missing,
    events.ReplicasPlanned: replica_plans.replicas_planned,
    events.ResultsDiscarded: shuffles.results_discarded,
    events.PlacesAdvised: shuffles.places_advised,
    events.RestartRequested: admin.restart_requested,
    events.BalanceDue: stealing.balance_due,
    events.TimePassed: admin.time_passed,
}


_FAIR_HANDLERS: Final[dict[type, Callable[[SchedulerState, Any], None]]] = {
    **_HANDLERS,
    events.TaskFinished: fair.task_finished,
    events.TaskErred: fair.task_erred,
    events.TaskLongRunning: fair.task_long_running,
}


class SchedulerCore:
    """Decides what runs where. The same events at the same times give the same effects.

    >>> core = SchedulerCore()
    >>> core.handle(events.ClientAdded("client"), now=0.0)
    []
    """

    __slots__ = ("_fill", "_handlers", "_validate", "state")

    def __init__(self, config: CoreConfig = DEFAULT_CONFIG, validate: bool = False) -> None:
        """Make the core of a scheduler that nobody has connected to.

        `validate` has all invariants checked after each event, which takes time proportional to the number of tasks.
        """
        self.state = SchedulerState(config)
        self._handlers = _FAIR_HANDLERS if config.fair_share else _HANDLERS
        self._fill = fill_fairly if config.fair_share else fill
        self._validate = validate

    @property
    def tasks(self) -> dict[str, TaskState]:
        """Live tasks by key; to be read only."""
        return self.state.tasks

    def watch(self, watcher: Callable[[Any], object] | None) -> None:
        """Have a function called with each transition, as a tuple of the fields of `StoryEntry`; see `Story.watch`."""
        self.state.story.watch(watcher)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take note of an event, and return what is to be done about it."""
        return self.handle_batch((event,), now)

    def handle_batch(self, events: Iterable[Event], now: float) -> list[Effect]:
        """Do the same for events that came together.

        Room that they make on the workers is filled once, after the last of them. If this raises, which is a bug, what
        was decided until then comes with the next batch.
        """
        state = self.state
        state.now = now
        handlers = self._handlers
        for event in events:
            state.stimulus = getattr(event, "stimulus", "")
            handlers[type(event)](state, event)
            settle(state)
            state.payload = None
            if state.abandoned:
                state.abandoned = {}
                state.interrupting = False
            if state.refresh:
                send_refreshes(state)
            if self._validate:
                check(state)
        if state.queue.size:
            self._fill(state)
        if state.balance_due:
            stealing.balance(state)
        for worker in state.open_frees:
            worker.open_free = None
        state.open_frees.clear()
        effects, state.effects = state.effects, []
        if self._validate:
            check(state, filled=True)
        return effects
