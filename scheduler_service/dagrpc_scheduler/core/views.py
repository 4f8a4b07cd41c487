"""Copies of the facts in the state, for clients and plugins; changing a copy does not change the state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from dagrpc._common.histogram import Histogram
from dagrpc_scheduler.core import restrictions, worker_shortage
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import (
    FORGOTTEN,
    RUNNING,
    STATES,
    Priority,
    StateName,
    TaskGroup,
    TaskState,
    WorkerState,
)
from dagrpc_scheduler.core.policy import Account
from dagrpc_scheduler.core.story import StoryEntry
from dagrpc_scheduler.core.worker_shortage import Shortage


class UnknownWorkerError(LookupError):
    """No worker of the cluster has this address, name or host."""

    def __init__(self, text: str) -> None:
        """Make the error for the text that was looked up."""
        super().__init__(f"no worker has the address, the name or the host {text!r}")
        self.text = text


@dataclass(slots=True)
class TaskInfo:
    """The facts about a task at one moment."""

    key: str
    state: StateName
    prefix: str
    group: str
    priority: Priority
    dependencies: tuple[str, ...]
    dependents: tuple[str, ...]
    wanted_by: tuple[str, ...]
    """Ids of the clients that want the result."""
    workers: tuple[str, ...]
    """Addresses of the workers that hold the result."""
    processing_on: str
    """Address of the worker that the task is assigned to; empty: none."""
    run_id: int
    """Number of the latest assignment; 0: the task was never assigned."""
    nbytes: int
    """Size of the result in bytes; 0: it was never computed."""
    type_name: str
    """Type of the result; empty: unknown."""
    retries: int
    """How many more times the task is run again after an exception."""
    suspicious: int
    """Number of workers that died while they ran the task."""
    origin_key: str
    """Key of the task that failed first; empty: the task is not in error."""
    has_work: bool
    """False for scattered data."""


@dataclass(slots=True)
class WorkerInfo:
    """The facts about a worker at one moment."""

    address: str
    name: str
    host: str
    status: str
    nthreads: int
    memory_limit: int
    """In bytes; 0: none."""
    resources: dict[str, float]
    used_resources: dict[str, float]
    nanny: str
    processing: int
    """Number of tasks assigned to the worker."""
    long_running: int
    """Number of assigned tasks that left the worker's thread pool."""
    in_memory: int
    """Number of results that the worker holds."""
    nbytes: int
    """Bytes of these results."""
    occupancy: float
    """Seconds for which the assigned tasks are expected to keep one thread busy."""


@dataclass(slots=True)
class GroupInfo:
    """The facts about a group of tasks at one moment."""

    name: str
    prefix: str
    size: int
    """Number of tasks that were ever in the group."""
    counts: dict[StateName, int]
    """Number of live tasks by state."""
    seconds: float
    """Average seconds of a task of the prefix; negative: unknown."""
    nbytes: float
    """Average bytes of a result of the prefix; negative: unknown."""


def who_has(core: SchedulerCore, keys: Iterable[str] | None = None) -> list[tuple[str, int, tuple[str, ...]]]:
    """Return key, size in bytes and holders of results: of the given keys, known or not, or of all in memory."""
    tasks = core.state.tasks
    if keys is None:
        return [(task.key, task.nbytes, _addresses(task.who_has)) for task in tasks.values() if task.who_has]
    found = []
    for key in keys:
        task = tasks.get(key)
        found.append((key, max(task.nbytes, 0), _addresses(task.who_has)) if task is not None else (key, 0, ()))
    return found


def has_what(core: SchedulerCore, workers: Iterable[str] | None = None) -> dict[str, list[str]]:
    """Return the keys of the results that workers hold, by address; empty for unknown addresses."""
    return {address: _keys(worker.has_what) if worker else [] for address, worker in _select(core, workers)}


def processing(core: SchedulerCore, workers: Iterable[str] | None = None) -> dict[str, list[str]]:
    """Return the keys of the tasks that are assigned to workers, by address; empty for unknown addresses."""
    return {address: _keys(worker.processing) if worker else [] for address, worker in _select(core, workers)}


