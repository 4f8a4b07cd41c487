"""The conditions that hold between any two events. Tests check them; a violation names the task and the condition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dagrpc_scheduler.core.handlers.worker_membership import LOSS_REASONS_KEPT
from dagrpc_scheduler.core.load_index import fullness_of, load_of
from dagrpc_scheduler.core.model import (
    ACTIVE,
    DISCONNECTED,
    ERRED,
    MEMORY,
    NO_WORKER,
    PROCESSING,
    QUEUED,
    WAITING,
    GraphRecord,
    TaskState,
    WorkerState,
    is_needed,
)
from dagrpc_scheduler.core.restrictions import allowed_workers
from dagrpc_scheduler.core.state import SchedulerState


class InvariantViolation(AssertionError):
    """The state is inconsistent: a bug of the scheduler."""


def check(state: SchedulerState, *, filled: bool = False) -> None:
    """Raise `InvariantViolation` if the state is inconsistent.

    `filled` says that free slots have just been filled from the queue.
    """
    _require(not state.recommendations, "recommendations are left over", state.recommendations)
    _require(not state.ready, "ready tasks are left over", state.ready)
    _require(not state.complete_graphs, "complete graphs are left over", state.complete_graphs)
    _require(not state.refresh, "refreshes are left over", state.refresh)
    records = [record for client in state.clients.values() for record in client.graphs.values()]
    pinned = {record: frozenset(record.tasks) for record in records}
    for key, task in state.tasks.items():
        _require(task.key == key, "a task is listed under a wrong key", task, key)
        _check_links(state, task)
        _check_needs(task, pinned)
        _check_state(state, task)
    _check_order(state)
    _check_collections(state)
    _check_workers(state)
    _check_clients(state)
    _check_groups(state)
    _check_shared(state)
    _check_expected(state)
    _check_steals(state)
    _check_runs(state)
    if filled:
        _check_filled(state)


def _require(condition: bool, what: str, *subjects: object) -> None:
    if not condition:
        raise InvariantViolation(f"{what}: {', '.join(map(repr, subjects))}")


def _check_links(state: SchedulerState, task: TaskState) -> None:
    _require(len(set(task.dependencies)) == len(task.dependencies), "a dependency is listed twice", task)
    for dependency in task.dependencies:
        _require(state.tasks.get(dependency.key) is dependency, "a dependency is not a live task", task, dependency)
        _require(task in (dependency.dependents or ()), "a dependency does not list its dependent", task, dependency)
    _require(task.dependents is None or bool(task.dependents), "an empty collection of dependents is kept", task)
    for dependent in task.dependents or ():
        _require(state.tasks.get(dependent.key) is dependent, "a dependent is not a live task", task, dependent)
        _require(task in dependent.dependencies, "a dependent does not list its dependency", task, dependent)
    _require(
        (len(task.who_has) > 1) == (task in state.replicated),
        "a task is listed as replicated if and only if several workers hold its result",
        task,
    )
    for worker in task.who_has:
        _require(state.workers.get(worker.address) is worker, "a result is held by a removed worker", task, worker)
        _require(task in worker.has_what, "a worker does not list a result that it holds", task, worker)
    for client in task.wanted_by:
        _require(state.clients.get(client.name) is client, "a task is wanted by a removed client", task, client)
        _require(task in client.wants, "a client does not list a task that it wants", task, client)


def _check_order(state: SchedulerState) -> None:
    """No task depends on itself, directly or not."""
    missing = {task: len(task.dependencies) for task in state.tasks.values()}
    ready = [task for task, count in missing.items() if not count]
    while ready:
        task = ready.pop()
        del missing[task]
        for dependent in task.dependents or ():
            missing[dependent] -= 1
            if not missing[dependent]:
                ready.append(dependent)
    _require(not missing, "tasks depend on each other in a cycle", *missing)


def _check_needs(task: TaskState, pinned: Mapping[GraphRecord, frozenset[TaskState]]) -> None:
    waiters = sum(dependent.state in ACTIVE for dependent in task.dependents or ())
    _require(task.waiters == waiters, "a task's number of waiters is wrong", task, task.waiters, waiters)
    _require(len(set(task.pins)) == len(task.pins), "a task is pinned twice by one graph", task)
    for record in task.pins:
        _require(record in pinned, "a task is pinned by a graph that is complete or removed", task, record)
        _require(task in pinned[record], "a graph does not list a task that it pins", task, record)
    _require(len(set(task.kept)) == len(task.kept), "a task is kept twice by one graph", task)
    for record in task.kept:
        _require(record in pinned, "a task is kept by a graph that is complete or removed", task, record)
        _require(task in pinned[record], "a graph does not list a task that it keeps", task, record)
    needed = is_needed(task)
    if task.state in ACTIVE or task.state == MEMORY:
        _require(needed, "a task is not needed, but not released", task)
    else:
        kept = bool(task.dependents or task.kept)
        _require(needed or kept, "a task is neither needed nor kept, but not forgotten", task)
        _require(task.state == ERRED or not needed, "a needed task is released", task)


def _check_state(state: SchedulerState, task: TaskState) -> None:
    name = task.state
    _require(
        (name == MEMORY) == bool(task.who_has),
        "a task is in memory if and only if a worker holds its result",
        task,
        task.who_has,
    )
    _require(
        (name == PROCESSING) == (task.processing_on is not None),
        "a task is processing if and only if it is assigned to a worker",
        task,
    )
    _require((name == ERRED) == (task.error is not None), "a task is in error if and only if it has an error", task)
    _require(
        (name == NO_WORKER) == (task in state.unrunnable),
        "a task is in state no-worker if and only if it is listed as unrunnable",
        task,
    )
    missing = sum(dependency.state != MEMORY for dependency in task.dependencies)
    if name == WAITING:
        _require(
            task.missing == missing, "a task's number of missing dependencies is wrong", task, task.missing, missing
        )
        if task.work is None:
            _require(task in state.pending_scatters, "a task waits for data that no client uploads", task)
        else:
            _require(missing > 0, "a waiting task has nothing to wait for", task)
        for dependency in task.dependencies:
            expected = dependency.state in ACTIVE or dependency.state == MEMORY
            _require(expected, "a task waits for a dependency that will not be computed", task, dependency)
    elif name in ACTIVE:
        _require(not missing, "an assigned or parked task misses a dependency", task)
    if name != WAITING:
        _require(task.missing == 0, "a task counts missing dependencies although it does not wait", task)
    if name in ACTIVE and task.work is None:
        _require(name == WAITING, "scattered data is about to be computed", task)
    if name == NO_WORKER:
        _require(
            not allowed_workers(state, task.options).workers, "a running worker may run a task in state no-worker", task
        )
    if name == ERRED and task.error is not None and task.error.origin_key != task.key:
        failed = any(dependency.state == ERRED for dependency in task.dependencies)
        _require(failed, "a task failed because of a dependency, but no dependency is in error", task)


def _check_runs(state: SchedulerState) -> None:
    runs = {task.run_id: task for task in state.tasks.values() if task.state == PROCESSING}
    _require(state.runs == runs, "the runs are listed wrongly", state.runs, runs)


def _check_collections(state: SchedulerState) -> None:
    queued = [task for task in state.tasks.values() if task.state == QUEUED]
    _require(state.queue.size == len(queued), "the size of the queue is wrong", state.queue.size, queued)
    _require(set(state.queue.tasks()) == set(queued), "the queue contains wrong tasks", queued)
    for task in state.replicated:
        _require(state.tasks.get(task.key) is task, "a replicated task is not live", task)
    for task in state.unrunnable:
        _require(state.tasks.get(task.key) is task, "an unrunnable task is not live", task)
    for task, uploaders in state.pending_scatters.items():
        _require(state.tasks.get(task.key) is task, "a pending upload has no live task", task)
        _require(
            task.work is None and task.state == WAITING,
            "a pending upload belongs to a task that does not wait for data",
            task,
        )
        _require(bool(uploaders), "data is waited for that no client uploads", task)
        for client, places in uploaders.items():
            _require(state.clients.get(client.name) is client, "data is uploaded by a removed client", task, client)
            _require(places <= set(state.workers), "data is uploaded to a removed worker", task, places)


def _check_workers(state: SchedulerState) -> None:
    lookahead_seconds, now = state.config.lookahead_seconds, state.now
    running = {worker for worker in state.workers.values() if worker.status == "running"}
    _require(set(state.running) == running, "the running workers are listed wrongly", running)
    _require(
        state.total_nthreads == sum(worker.nthreads for worker in running), "the number of threads is wrong", running
    )
    for address, worker in state.workers.items():
        _require(worker.address == address, "a worker is listed under a wrong address", worker, address)
        _require(worker in state.hosts[worker.host], "a host does not list its worker", worker)
        away = worker.status == DISCONNECTED
        _require(
            away == bool(worker.status_on_return),
            "a worker is disconnected if and only if it has a status on return",
            worker,
        )
        _require(away or worker.unreachable_for is None, "a connected worker is listed as unreachable", worker)
        _require(worker.identity not in state.removed_workers, "a worker of the cluster is listed as removed", worker)
        fullness = fullness_of(worker, now, lookahead_seconds)
        for index, load in ((state.by_load, load_of(worker, now)), (state.by_free_slots, fullness)):
            _require(
                (worker in index) == (worker in running and worker.abilities.takes_code),
                "a worker is in the index if and only if it is running and takes code",
                worker,
            )
            if worker in index and worker not in index.lowered:
                _require(
                    index.known_load(worker) <= load, "a worker's load is below that of its index entry", worker, load
                )
        _check_worker_tasks(state, worker)
    _require(
        len(state.loss_reasons) <= LOSS_REASONS_KEPT, "too many reasons of losses are kept", len(state.loss_reasons)
    )
    for name, worker in state.aliases.items():
        _require(worker.name == name, "a worker is listed under a wrong name", worker, name)
        _require(state.workers.get(worker.address) is worker, "an alias names a removed worker", worker)


def _check_worker_tasks(state: SchedulerState, worker: WorkerState) -> None:
    for task in worker.processing:
        _require(state.tasks.get(task.key) is task, "an assigned task is not live", task, worker)
        _require(task.processing_on is worker, "a task is assigned to another worker", task, worker)
    for task in worker.long_running:
        _require(task in worker.processing, "a long-running task is not assigned to its worker", task, worker)
    occupancy = sum(worker.processing.values())
    _require(
        abs(worker.occupancy - occupancy) < 1e-6, "a worker's occupancy is wrong", worker, worker.occupancy, occupancy
    )
    for task in worker.has_what:
        _require(
            state.tasks.get(task.key) is task, "a worker holds the result of a task that is not live", task, worker
        )
        _require(worker in task.who_has, "a task does not list a worker that holds its result", task, worker)
    actors = sum(task.options.actor for task in (*worker.processing, *worker.has_what))
    _require(worker.actors == actors, "a worker's number of actors is wrong", worker, worker.actors, actors)
    nbytes = sum(task.nbytes for task in worker.has_what)
    _require(worker.nbytes == nbytes, "a worker's number of bytes is wrong", worker, worker.nbytes, nbytes)
    used: Counter[str] = Counter()
    for task in worker.processing:
        used.update(task.options.resources)
    for name, amount in worker.used_resources.items():
        _require(
            abs(amount - used[name]) < 1e-6, "a worker's used resources are wrong", worker, name, amount, used[name]
        )


def _check_clients(state: SchedulerState) -> None:
    for client in state.clients.values():
        for task in client.wants:
            _require(state.tasks.get(task.key) is task, "a client wants a task that is not live", task, client)
            _require(client in task.wanted_by, "a task does not list a client that wants it", task, client)
        for record in client.graphs.values():
            for task in record.tasks:
                live = state.tasks.get(task.key) is task
                _require(
                    live or record not in (*task.pins, *task.kept), "a graph pins a task that is not live", task, client
                )


def _check_output_bytes(state: SchedulerState) -> None:
    held: Counter[str] = Counter()
    for task in state.tasks.values():
        if task.state == MEMORY:
            held[task.group.prefix.name] += max(task.nbytes, 0)
    for name, prefix in state.prefixes.items():
        _require(prefix.output_bytes == held[name], "the bytes of a prefix's results are wrong", name)


def _check_groups(state: SchedulerState) -> None:
    _check_output_bytes(state)
    counts: dict[str, Counter[str]] = {}
    for task in state.tasks.values():
        _require(state.groups.get(task.group.name) is task.group, "a task's group was dropped", task)
        counts.setdefault(task.group.name, Counter())[task.state] += 1
    _require(counts.keys() == state.groups.keys(), "a group has no tasks", counts.keys() ^ state.groups.keys())
    for name, group in state.groups.items():
        actual = {state_name: count for state_name, count in group.counts.items() if count}
        actual.pop("forgotten", None)
        _require(actual == dict(counts[name]), "the state counts of a group are wrong", name, actual, counts[name])
        _require(group.live == sum(actual.values()), "the number of live tasks of a group is wrong", name, group.live)
    groups = Counter(group.prefix.name for group in state.groups.values())
    for name, prefix in state.prefixes.items():
        _require(prefix.groups == groups[name], "a prefix's number of groups is wrong", name)
        _require(
            (name in state.idle_prefixes) == (not prefix.groups),
            "a prefix is idle if and only if it has no groups",
            name,
        )


def _check_expected(state: SchedulerState) -> None:
    for key, clients in state.unknown_keys.items():
        _require(key not in state.tasks, "a live task's key is listed as unknown", key)
        _require(bool(clients), "an unknown key is listed that no client waits for", key)
        for client in clients:
            _require(state.clients.get(client.name) is client, "a removed client waits for an unknown key", key, client)


def _check_steals(state: SchedulerState) -> None:
    for task, steal in state.steals.pending.items():
        _require(state.tasks.get(task.key) is task, "a steal is pending for a task that is not live", task)
        _require(
            task.processing_on is steal.victim,
            "a steal is pending on a worker that does not have the task",
            task,
            steal.victim,
        )
        _require(not task.options.actor, "a steal is pending for an actor", task)


def _check_shared(state: SchedulerState) -> None:
    references: Counter[bytes] = Counter()
    for task in state.tasks.values():
        references.update(task.shared)
    for client in state.clients.values():
        references.update(client.held_shared.keys())
        for record in client.graphs.values():
            references.update(record.shared.keys())
    values = state.shared_blobs.values
    _require(
        references.keys() == values.keys(), "the shared blobs are listed wrongly", references.keys() ^ values.keys()
    )
    for digest, shared in values.items():
        _require(
            shared.references == references[digest], "a blob's number of references is wrong", digest, shared.references
        )
        for worker in shared.workers:
            _require(digest in worker.known_shared, "a worker does not list a blob that it was sent", worker, digest)
    for worker in state.workers.values():
        for digest in worker.known_shared:
            _require(worker in values[digest].workers, "a worker lists a blob that was dropped", worker, digest)


def _check_filled(state: SchedulerState) -> None:
    """No thread is idle while a task that it could run is queued."""
    found = state.queueing.idle_slot()
    _require(found is None, "a worker has a free slot for a queued task", *(found or ()))
