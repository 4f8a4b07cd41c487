"""The worker's core: a state machine that takes events and returns instructions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dagrpc_worker.core import deadlines, events
from dagrpc_worker.core.config import DEFAULT_CONFIG, WorkerCoreConfig
from dagrpc_worker.core.events import Event
from dagrpc_worker.core.fetch_planning import forget_idle_peers, start_gathers
from dagrpc_worker.core.handlers import execution_events, scheduler_requests, transfer_events
from dagrpc_worker.core.instructions import DropData, Instruction
from dagrpc_worker.core.invariants import validate_state
from dagrpc_worker.core.model import FETCH, WorkerState
from dagrpc_worker.core.ready_tasks import start_tasks
from dagrpc_worker.core.resources import Resources
from dagrpc_worker.core.story import Entry
from dagrpc_worker.core.transitions import run_transitions
from dagrpc_worker.core.views import WorkerView

Handler = Callable[[WorkerState, Any], None]

HANDLERS: Final[Mapping[type, Handler]] = {
    events.ComputeRequested: scheduler_requests.on_compute_requested,
    events.KeysFreed: scheduler_requests.on_keys_freed,
    events.StealRequested: scheduler_requests.on_steal_requested,
    events.ReplicasRequested: scheduler_requests.on_replicas_requested,
    events.ReplicasUnwanted: scheduler_requests.on_replicas_unwanted,
    events.WhoHasRefreshed: scheduler_requests.on_who_has_refreshed,
    events.SessionRenewed: scheduler_requests.on_session_renewed,
    events.DataPut: transfer_events.on_data_put,
    events.ExecuteSucceeded: execution_events.on_execute_succeeded,
    events.ExecuteFailed: execution_events.on_execute_failed,
    events.ExecuteRescheduled: execution_events.on_execute_rescheduled,
    events.ExecuteSkipped: execution_events.on_execute_skipped,
    events.ExecuteKept: execution_events.on_execute_kept,
    events.ExecuteStarted: deadlines.on_execute_started,
    events.ExecuteInterrupted: deadlines.on_execute_interrupted,
    events.DeadlineReached: deadlines.on_deadline_reached,
    events.TaskSeceded: execution_events.on_task_seceded,
    events.GatherSucceeded: transfer_events.on_gather_succeeded,
    events.GatherRefused: transfer_events.on_gather_refused,
    events.GatherFailed: transfer_events.on_gather_failed,
    events.PeerRetryDue: transfer_events.on_peer_retry_due,
    events.Paused: execution_events.on_paused,
    events.Resumed: execution_events.on_resumed,
    events.Leaving: execution_events.on_leaving,
    events.ResourcesSet: execution_events.on_resources_set,
    events.ExecutorOffered: execution_events.on_executor_offered,
}


class WorkerCore:
    """Decides the actions of a worker. It has no I/O, clock, threads or randomness.

    The same batches of events at the same times give the same instructions.
    """

    __slots__ = ("_state", "_validate", "view")

    def __init__(
        self,
        address: str,
        nthreads: int,
        resources: Mapping[str, float] | None = None,
        config: WorkerCoreConfig = DEFAULT_CONFIG,
        validate: bool = False,
    ) -> None:
        """Create the core of the worker at `address`; with `validate`, check all invariants after each batch (slow)."""
        self._state = WorkerState(address, nthreads, Resources(resources or {}), config)
        self._validate = validate
        self.view = WorkerView(self._state)
        """Read-only access to the core's state."""

    def watch(self, watcher: Callable[[Entry], object] | None) -> None:
        """Call a function with each transition; see `Story.watch`."""
        self._state.story.watch(watcher)

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Handle one event and return the instructions."""
        return self.handle_batch((event,), now)

    def handle_batch(self, events: Iterable[Event], now: float) -> list[Instruction]:
        """Handle events in order, and return the instructions in order.

        Executions and transfers are chosen after the last event, so that the most urgent ones go first and transfers
        are grouped. Results are dropped before they begin. The caller carries out the instructions before it feeds the
        next batch.
        """
        state = self._state
        state.now = now
        handlers = HANDLERS
        for event in events:
            handler = handlers[type(event)]
            state.stimulus = event.stimulus
            handler(state, event)
            run_transitions(state)
        start_tasks(state)
        start_gathers(state)
        run_transitions(state)
        if state.peers and not state.gathers and not state.counts[FETCH]:
            forget_idle_peers(state)
        if self._validate:
            validate_state(state)
        return _collect(state)


def _collect(state: WorkerState) -> list[Instruction]:
    """Return and reset the instructions of a batch."""
    instructions = state.reports
    state.reports = []
    if state.dropped:
        instructions.append(DropData(list(state.dropped)))
        state.dropped = {}
    if state.starts:
        instructions += state.starts
        state.starts = []
    return instructions
