"""Chooses the tasks to hand over to the pools of threads.

Each executor is a pool with a number of threads. The most urgent task starts when a thread is free. A task that needs
resources starts when these are free as well. While it waits, tasks that need none of its resources may overtake it;
tasks that need one of them may not, or it might never start.

A task that is expected to be short may be handed over before a thread is free, so that a thread that ends one task
takes the next without a turn of the event loop. A more urgent task cannot overtake tasks that were handed over, so this
lookahead is limited to a few milliseconds of work for each thread that is not known to be busy for longer. If a task
takes long nevertheless, the scheduler takes back the tasks behind it (see `instructions.Reclaim`). Actors, tasks that
need resources, tasks of named executors and tasks of unknown duration are handed over only when a thread is free.
"""

from __future__ import annotations

from dagrpc._common.keys import prefix_name
from dagrpc_worker.core.events import ComputeRequested
from dagrpc_worker.core.instructions import Execute
from dagrpc_worker.core.model import NO_RUN, NO_TICKET, AverageDuration, Pool, TaskState, WorkerState
from dagrpc_worker.core.resources import demand_of
from dagrpc_worker.core.task_queue import TaskQueue

_PREFIXES_KNOWN = 4096
"""Limit of the table of durations: keys without a common prefix would let it grow for ever."""


def average_of(state: WorkerState, key: str) -> AverageDuration:
    """Return the average duration of the tasks of a key's prefix."""
    durations = state.durations
    prefix = prefix_name(key)
    average = durations.get(prefix)
    if average is None:
        if len(durations) >= _PREFIXES_KNOWN:
            durations.clear()
        average = durations[prefix] = AverageDuration()
    return average


def learn_duration(state: WorkerState, task: TaskState, seconds: float) -> None:
    """Count a measurement into the average duration of the task's prefix."""
    average = task.average
    if average is not None:
        known = average.seconds
        average.seconds = seconds if known < 0.0 else known + state.config.duration_weight * (seconds - known)


def pool_of(state: WorkerState, executor: str) -> Pool:
    """Return the pool of an executor; create it if there is none."""
    pool = state.pools.get(executor)
    if pool is None:
        pool = state.pools[executor] = Pool(executor, state.config.executors.get(executor, 1))
    return pool


def queue_run(state: WorkerState, task: TaskState) -> None:
    """Add a task that can start to the queue of its pool and resources."""
    request = task.request
    assert request is not None
    pool = pool_of(state, request.executor)
    if request.resources:
        demand = demand_of(request.resources)
        queue = pool.constrained.get(demand)
        if queue is None:
            queue = pool.constrained[demand] = TaskQueue()
    else:
        queue = pool.ready
    state.new_ticket(task)
    queue.push(task)


def start_tasks(state: WorkerState) -> None:
    """Hand over the tasks that can start."""
    if state.paused:
        return
    pools = state.pools
    started = True
    while started:
        started = False
        for pool in pools.values():
            while (queue := next_queue(state, pool)) is not None:
                task = queue.peek()
                assert task is not None
                queue.pop()
                _hand_over(state, pool, task)
                # The task may have taken resources for which another pool held back less urgent tasks.
                started = len(pools) > 1


def next_queue(state: WorkerState, pool: Pool) -> TaskQueue[TaskState] | None:
    """Return the queue whose head can start now; None if no task can start."""
    queue: TaskQueue[TaskState] | None = pool.ready
    task = pool.ready.peek()
    if pool.constrained:
        constrained = _next_constrained(state, pool)
        head = constrained.peek() if constrained is not None else None
        if head is not None and (task is None or (head.priority, head.ticket) < (task.priority, task.ticket)):
            queue, task = constrained, head
    if task is None:
        return None
    if pool.handed_over < pool.limit or _may_go_ahead(state, pool, task):
        return queue
    return None


def _next_constrained(state: WorkerState, pool: Pool) -> TaskQueue[TaskState] | None:
    """Return the queue of the most urgent task whose resources are free; remove empty queues."""
    heads = []
    for demand, queue in list(pool.constrained.items()):
        task = queue.peek()
        if task is None:
            del pool.constrained[demand]
        else:
            heads.append((task.priority, task.ticket, demand, queue))
    heads.sort(key=lambda head: head[:2])
    claimed: set[str] = set()
    for _, _, demand, queue in heads:
        if claimed.isdisjoint(name for name, _ in demand) and state.resources.fit(demand):
            return queue
        # A task whose demand exceeds the worker's resources can never start, and must not block others.
        if state.resources.suffice(demand):
            claimed.update(name for name, _ in demand)
    return None


def _expected_seconds(task: TaskState, request: ComputeRequested) -> float:
    """Return the expected duration of a task in seconds; negative if it is unknown."""
    average = task.average
    if average is not None and average.seconds >= 0.0:
        return average.seconds
    return request.duration


def _short_seconds(state: WorkerState, pool: Pool, task: TaskState) -> float:
    """Return the expected duration of a task that may be handed over early; negative if it may not."""
    request = task.request
    assert request is not None
    if pool is not state.default_pool or request.actor or request.resources:
        return -1.0
    seconds = _expected_seconds(task, request)
    return seconds if seconds <= state.config.lookahead else -1.0


def _may_go_ahead(state: WorkerState, pool: Pool, task: TaskState) -> bool:
    """Return whether a task may be handed over although no thread is free for it."""
    # Threads that may be busy for long do not count: a task that is handed over must find a thread soon.
    threads = pool.limit - (pool.handed_over - pool.short)
    config = state.config
    if threads <= 0 or pool.short >= threads * config.lookahead_tasks:
        return False
    return pool.short_seconds < threads * config.lookahead and _short_seconds(state, pool, task) >= 0.0


def _hand_over(state: WorkerState, pool: Pool, task: TaskState) -> None:
    """Hand a task over to its pool."""
    request = task.request
    assert request is not None
    pool.handed_over += 1
    expected = task.expected = _short_seconds(state, pool, task)
    if expected >= 0.0:
        pool.short += 1
        pool.short_seconds += expected
    if request.resources:
        state.resources.take(request.resources)
    task.ticket = NO_TICKET
    task.execution = request.run_id
    task.executed = request
    dependencies = task.dependencies
    state.starts.append(
        Execute(
            task.key,
            request.run_id,
            request.work,
            [dependency.key for dependency in dependencies] if dependencies else (),
            request.actor,
            request.executor,
            request.annotations,
            request.timeout,
        )
    )
    state.touched.append(task)


def leave_pool(state: WorkerState, task: TaskState) -> None:
    """Free the place in the pool of an execution that has ended or seceded."""
    executed = task.executed
    assert executed is not None
    pool = state.pools[executed.executor]
    pool.handed_over -= 1
    if task.expected >= 0.0:
        pool.short -= 1
        # Sums of fractions drift; the sum is reset when the pool has no short task.
        pool.short_seconds = pool.short_seconds - task.expected if pool.short else 0.0


def end_execution(state: WorkerState, task: TaskState) -> None:
    """End an execution: free its place and its resources, and reset its facts."""
    executed = task.executed
    assert executed is not None
    if task.seceded < 0.0:
        leave_pool(state, task)
    if executed.resources:
        state.resources.give_back(executed.resources)
    task.execution = NO_RUN
    task.executed = None
    task.cancelled = False
    task.reclaimed = NO_RUN
    task.outdated = False
    task.seceded = -1.0
