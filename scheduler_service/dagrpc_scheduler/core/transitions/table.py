"""The law: which transitions there are, and what carries them out.

Rule 1. A task changes its state only by a transition of this table. Any other pair of states is a bug and raises.

Rule 2. A transition is asked for by a recommendation. It may be out of date by the time it is tried, so the
transition looks at the task again and does nothing if its reason is gone. `stale` marks the pairs which come about
only like that.

Rule 3. Whoever recommends a transition has put the facts on the task before: who holds its result, why it failed,
which worker is to run it.

Rule 4. A transition changes its own task, and counts and collections of its neighbours that are kept beside its
state. It may recommend transitions of other tasks, and never carries them out.

Rule 5. A task of which nothing is missing is placed by nobody's recommendation: it goes to `SchedulerState.ready`, and
when no recommendation is left, all that are there are placed in order of their priority.

Rule 6. A task is needed by its active dependents (waiting, no-worker, queued, processing), by clients and by graphs
on their way. An active task is always needed, and so is one in memory; a task that is not goes to released. Released
and erred tasks stay as long as they are needed, have dependents or are kept by a graph on its way; then they are
forgotten.

Rule 7. While a task is queued, no-worker or processing, all its dependencies are in memory. If one is lost, the task
goes back to waiting, whoever runs it.

Rule 8. All dependencies of a live task are live, and stay the same: what it runs and what it depends on came together.
A graph that defines a known task otherwise does not change it.
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
    """Do nothing: the recommendation was right when it was made, and an earlier one changed that."""


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
