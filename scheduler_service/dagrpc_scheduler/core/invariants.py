"""What holds between any two events. Checked in tests, where a violation names the task and what is wrong with it."""

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
    """The state contradicts itself: a bug of the scheduler."""


def check(state: SchedulerState, *, filled: bool = False) -> None:
    """Raise `InvariantViolation` if the state contradicts itself.

    `filled` says that the workers' room has just been filled from the queue.
    """
    _require(not state.recommendations, "recommendations are left", state.recommendations)
    _require(not state.ready, "ready tasks are left", state.ready)
    _require(not state.complete_graphs, "complete graphs are left", state.complete_graphs)
    _require(not state.refresh, "refreshes are left", state.refresh)
    records = [record for client in state.clients.values() for record in client.graphs.values()]
    pinned = {record: frozenset(record.tasks) for record in records}
    for key, task in state.tasks.items():
        _require(task.key == key, "wrong key", task, key)
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
    _require(len(set(task.dependencies)) == len(task.dependencies), "a dependency occurs twice", task)
    for dependency in task.dependencies:
        _require(state.tasks.get(dependency.key) is dependency, "a dependency is not live", task, dependency)
        _require(task in (dependency.dependents or ()), "a dependency does not know its dependent", task, dependency)
    _require(task.dependents is None or bool(task.dependents), "an empty collection of dependents", task)
    for dependent in task.dependents or ():
        _require(state.tasks.get(dependent.key) is dependent, "a dependent is not live", task, dependent)
        _require(task in dependent.dependencies, "a dependent does not know its dependency", task, dependent)
    _require((len(task.who_has) > 1) == (task in state.replicated), "listed iff there are several copies", task)
    for worker in task.who_has:
        _require(state.workers.get(worker.address) is worker, "held by a worker that is gone", task, worker)
        _require(task in worker.has_what, "a holder does not know that it is one", task, worker)
    for client in task.wanted_by:
        _require(state.clients.get(client.name) is client, "wanted by a client that is gone", task, client)
        _require(task in client.wants, "a client does not know that it wants a task", task, client)


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
    _require(not missing, "tasks depend on each other", *missing)


def _check_needs(task: TaskState, pinned: Mapping[GraphRecord, frozenset[TaskState]]) -> None:
    waiters = sum(dependent.state in ACTIVE for dependent in task.dependents or ())
    _require(task.waiters == waiters, "wrong number of waiters", task, task.waiters, waiters)
    _require(len(set(task.pins)) == len(task.pins), "pinned twice by one graph", task)
    for record in task.pins:
        _require(record in pinned, "pinned by a graph that is complete, or gone", task, record)
        _require(task in pinned[record], "a graph does not know that it pins a task", task, record)
    _require(len(set(task.kept)) == len(task.kept), "kept twice by one graph", task)
    for record in task.kept:
        _require(record in pinned, "kept by a graph that is complete, or gone", task, record)
        _require(task in pinned[record], "a graph does not know that it keeps a task", task, record)
    needed = is_needed(task)
    if task.state in ACTIVE or task.state == MEMORY:
        _require(needed, "not needed, but not released", task)
    else:
        kept = bool(task.dependents or task.kept)
        _require(needed or kept, "not needed by anything, but not forgotten", task)
        _require(task.state == ERRED or not needed, "needed, but released", task)


