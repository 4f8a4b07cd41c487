"""Invariants of the worker's core between two batches of events."""

from __future__ import annotations

from collections import Counter

from dagrpc_worker.core.fetch_planning import may_gather, rank_of
from dagrpc_worker.core.model import (
    CANCELLED,
    CONSTRAINED,
    FETCH,
    FORGOTTEN,
    MEMORY,
    NO_RUN,
    NO_TICKET,
    READY,
    RELEASED,
    STATES,
    WAITING,
    TaskState,
    WorkerState,
)
from dagrpc_worker.core.ready_tasks import next_queue
from dagrpc_worker.core.resources import demand_of
from dagrpc_worker.core.transitions import state_from_facts


class InvariantViolated(AssertionError):
    """An invariant of the core does not hold: an error of the core."""


def _check(holds: bool, what: str, *about: object) -> None:
    if not holds:
        raise InvariantViolated(": ".join([what, *map(repr, about)]))


def validate_state(state: WorkerState) -> None:
    """Check all invariants. Takes time in proportion to the core's state."""
    _check(not state.touched, "a task was not settled", state.touched)
    for key, task in state.tasks.items():
        _check(task.key == key, "a task is filed under another key", key, task)
        _validate_facts(task)
        _validate_dependencies(state, task)
        _validate_queues(state, task)
    _validate_counts(state)
    _validate_pools(state)
    _validate_resources(state)
    _validate_peers(state)
    _validate_progress(state)


def _validate_facts(task: TaskState) -> None:
    """Check the facts about one task against each other."""
    _check(task.state == state_from_facts(task), "a state does not follow from the facts", task, state_from_facts(task))
    _check(task.state not in (RELEASED, FORGOTTEN), "a task is kept for nothing", task)
    _check(task.request is None or not task.stored, "a run is wanted whose result is here", task)
    _check(task.stored or not task.reported, "a result was reported that is not here", task)
    _check(not task.erred, "a failed task is kept", task)
    _check(not task.stored or not task.stale, "a discarded result is in the place of a newer one", task)
    _check(not task.stored or not task.replica, "a copy is wanted of what is here", task)
    _check(task.nbytes >= 0, "a size is negative", task, task.nbytes)
    executing = task.execution != NO_RUN
    _check((task.executed is not None) == executing, "an execution has no request", task)
    _check(executing or not task.outdated, "what is not executed was discarded before it came", task)
    _check(executing or not task.cancelled, "what is not executed was cancelled", task)
    _check(executing or task.seceded < 0.0, "what is not executed seceded", task)
    _check(task.request is not None or not executing or task.cancelled, "an unwanted execution goes on", task)
    _check(bool(task.dependencies) <= (task.request is not None or executing), "a run that is over uses results", task)
    # The worker itself never is a peer.
    _check(len(set(task.holders)) == len(task.holders), "a holder is named twice", task, task.holders)


def _validate_dependencies(state: WorkerState, task: TaskState) -> None:
    """Check the edges between tasks, and that the dependencies of executions are in the store."""
    waiting_for = 0
    for dependency in task.dependencies or ():
        _check(state.tasks.get(dependency.key) is dependency, "a dependency was forgotten", task, dependency)
        _check(task in (dependency.dependents or {}), "a dependency does not know its dependent", task, dependency)
        waiting_for += dependency.state != MEMORY
    _check(task.waiting_for == waiting_for, "a count of dependencies is wrong", task, task.waiting_for, waiting_for)
    for dependent in task.dependents or ():
        _check(state.tasks.get(dependent.key) is dependent, "a dependent was forgotten", task, dependent)
        _check(task in (dependent.dependencies or ()), "a dependent does not know its dependency", task, dependent)
    if task.state == WAITING:
        _check(waiting_for > 0, "a task waits for nothing", task)
    if task.execution != NO_RUN and task.executed is not None:
        used = {key for key, _, _ in task.executed.dependencies}
        for dependency in task.dependencies or ():
            here = dependency.stored or dependency.stale
            _check(here or dependency.key not in used, "an execution lost a result", task, dependency)


def _validate_queues(state: WorkerState, task: TaskState) -> None:
    """Check that a task is in the queues of its state."""
    queued = task.state in (READY, CONSTRAINED, FETCH)
    _check((task.ticket != NO_TICKET) == queued, "a task is queued in the wrong state", task, task.ticket)
    request = task.request
    if task.state in (READY, CONSTRAINED) and request is not None:
        pool = state.pools[request.executor]
        queue = pool.constrained[demand_of(request.resources)] if task.state == CONSTRAINED else pool.ready
        _check(task in queue, "a task that could start is not queued", task)
        _check(task.priority == request.priority, "a task is queued under a wrong priority", task)
    if task.state == FETCH:
        known = [holder for holder in task.holders if holder in state.peers and task in state.peers[holder].queue]
        expected = min(len(task.holders), state.config.holders_considered)
        _check(len(known) == expected, "a result is not queued with its holders", task, known)