def nbytes(core: SchedulerCore, keys: Iterable[str] | None = None) -> dict[str, int]:
    """Return the sizes of results in bytes: of the given keys as far as known, or of all results in memory."""
    tasks = core.state.tasks
    if keys is None:
        return {task.key: task.nbytes for task in tasks.values() if task.who_has}
    return {key: tasks[key].nbytes for key in keys if key in tasks and tasks[key].nbytes >= 0}


def lost_with(core: SchedulerCore, address: str) -> tuple[list[str], list[str]]:
    """Return the keys of results that only this worker holds: those that can be recomputed, and scattered data."""
    worker = core.state.workers.get(address)
    computed: list[str] = []
    scattered: list[str] = []
    for task in worker.has_what if worker is not None else ():
        if len(task.who_has) == 1:
            (scattered if task.work is None else computed).append(task.key)
    return computed, scattered


def loss_reasons(core: SchedulerCore) -> dict[str, str]:
    """Return why the latest lost workers were lost, by address, oldest first."""
    return dict(core.state.loss_reasons)


def shortage_now(core: SchedulerCore) -> Shortage | None:
    """Return the number of ready tasks that no worker may run; None: there are none."""
    return worker_shortage.shortage(core.state)


def who_waits_for_workers(core: SchedulerCore) -> list[str]:
    """Return the clients that wait for tasks which no worker may run."""
    return worker_shortage.who_waits(core.state)


def why_nobody_works(core: SchedulerCore, seconds: float) -> str:
    """Return in words why the first task that no worker may run has not been run for so many seconds."""
    return worker_shortage.why_nobody(core.state, seconds)


def would_give_up(core: SchedulerCore, address: str) -> bool:
    """Tell whether a task on the worker would be given up if the worker died now."""
    worker = core.state.workers.get(address)
    allowed = core.state.config.allowed_failures
    return worker is not None and any(task.suspicious >= allowed for task in worker.processing)


def holds_actors(core: SchedulerCore, worker: str) -> bool:
    """Tell whether a worker holds or creates an actor, which cannot be moved."""
    state = core.state.workers.get(worker)
    return state is not None and state.actors > 0


def tasks(
    core: SchedulerCore, keys: Iterable[str] | None = None, limit: int | None = None, state: str = ""
) -> list[TaskInfo]:
    """Return tasks: the known ones of the given keys, or all; only those in `state`, if given; at most `limit`."""
    known = core.state.tasks
    found = known.values() if keys is None else [known[key] for key in keys if key in known]
    wanted = (task for task in found if not state or task.state == state)
    return [_task_info(task) for task in islice(wanted, limit)]


def task_info(core: SchedulerCore, key: str) -> TaskInfo | None:
    """Return the facts about a task; None: it is unknown."""
    task = core.state.tasks.get(key)
    return _task_info(task) if task is not None else None


def state_counts(core: SchedulerCore) -> dict[str, int]:
    """Return the number of live tasks by state."""
    return _sum_counts(core.state.groups.values())


def prefix_counts(core: SchedulerCore) -> dict[str, dict[str, int]]:
    """Return the number of live tasks by prefix and state."""
    groups: dict[str, list[TaskGroup]] = {}
    for group in core.state.groups.values():
        groups.setdefault(group.prefix.name, []).append(group)
    return {name: _sum_counts(members) for name, members in groups.items()}


def groups(core: SchedulerCore) -> list[GroupInfo]:
    """Return all groups."""
    return [
        GroupInfo(
            group.name,
            group.prefix.name,
            group.size,
            dict(group.counts),
            group.prefix.duration,
            group.prefix.nbytes,
        )
        for group in core.state.groups.values()
    ]


def durations(core: SchedulerCore) -> dict[str, float]:
    """Return the average seconds of a task by prefix, as far as known."""
    return {name: prefix.duration for name, prefix in core.state.prefixes.items() if prefix.duration >= 0}


@dataclass(slots=True)
class PrefixTotals:
    """The work of all tasks of a prefix since the prefix was first seen."""

    states: dict[StateName, int]
    """How often tasks have entered each state."""
    compute_seconds: float
    """Sum of the seconds of all runs that yielded a result."""
    output_bytes: int
    """Bytes of the results in memory now, each counted once."""
    suspicious: int
    """How often a worker died while it had one of the tasks."""
    durations: Histogram
    """Seconds of the runs that yielded a result."""
    waits: Histogram
    """Seconds from when these runs could begin until their results were there, without the runs themselves."""