def _check_state(state: SchedulerState, task: TaskState) -> None:
    name = task.state
    _require((name == MEMORY) == bool(task.who_has), "in memory iff somebody holds it", task, task.who_has)
    _require((name == PROCESSING) == (task.processing_on is not None), "processing iff on a worker", task)
    _require((name == ERRED) == (task.error is not None), "in error iff there is a reason", task)
    _require((name == NO_WORKER) == (task in state.unrunnable), "no-worker iff listed as unrunnable", task)
    missing = sum(dependency.state != MEMORY for dependency in task.dependencies)
    if name == WAITING:
        _require(task.missing == missing, "wrong number of missing dependencies", task, task.missing, missing)
        if task.work is None:
            _require(task in state.pending_scatters, "waits for data that nobody announced", task)
        else:
            _require(missing > 0, "waits for nothing", task)
        for dependency in task.dependencies:
            expected = dependency.state in ACTIVE or dependency.state == MEMORY
            _require(expected, "waits for something that will not come", task, dependency)
    elif name in ACTIVE:
        _require(not missing, "assigned or parked, but a dependency is missing", task)
    if name != WAITING:
        _require(task.missing == 0, "counts missing dependencies", task)
    if name in ACTIVE and task.work is None:
        _require(name == WAITING, "data is to be computed", task)
    if name == NO_WORKER:
        _require(not allowed_workers(state, task.options).workers, "there is a worker that may run it", task)
    if name == ERRED and task.error is not None and task.error.origin_key != task.key:
        failed = any(dependency.state == ERRED for dependency in task.dependencies)
        _require(failed, "blames a dependency, and none is in error", task)


def _check_runs(state: SchedulerState) -> None:
    runs = {task.run_id: task for task in state.tasks.values() if task.state == PROCESSING}
    _require(state.runs == runs, "wrong collection of runs", state.runs, runs)


def _check_collections(state: SchedulerState) -> None:
    queued = [task for task in state.tasks.values() if task.state == QUEUED]
    _require(state.queue.size == len(queued), "wrong size of the queue", state.queue.size, queued)
    _require(set(state.queue.tasks()) == set(queued), "wrong tasks in the queue", queued)
    for task in state.replicated:
        _require(state.tasks.get(task.key) is task, "held by several, but not live", task)
    for task in state.unrunnable:
        _require(state.tasks.get(task.key) is task, "unrunnable, but not live", task)
    for task, announcers in state.pending_scatters.items():
        _require(state.tasks.get(task.key) is task, "announced, but not live", task)
        _require(task.work is None and task.state == WAITING, "announced, but not waited for", task)
        _require(bool(announcers), "announced by nobody", task)
        for client, places in announcers.items():
            _require(state.clients.get(client.name) is client, "announced by a client that is gone", task, client)
            _require(places <= set(state.workers), "announced for a worker that is gone", task, places)


def _check_workers(state: SchedulerState) -> None:
    lookahead_seconds, now = state.config.lookahead_seconds, state.now
    running = {worker for worker in state.workers.values() if worker.status == "running"}
    _require(set(state.running) == running, "wrong collection of running workers", running)
    _require(state.total_nthreads == sum(worker.nthreads for worker in running), "wrong number of threads", running)
    for address, worker in state.workers.items():
        _require(worker.address == address, "wrong address", worker, address)
        _require(worker in state.hosts[worker.host], "a host does not know its worker", worker)
        away = worker.status == DISCONNECTED
        _require(away == bool(worker.status_on_return), "disconnected iff it has a status to return to", worker)
        _require(away or worker.unreachable_for is None, "doubted, but connected", worker)
        _require(worker.identity not in state.removed_workers, "there and departed", worker)
        fullness = fullness_of(worker, now, lookahead_seconds)
        for index, load in ((state.by_load, load_of(worker, now)), (state.by_free_slots, fullness)):
            _require((worker in index) == (worker in running), "in the index iff running", worker)
            if worker in running and worker not in index.lowered:
                _require(index.known_load(worker) <= load, "less to do than the index says", worker, load)
        _check_worker_tasks(state, worker)
    _require(len(state.loss_reasons) <= LOSS_REASONS_KEPT, "too many departed workers", len(state.loss_reasons))
    for name, worker in state.aliases.items():
        _require(worker.name == name, "wrong alias", worker, name)
        _require(state.workers.get(worker.address) is worker, "the name of a worker that is gone", worker)


