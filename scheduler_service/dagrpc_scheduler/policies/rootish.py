"""Root tasks and free slots: how many queued tasks a worker is given.

Root tasks start a computation and are many: sent at once, they would flood the workers. They are recognised by their
group, which is large and has next to no dependencies. Root tasks for which no worker has a free slot wait in the
scheduler's queue. A worker has slots for slightly more tasks than it has threads, and for short tasks also as many as
cover a round trip (the lookahead): without it, the worker would mostly wait for the network.
"""

from __future__ import annotations

from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.events import NO_OPTIONS
from dagrpc_scheduler.core.model import TaskGroup, TaskPrefix, TaskState, WorkerState
from dagrpc_scheduler.core.restrictions import is_restricted
from dagrpc_scheduler.core.state import SchedulerState

_SHORTEST = 1e-6
"""Lower bound for the duration of a task, in seconds."""


def is_rootish(task: TaskState, state: SchedulerState) -> bool:
    """Tell whether a ready task is a root task, which any worker may run."""
    group = task.group
    if group.size <= 2 * state.total_nthreads:
        return False
    options = task.options
    if options is not NO_OPTIONS and (options.actor or is_restricted(state, options)):
        return False
    return not group.dependencies or _depends_on_few(group.dependencies, state.config.rootish_dependencies)


def _depends_on_few(groups: dict[TaskGroup, None], limit: int) -> bool:
    if len(groups) >= limit:
        return False
    count = 0
    for group in groups:
        count += group.size
    return count < limit


def lookahead_per_thread(prefix: TaskPrefix, config: CoreConfig) -> float:
    """Return how many tasks of this kind, per thread, cover a round trip; 0 if that is unknown."""
    if prefix.duration < 0 or prefix.nbytes < 0:
        return 0.0
    by_time = config.lookahead_seconds / max(prefix.duration, _SHORTEST)
    by_size = config.lookahead_bytes / max(prefix.nbytes, 1.0)
    return min(by_time, by_size, float(config.lookahead_tasks))


def free_slots_for(worker: WorkerState, task: TaskState, config: CoreConfig) -> int:
    """Return the number of free slots that a worker has for queued tasks like this one; 0 or less: none."""
    count = len(worker.processing) - len(worker.long_running)
    if task.suspicious:
        # The task may kill the worker, so few other tasks should be there.
        return min(worker.nthreads - count, worker.slots - count, 1)
    free_slots = worker.slots - count
    prefix = task.group.prefix
    per_thread = lookahead_per_thread(prefix, config)
    if per_thread:
        nthreads = worker.nthreads
        by_count = per_thread * nthreads - count
        by_time = (config.lookahead_seconds * nthreads - worker.occupancy) / max(prefix.duration, _SHORTEST)
        free_slots = max(free_slots, int(min(by_count, by_time)))
    return free_slots


def set_low_water_mark(worker: WorkerState) -> None:
    """Give a worker no tasks beyond its slots until half of its tasks are done.

    One message then brings many tasks, instead of one message for each finished task.
    """
    worker.low_water_mark = (len(worker.processing) - len(worker.long_running)) // 2