def prefix_totals(core: SchedulerCore) -> dict[str, PrefixTotals]:
    """Return the work of all tasks so far by prefix."""
    return {
        name: PrefixTotals(
            dict(prefix.totals),
            prefix.compute_seconds,
            prefix.output_bytes,
            prefix.suspicious,
            prefix.durations.copy(),
            prefix.waits.copy(),
        )
        for name, prefix in core.state.prefixes.items()
    }


def losses(core: SchedulerCore) -> dict[str, int]:
    """Return how many workers were lost, and how many tasks were given up or forgotten, since the start."""
    state = core.state
    return {"workers": state.lost_workers, "killed": state.killed_tasks, "forgotten": state.forgotten_tasks}


def workers(core: SchedulerCore) -> list[WorkerInfo]:
    """Return all workers in the order in which they joined."""
    return [_worker_info(worker) for worker in core.state.workers.values()]


def worker_info(core: SchedulerCore, address: str) -> WorkerInfo | None:
    """Return the facts about a worker; None: it is unknown."""
    worker = core.state.workers.get(address)
    return _worker_info(worker) if worker is not None else None


def worker_status(core: SchedulerCore, address: str) -> tuple[str, float]:
    """Return a worker's status, and the seconds for which its tasks are expected to keep one thread busy."""
    worker = core.state.workers.get(address)
    return (worker.status, worker.occupancy) if worker is not None else ("closed", 0.0)


def is_address_taken(core: SchedulerCore, address: str) -> bool:
    """Tell whether a worker with this address is in the cluster."""
    return address in core.state.workers


def is_name_taken(core: SchedulerCore, name: str) -> bool:
    """Tell whether a worker with this name is in the cluster."""
    return name in core.state.aliases


def resolve_workers(core: SchedulerCore, texts: Iterable[str]) -> list[str]:
    """Return the addresses of the workers with these addresses, names or hosts, each once."""
    addresses: dict[str, None] = {}
    for text in texts:
        found = restrictions.resolve(core.state, text)
        if not found:
            raise UnknownWorkerError(text)
        for worker in found:
            addresses[worker.address] = None
    return list(addresses)


def place_data(
    core: SchedulerCore, sizes: Sequence[int], workers: Iterable[str], copies: int = 0
) -> list[tuple[str, ...]]:
    """Return, for each piece of data, the workers out of `workers` that a client should upload it to.

    The pieces go round the workers, the one that holds least first; each worker gets as many consecutive pieces as it
    has threads. `copies` is the number of workers for each piece: 0 means one, a negative number all. Without a running
    worker, each piece gets an empty tuple.
    """
    known = core.state.workers
    candidates = [known[address] for address in dict.fromkeys(workers) if address in known]
    candidates = sorted(
        (worker for worker in candidates if worker.status == RUNNING and worker.abilities.takes_code),
        key=lambda w: w.nbytes,
    )
    if not candidates:
        return [()] * len(sizes)
    count = len(candidates) if copies < 0 else min(max(copies, 1), len(candidates))
    turns = [index for index, worker in enumerate(candidates) for _ in range(worker.nthreads)]
    # Announced data does not count as held before it arrives, but it took its turns.
    first = len(core.state.pending_scatters)
    places = []
    for number in range(len(sizes)):
        start = turns[(first + number) % len(turns)]
        places.append(tuple([candidates[(start + step) % len(candidates)].address for step in range(count)]))
    return places


def running_workers(core: SchedulerCore) -> list[str]:
    """Return the addresses of the running workers."""
    return [worker.address for worker in core.state.workers.values() if worker.status == RUNNING]


def wanted_keys(core: SchedulerCore, client: str) -> list[str]:
    """Return the keys of the results that a client wants; empty if the client is unknown."""
    known = core.state.clients.get(client)
    return _keys(known.wants) if known is not None else []


def wanted_states(core: SchedulerCore, client: str) -> dict[str, int]:
    """Return the number of results that a client wants, by the state of the task."""
    known = core.state.clients.get(client)
    return dict(Counter(task.state for task in known.wants)) if known is not None else {}


def clients(core: SchedulerCore) -> list[str]:
    """Return the ids of the clients."""
    return list(core.state.clients)


