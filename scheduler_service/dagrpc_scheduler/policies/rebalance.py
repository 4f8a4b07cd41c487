"""Moves of results that even out the memory use of workers."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dagrpc_scheduler.core.model import RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import can_gain, is_used_on


@dataclass(slots=True, frozen=True)
class Limits:
    """Limits as fractions of a worker's memory limit."""

    sender_min: float = 0.30
    """A worker that uses less keeps its results."""
    recipient_max: float = 0.60
    """A worker that uses more receives nothing."""
    gap: float = 0.10
    """Width of the band around the mean in which workers are left alone."""


@dataclass(slots=True, frozen=True)
class Move:
    """A move of a result to another worker."""

    task: TaskState
    sender: WorkerState
    recipient: WorkerState


@dataclass(slots=True)
class _Bounds:
    """The bounds of a worker's memory use, in bytes."""

    send_above: float
    send_to: float
    receive_below: float
    receive_to: float


def moves(
    workers: Sequence[WorkerState],
    memory: Mapping[WorkerState, int],
    keys: Collection[str] | None = None,
    limits: Limits = Limits(),
) -> list[Move]:
    """Return the moves after which the workers use about the same amount of memory.

    Workers far above the mean send the results that they have held longest to the workers farthest below it, until no
    worker is far from it. A worker never receives a second copy of a result, nor one that would fill it too much.
    Results that tasks on the sender are about to use stay. `memory` has the bytes that each worker uses; `keys`
    restricts which results may move.
    """
    if len(workers) < 2:
        return []
    mean = sum(memory[worker] for worker in workers) / len(workers)
    bounds = {worker: _bounds(worker, mean, limits) for worker in workers}
    use = {worker: float(memory[worker]) for worker in workers}
    senders = [(-use[each], index, each) for index, each in enumerate(workers) if use[each] > bounds[each].send_above]
    recipients = [
        (use[each], index, each)
        for index, each in enumerate(workers)
        if use[each] < bounds[each].receive_below and each.status == RUNNING
    ]
    heapq.heapify(senders)
    heapq.heapify(recipients)
    movable: dict[WorkerState, Iterator[TaskState]] = {}
    given: dict[TaskState, set[WorkerState]] = {}
    found: list[Move] = []
    while senders and recipients:
        _, index, sender = heapq.heappop(senders)
        results = movable.setdefault(sender, _movable(sender, keys))
        task = next(results, None)
        if task is None:
            continue
        recipient = None
        # A smaller gap would be reversed by the move, and the result would come back next time.
        if use[sender] - task.nbytes >= bounds[sender].send_to:
            recipient = _take(recipients, task, use, bounds, given.setdefault(task, set()))
        if recipient is not None:
            found.append(Move(task, sender, recipient))
            use[sender] -= task.nbytes
        if use[sender] > bounds[sender].send_above:
            heapq.heappush(senders, (-use[sender], index, sender))
    return found


def _bounds(worker: WorkerState, mean: float, limits: Limits) -> _Bounds:
    limit = worker.memory_limit
    if not limit:
        # Without a limit, the fractions have no meaning.
        return _Bounds(mean, mean, mean, mean)
    half = limits.gap / 2 * limit
    full = limits.recipient_max * limit
    return _Bounds(
        send_above=max(mean + half, limits.sender_min * limit),
        send_to=mean - half,
        receive_below=min(mean - half, full),
        receive_to=min(mean + half, full),
    )


def _movable(sender: WorkerState, keys: Collection[str] | None) -> Iterator[TaskState]:
    """Yield the results that a worker can give away, the one held longest first."""
    for task in list(sender.has_what):
        if keys is not None and task.key not in keys:
            continue
        if task.nbytes > 0 and not task.options.actor and not (task.waiters and is_used_on(task, sender)):
            yield task


def _take(
    recipients: list[tuple[float, int, WorkerState]],
    task: TaskState,
    use: dict[WorkerState, float],
    bounds: Mapping[WorkerState, _Bounds],
    given: set[WorkerState],
) -> WorkerState | None:
    """Return the recipient that uses least memory and can take a result, and count the result as its own."""
    passed = []
    chosen = None
    while recipients and chosen is None:
        entry = heapq.heappop(recipients)
        _, index, worker = entry
        fits = use[worker] + task.nbytes <= bounds[worker].receive_to
        if fits and worker not in given and can_gain(task, worker):
            chosen = worker
            given.add(worker)
            use[worker] += task.nbytes
            if use[worker] < bounds[worker].receive_below:
                passed.append((use[worker], index, worker))
        else:
            passed.append(entry)
    for entry in passed:
        heapq.heappush(recipients, entry)
    return chosen