def _check_worker_tasks(state: SchedulerState, worker: WorkerState) -> None:
    for task in worker.processing:
        _require(state.tasks.get(task.key) is task, "processing, but not live", task, worker)
        _require(task.processing_on is worker, "processing elsewhere", task, worker)
    for task in worker.long_running:
        _require(task in worker.processing, "long-running, but not processing", task, worker)
    occupancy = sum(worker.processing.values())
    _require(abs(worker.occupancy - occupancy) < 1e-6, "wrong occupancy", worker, worker.occupancy, occupancy)
    for task in worker.has_what:
        _require(state.tasks.get(task.key) is task, "held, but not live", task, worker)
        _require(worker in task.who_has, "a task does not know its holder", task, worker)
    actors = sum(task.options.actor for task in (*worker.processing, *worker.has_what))
    _require(worker.actors == actors, "wrong number of actors", worker, worker.actors, actors)
    nbytes = sum(task.nbytes for task in worker.has_what)
    _require(worker.nbytes == nbytes, "wrong number of bytes", worker, worker.nbytes, nbytes)
    used: Counter[str] = Counter()
    for task in worker.processing:
        used.update(task.options.resources)
    for name, amount in worker.used_resources.items():
        _require(abs(amount - used[name]) < 1e-6, "wrong resources", worker, name, amount, used[name])


def _check_clients(state: SchedulerState) -> None:
    for client in state.clients.values():
        for task in client.wants:
            _require(state.tasks.get(task.key) is task, "wanted, but not live", task, client)
            _require(client in task.wanted_by, "a task does not know who wants it", task, client)
        for record in client.graphs.values():
            for task in record.tasks:
                live = state.tasks.get(task.key) is task
                _require(live or record not in (*task.pins, *task.kept), "pinned, but not live", task, client)


def _check_groups(state: SchedulerState) -> None:
    counts: dict[str, Counter[str]] = {}
    for task in state.tasks.values():
        _require(state.groups.get(task.group.name) is task.group, "its group is gone", task)
        counts.setdefault(task.group.name, Counter())[task.state] += 1
    _require(counts.keys() == state.groups.keys(), "a group without tasks", counts.keys() ^ state.groups.keys())
    for name, group in state.groups.items():
        actual = {state_name: count for state_name, count in group.counts.items() if count}
        actual.pop("forgotten", None)
        _require(actual == dict(counts[name]), "wrong counts of a group", name, actual, counts[name])
        _require(group.live == sum(actual.values()), "wrong size of a group", name, group.live)
    groups = Counter(group.prefix.name for group in state.groups.values())
    for name, prefix in state.prefixes.items():
        _require(prefix.groups == groups[name], "wrong number of groups of a prefix", name)
        _require((name in state.idle_prefixes) == (not prefix.groups), "idle iff without groups", name)


def _check_expected(state: SchedulerState) -> None:
    for key, clients in state.unknown_keys.items():
        _require(key not in state.tasks, "a key is expected that is there", key)
        _require(bool(clients), "nobody expects a key", key)
        for client in clients:
            _require(state.clients.get(client.name) is client, "a client that is gone expects a key", key, client)


def _check_steals(state: SchedulerState) -> None:
    for task, steal in state.steals.pending.items():
        _require(state.tasks.get(task.key) is task, "asked for, but not live", task)
        _require(task.processing_on is steal.victim, "asked for where it is not", task, steal.victim)
        _require(not task.options.actor, "an actor is to be moved", task)


def _check_shared(state: SchedulerState) -> None:
    references: Counter[bytes] = Counter()
    for task in state.tasks.values():
        references.update(task.shared)
    for client in state.clients.values():
        references.update(client.held_shared.keys())
        for record in client.graphs.values():
            references.update(record.shared.keys())
    values = state.shared_blobs.values
    _require(references.keys() == values.keys(), "wrong shared values", references.keys() ^ values.keys())
    for digest, shared in values.items():
        _require(shared.references == references[digest], "wrong number of references", digest, shared.references)
        for worker in shared.workers:
            _require(digest in worker.known_shared, "a worker does not know that it knows a value", worker, digest)
    for worker in state.workers.values():
        for digest in worker.known_shared:
            _require(worker in values[digest].workers, "a worker knows a value that is gone", worker, digest)


def _check_filled(state: SchedulerState) -> None:
    """No thread is idle while a task that it could run is queued."""
    found = state.queueing.idle_slot()
    _require(found is None, "there is room for a queued task", *(found or ()))