def _validate_counts(state: WorkerState) -> None:
    """Check the counters."""
    counts = Counter(task.state for task in state.tasks.values())
    _check({name: counts[name] for name in STATES} == state.counts, "the counts by state are wrong", state.counts)
    stored = sum(task.nbytes for task in state.tasks.values() if task.stored)
    _check(state.stored_nbytes == stored, "the count of stored bytes is wrong", state.stored_nbytes, stored)
    kept = {task.key for task in state.tasks.values() if task.stored or task.stale}
    dropped = [key for key in state.dropped if key in kept]
    _check(not dropped, "a result is dropped that is kept", dropped)
    busy = [key for key in state.dropped if key in state.tasks and state.tasks[key].state == CANCELLED]
    _check(not busy, "a result is dropped although something goes on with its key", busy)


def _validate_pools(state: WorkerState) -> None:
    """Check that no executor has more tasks than allowed."""
    for pool in state.pools.values():
        occupying = [
            task
            for task in state.tasks.values()
            if task.executed is not None and task.seceded < 0.0 and task.executed.executor == pool.name
        ]
        short = [task for task in occupying if task.expected >= 0.0]
        timed_out = sum(other is pool for other in state.timed_out_runs.values())
        _check(pool.handed_over == len(occupying) + timed_out, "the count of executions is wrong", pool.name, occupying)
        _check(pool.short == len(short), "the count of short executions is wrong", pool.name, short)
        _check(abs(pool.short_seconds - sum(task.expected for task in short)) < 1e-6, "short work is wrong", pool.name)
        long = pool.handed_over - pool.short
        _check(long <= pool.most, "more tasks were handed over than there are threads", pool.name, occupying)
        ahead = state.config.lookahead_tasks * pool.limit if pool is state.default_pool else 0
        _check(pool.handed_over <= max(pool.most, long + ahead), "too much was handed over", pool.name, occupying)


def _validate_resources(state: WorkerState) -> None:
    """Check that no resource is used twice."""
    used: Counter[str] = Counter()
    for task in state.tasks.values():
        if task.executed is not None:
            for name, amount in task.executed.resources.items():
                used[name] += amount  # type: ignore[assignment]
    for name, amount in state.resources.used.items():
        _check(abs(amount - used[name]) < 1e-6, "the count of a resource is wrong", name, amount, used[name])
        _check(0.0 <= amount <= state.resources.total.get(name, 0.0) + 1e-6, "a resource is overcommitted", name)


def _validate_peers(state: WorkerState) -> None:
    """Check the transfers and the peers."""
    config = state.config
    calls = [(peer, call) for peer in state.peers.values() for call in peer.calls]
    _check(state.address not in state.peers, "the worker is its own peer")
    _check(state.gathers == len(calls) <= config.gathers, "the count of transfers is wrong", state.gathers)
    total = sum(sum(call.values()) for _, call in calls)
    _check(state.gathers_nbytes == total, "the count of bytes under way is wrong", state.gathers_nbytes, total)
    on_their_way: Counter[str] = Counter()
    for peer, call in calls:
        _check(len(peer.calls) <= config.gathers_per_peer, "a peer is asked too often", peer.address)
        _check(0 < len(call) <= config.gather_keys, "a transfer has a wrong size", peer.address, len(call))
        nbytes = sum(call.values())
        _check(len(call) == 1 or nbytes <= config.gather_nbytes, "a transfer is too large", peer.address, nbytes)
        for key in call:
            on_their_way[key] += 1
            task = state.tasks.get(key)
            _check(task is not None and task.peer == peer.address, "a transfer is not known", key, task)
    for task in state.tasks.values():
        _check(on_their_way[task.key] == bool(task.peer), "a transfer is known that does not exist", task)
    for peer in state.peers.values():
        _check(peer.nbytes == sum(sum(call.values()) for call in peer.calls), "a peer's bytes are wrong", peer.address)


def _validate_progress(state: WorkerState) -> None:
    """Check that no task or transfer waits that could begin, and that a retiring worker holds no waiting task."""
    if state.leaving:
        for task in state.tasks.values():
            _check(task.request is None or task.execution != NO_RUN, "a task waits on a worker that leaves", task)
    if state.paused:
        return
    for pool in state.pools.values():
        _check(next_queue(state, pool) is None, "a task could start and was not handed over", pool.name)
    if may_gather(state):
        for peer in state.peers.values():
            _check(rank_of(state, peer) is None, "a transfer could start and did not", peer.address)
