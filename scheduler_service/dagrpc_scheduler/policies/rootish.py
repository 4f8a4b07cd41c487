"""Root tasks: the many that start a computation, which would flood the workers if they were all sent at once.

They are recognised by their group: large, and depending on next to nothing. What a worker has not got room for waits
in the scheduler's queue. A worker's room is its saturation, which is a little more than it has threads, and on top of
that as much as it takes to cover a round trip: otherwise, short tasks would mostly wait for the network.
"""

from __future__ import annotations

from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.model import TaskGroup, TaskPrefix, TaskState, WorkerState

_SHORTEST = 1e-6
"""Seconds. No task takes less."""


def is_rootish(task: TaskState, total_nthreads: int, limit: int) -> bool:
    """Tell whether a ready task is a root task; `limit` is `CoreConfig.rootish_dependencies`."""
    group = task.group
    if group.size <= 2 * total_nthreads:
        return False
    options = task.options
    if options.workers or options.resources:
        return False
    return not group.dependencies or _depends_on_few(group.dependencies, limit)


def _depends_on_few(groups: dict[TaskGroup, None], limit: int) -> bool:
    if len(groups) >= limit:
        return False
    count = 0
    for group in groups:
        count += group.size
    return count < limit


def lookahead_per_thread(prefix: TaskPrefix, config: CoreConfig) -> float:
    """Return how many tasks of this kind, per thread, cover a round trip; 0 if that is not known."""
    if prefix.duration < 0 or prefix.nbytes < 0:
        return 0.0
    by_time = config.lookahead_seconds / max(prefix.duration, _SHORTEST)
    by_size = config.lookahead_bytes / max(prefix.nbytes, 1.0)
    return min(by_time, by_size, float(config.lookahead_tasks))


def free_slots_for(worker: WorkerState, task: TaskState, config: CoreConfig) -> int:
    """Return how many queued tasks like this one the worker has room for; 0 or less: none."""
    count = len(worker.processing) - len(worker.long_running)
    if task.suspicious:
        # It may kill the worker: nothing else is to be there longer than necessary.
        return min(worker.nthreads - count, worker.slots - count, 1)
    room = worker.slots - count
    prefix = task.group.prefix
    per_thread = lookahead_per_thread(prefix, config)
    if per_thread:
        nthreads = worker.nthreads
        by_count = per_thread * nthreads - count
        by_time = (config.lookahead_seconds * nthreads - worker.occupancy) / max(prefix.duration, _SHORTEST)
        room = max(room, int(min(by_count, by_time)))
    return room