def progress_of(core: SchedulerCore, key: str, now: float) -> tuple[str, str]:
    """Return the state of a task, empty if it is unknown, and why no worker may run it, empty if that is not so."""
    task = core.state.tasks.get(key)
    if task is None:
        return "", ""
    since = core.state.unrunnable.get(task)
    why = "" if since is None else worker_shortage.why_nobody(core.state, max(now - since, 0.0), task)
    return task.state, why


def work_of(core: SchedulerCore, key: str) -> Any:
    """Return the work of a task, opaque; None if it has none or is unknown."""
    task = core.state.tasks.get(key)
    return None if task is None else task.work


def queued_count(core: SchedulerCore) -> int:
    """Return the number of tasks in state queued."""
    return core.state.queue.size


def unrunnable(core: SchedulerCore) -> dict[str, float]:
    """Return the keys of the tasks that no worker may run, and since when."""
    return {task.key: since for task, since in core.state.unrunnable.items()}


def stealing(core: SchedulerCore) -> dict[str, float]:
    """Return the counts of requests to give tasks back, and of their outcomes."""
    book = core.state.steals
    return {
        "requested": book.requested,
        "requested_seconds": book.requested_seconds,
        "confirmed": book.confirmed,
        "refused": book.refused,
        "pending": sum(not steal.refused for steal in book.pending.values()),
    }


def accounts(core: SchedulerCore) -> Mapping[str, Account] | None:
    """Return what each client has had under fair share, by id (empty: clients that are gone); None: it is off."""
    return core.state.queueing.accounts()


def total_occupancy(core: SchedulerCore) -> float:
    """Return the seconds for which all assigned and queued tasks are expected to keep one thread busy."""
    unknown = core.state.config.unknown_task_duration
    queued = 0.0
    for group in core.state.groups.values():
        seconds = group.prefix.duration if group.prefix.duration >= 0 else unknown
        queued += seconds * (group.counts["queued"] + group.counts["no-worker"])
    return queued + sum(worker.occupancy for worker in core.state.workers.values())


def story(core: SchedulerCore, keys_or_stimuli: Iterable[str] | None = None) -> list[StoryEntry]:
    """Return the transitions that are kept: of these tasks, or caused by these stimuli, or all."""
    return core.state.story.all() if keys_or_stimuli is None else core.state.story.of(keys_or_stimuli)


def _select(core: SchedulerCore, addresses: Iterable[str] | None) -> list[tuple[str, WorkerState | None]]:
    known = core.state.workers
    if addresses is None:
        return list(known.items())
    return [(address, known.get(address)) for address in addresses]


def _addresses(holders: tuple[WorkerState, ...]) -> tuple[str, ...]:
    return tuple([holder.address for holder in holders])


def _keys(tasks: Iterable[TaskState]) -> list[str]:
    return [task.key for task in tasks]


def _sum_counts(groups: Iterable[TaskGroup]) -> dict[str, int]:
    totals: Counter[str] = Counter(dict.fromkeys(STATES, 0))
    for group in groups:
        totals.update(group.counts)
    del totals[FORGOTTEN]
    return dict(totals)


def _task_info(task: TaskState) -> TaskInfo:
    return TaskInfo(
        key=task.key,
        state=task.state,
        prefix=task.group.prefix.name,
        group=task.group.name,
        priority=task.priority,
        dependencies=tuple(_keys(task.dependencies)),
        dependents=tuple(_keys(task.dependents or ())),
        wanted_by=tuple([client.name for client in task.wanted_by]),
        workers=_addresses(task.who_has),
        processing_on=task.processing_on.address if task.processing_on is not None else "",
        run_id=task.run_id,
        nbytes=max(task.nbytes, 0),
        type_name=task.type_name,
        retries=task.retries,
        suspicious=task.suspicious,
        origin_key=task.error.origin_key if task.error is not None else "",
        has_work=task.work is not None,
    )


def _worker_info(worker: WorkerState) -> WorkerInfo:
    return WorkerInfo(
        address=worker.address,
        name=worker.name,
        host=worker.host,
        status=worker.status,
        nthreads=worker.nthreads,
        memory_limit=worker.memory_limit,
        resources=dict(worker.resources),
        used_resources=dict(worker.used_resources),
        nanny=worker.nanny,
        processing=len(worker.processing),
        long_running=len(worker.long_running),
        in_memory=len(worker.has_what),
        nbytes=worker.nbytes,
        occupancy=worker.occupancy,
    )
