"""What workers report, while clients share the cluster fairly: what a run took is charged to its client."""

from __future__ import annotations

from dagrpc_scheduler.core.events import TaskErred, TaskFinished, TaskLongRunning
from dagrpc_scheduler.core.handlers import task_reports
from dagrpc_scheduler.core.state import SchedulerState


def task_finished(state: SchedulerState, event: TaskFinished) -> None:
    """Charge what the run took."""
    _settle(state, event.run_id, event.stop - event.start if event.start else 0.0)
    task_reports.task_finished(state, event)


def task_erred(state: SchedulerState, event: TaskErred) -> None:
    """Charge what the run took."""
    _settle(state, event.run_id, event.stop - event.start if event.start else 0.0)
    task_reports.task_erred(state, event)


def task_long_running(state: SchedulerState, event: TaskLongRunning) -> None:
    """Charge what the run took until it left its pool: from then on it takes no thread from others."""
    _settle(state, event.run_id, event.duration)
    task_reports.task_long_running(state, event)


def _settle(state: SchedulerState, run_id: int, seconds: float) -> None:
    if state.fair is not None:
        # Clocks are set back at times.
        state.fair.run_transitions(run_id, max(seconds, 0.0))
