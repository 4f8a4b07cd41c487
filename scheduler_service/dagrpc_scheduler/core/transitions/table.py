"""The rules of transitions, and the table of all transitions with the functions that run them.

Rule 1. A task changes its state only by a transition of this table. Any other pair of states is a bug and raises.

Rule 2. A transition is requested by a recommendation, which may be out of date when it is tried. The transition
therefore looks at the task again and does nothing if its reason is gone. `stale` marks the pairs that only out-of-date
recommendations name.

Rule 3. A function that recommends a transition has recorded the facts on the task before: the holders of its result,
the reason of its failure, or the worker that runs it.

Rule 4. A transition changes its own task, and the counts and collections of neighbouring tasks that follow from its
state. It may recommend transitions of other tasks and never runs them.

Rule 5. Ready tasks are placed without a recommendation: a waiting task whose dependencies are all in memory is added to
`SchedulerState.ready`, and once no recommendation is left, the ready tasks are placed in order of priority.

Rule 6. A task is needed by its active dependents (waiting, no-worker, queued, processing), by clients and by incomplete
graphs. Active tasks and tasks in memory are always needed; a task that is no longer needed goes to released. Released
and erred tasks stay as long as they are needed, have dependents or are kept by an incomplete graph; then they are
forgotten.

Rule 7. While a task is queued, no-worker or processing, all its dependencies are in memory. If one is lost, the task
goes back to waiting, even if a worker runs it.

Rule 8. All dependencies of a live task are live and never change: a task's work and its dependencies arrive together. A
graph that defines a known task differently does not change the task.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from dagrpc_scheduler.core.model import (
    ERRED,
    FORGOTTEN,
    MEMORY,
    NO_WORKER,
    PROCESSING,
    QUEUED,
    RELEASED,
    WAITING,
    StateName,
    TaskState,
)
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.core.transitions.to_erred import memory_to_erred, processing_to_erred, unassigned_to_erred
from dagrpc_scheduler.core.transitions.to_forgotten import to_forgotten
from dagrpc_scheduler.core.transitions.to_memory import processing_to_memory, unassigned_to_memory
from dagrpc_scheduler.core.transitions.to_parked import waiting_to_no_worker, waiting_to_queued
from dagrpc_scheduler.core.transitions.to_processing import queued_to_processing, waiting_to_processing
from dagrpc_scheduler.core.transitions.to_released import active_to_released, erred_to_released, memory_to_released
from dagrpc_scheduler.core.transitions.to_waiting import (
    assigned_to_waiting,
    parked_to_waiting,
    released_to_waiting,
)

Transition: TypeAlias = Callable[[SchedulerState, TaskState], None]


def stale(state: SchedulerState, task: TaskState) -> None:
    """Do nothing: an earlier transition has made the recommendation obsolete."""


TABLE: Final[dict[tuple[StateName, StateName], Transition]] = {
    (RELEASED, WAITING): released_to_waiting,
    (NO_WORKER, WAITING): parked_to_waiting,
    (QUEUED, WAITING): parked_to_waiting,
    (PROCESSING, WAITING): assigned_to_waiting,
    #
    (WAITING, NO_WORKER): waiting_to_no_worker,
    (WAITING, QUEUED): waiting_to_queued,
    (WAITING, PROCESSING): waiting_to_processing,
    (QUEUED, PROCESSING): queued_to_processing,
    #
    (WAITING, MEMORY): unassigned_to_memory,
    (NO_WORKER, MEMORY): unassigned_to_memory,
    (QUEUED, MEMORY): unassigned_to_memory,
    (PROCESSING, MEMORY): processing_to_memory,
    #
    (WAITING, ERRED): unassigned_to_erred,
    (NO_WORKER, ERRED): unassigned_to_erred,
    (QUEUED, ERRED): unassigned_to_erred,
    (PROCESSING, ERRED): processing_to_erred,
    (MEMORY, ERRED): memory_to_erred,
    #
    (WAITING, RELEASED): active_to_released,
    (NO_WORKER, RELEASED): active_to_released,
    (QUEUED, RELEASED): active_to_released,
    (PROCESSING, RELEASED): active_to_released,
    (MEMORY, RELEASED): memory_to_released,
    (ERRED, RELEASED): erred_to_released,
    #
    (RELEASED, FORGOTTEN): to_forgotten,
    (MEMORY, FORGOTTEN): to_forgotten,
    (ERRED, FORGOTTEN): to_forgotten,
    #
    (RELEASED, ERRED): stale,
    (ERRED, WAITING): stale,
}
