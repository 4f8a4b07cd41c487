"""Results are copied to workers, or moved between them, because somebody asked for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from dagrpc import config
from dagrpc.exceptions import InvalidRequestError, NoWorkersError
from dagrpc_scheduler.core.events import ReplicasPlanned
from dagrpc_scheduler.core.model import MEMORY, RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import is_safe
from dagrpc_scheduler.policies import rebalance as policy
from dagrpc_scheduler.shell.memory.worker_memory import checked_measure, measured

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

PATIENCE = 300.0
"""Seconds without any copy arriving after which no more is waited for."""
_ASK_AGAIN = 5.0
"""Seconds after which a worker is asked again for what it has not fetched: it is of no harm if it is about to."""
_LOOK = 0.02


class _Patience:
    """Wears out while nothing arrives."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._left = -1

    def is_over(self, left: int) -> bool:
        """Tell whether as much as before is left to arrive, and has been for long."""
        now = time.monotonic()
        if left != self._left:
            self._left, self._last = left, now
        return now - self._last > PATIENCE


class _Copying:
    """Copies results to workers, each from few others at a time.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    workers : list of str
        Addresses of those that may hold the copies.
    copies : int
        How many of them each result is to be on; 0: all.
    branching : int
        How many workers fetch from the same one at a time.
    """

    def __init__(self, service: SchedulerService, workers: list[str], copies: int, branching: int) -> None:
        self._service = service
        self._addresses = workers
        self._copies = copies
        self._branching = branching
        self._asked: dict[TaskState, dict[WorkerState, float]] = {}

    def _workers(self) -> list[WorkerState]:
        known = self._service.core.state.workers
        return [known[address] for address in self._addresses if address in known]

    def advance(self, tasks: Iterable[TaskState]) -> int:
        """Have more copies made; return how many are still missing."""
        state, now = self._service.core.state, time.monotonic()
        plan = self._service.memory_manager.new_plan()
        workers = self._workers()
        takers = {worker for worker in workers if worker.status == RUNNING}
        left = 0
        for task in tasks:
            if task.state != MEMORY or state.tasks.get(task.key) is not task:
                continue
            having = {holder for holder in task.who_has if is_safe(task, holder)}
            place = takers | having.intersection(workers)
            missing = min(self._copies or len(place), len(place)) - len(having.intersection(workers))
            if missing <= 0:
                continue
            left += missing
            asked = self._asked.setdefault(task, {})
            under_way = {
                worker: since
                for worker, since in asked.items()
                if worker in takers and worker not in having and now - since < _ASK_AGAIN
            }
            room = min(missing, self._branching * len(task.who_has)) - len(under_way)
            # Whoever was asked before goes on with it, if it has begun.
            again = [worker for worker in asked if worker in takers and worker not in having]
            for _ in range(room):
                free = {worker for worker in again if worker not in under_way} or takers - under_way.keys()
                chosen = plan.replicate(task, free)
                if chosen is None:
                    break
                under_way[chosen] = now
            self._asked[task] = under_way
        self._service.memory_manager.follow(plan, "replicate")
        return left

    def drop_surplus(self, tasks: Iterable[TaskState]) -> None:
        """Have the copies beyond those that were asked for dropped, but for what somebody else is copying just now."""
        plan = self._service.memory_manager.new_plan()
        workers = set(self._workers())
        for task in tasks:
            surplus = len(workers.intersection(task.who_has)) - self._copies
            while surplus > 0 and plan.drop(task, workers) is not None:
                surplus -= 1
        self._service.memory_manager.follow(plan, "replicate")


async def replicate(
    service: SchedulerService,
    keys: Sequence[str],
    copies: int,
    workers: list[str],
    *,
    branching: int = 2,
    delete: bool = True,
) -> list[str]:
    """Have each result on so many of these workers, and dropped by the others of them.

    Parameters
    ----------
    copies : int
        How many; 0: all of them.
    workers : list of str
        Addresses.
    branching : int
        How many workers fetch a result from the same one at a time.
    delete : bool
        Whether copies beyond that are dropped.

    Returns
    -------
    list of str
        Keys of those that nobody holds.

    Raises
    ------
    NoWorkersError
        If copies do not arrive.
    """
    known = service.core.state.tasks
    tasks = [task for key in dict.fromkeys(keys) if (task := known.get(key)) is not None and task.state == MEMORY]
    found = {task.key for task in tasks}
    # There cannot be another copy of an actor.
    tasks = [task for task in tasks if not task.options.actor]
    copying = _Copying(service, workers, copies, branching)
    patience = _Patience()
    with service.memory_manager.holding(task.key for task in tasks):
        while left := copying.advance(tasks):
            if patience.is_over(left):
                raise NoWorkersError(f"{left} copies of {len(tasks)} results did not arrive within {PATIENCE:g} s")
            await asyncio.sleep(_LOOK)
    if copies and delete:
        copying.drop_surplus(tasks)
    return [key for key in dict.fromkeys(keys) if key not in found]


async def rebalance(
    service: SchedulerService, keys: Collection[str] | None, workers: list[str], stimulus: str = "rebalance"
) -> list[str]:
    """Have results moved so that workers use about the same amount of memory.

    Parameters
    ----------
    keys : collection of str, optional
        What may be moved; anything by default.
    workers : list of str
        Addresses of those to look at.

    Returns
    -------
    list of str
        Keys of what nobody holds, and of what should have moved and did not.
    """
    state = service.core.state
    failed = [key for key in keys or () if key not in state.tasks or state.tasks[key].state != MEMORY]
    setting = "worker.memory.rebalance.measure"
    measure, limits = checked_measure(config.get(setting), setting), _limits()
    wanted = None if keys is None else frozenset(keys)
    undone: list[policy.Move] = []
    # Planned again if a recipient has gone away or was paused meanwhile: once for each of them at most.
    for _ in workers:
        known = [state.workers[address] for address in dict.fromkeys(workers) if address in state.workers]
        moves = policy.moves(known, measured(service, measure), wanted, limits)
        with service.memory_manager.holding(move.task.key for move in moves):
            undone = await _move(service, moves, service.stimulus(stimulus))
        if moves:
            logger.info("Rebalanced: %d results were to move, %d did not", len(moves), len(undone))
        if all(move.recipient.status == RUNNING for move in undone):
            break
    return failed + [move.task.key for move in undone]


def _limits() -> policy.Limits:
    found = []
    for setting in (
        "worker.memory.rebalance.sender-min",
        "worker.memory.rebalance.recipient-max",
        "worker.memory.rebalance.sender-recipient-gap",
    ):
        value = config.get(setting)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InvalidRequestError(f"{setting} is {value!r}; it must be a part of the memory, 0 to 1")
        found.append(float(value))
    return policy.Limits(*found)


async def _move(service: SchedulerService, moves: list[policy.Move], stimulus: str) -> list[policy.Move]:
    """Have results copied, and dropped by their senders once they have arrived. Return the moves not made."""
    patience = _Patience()
    asked = float("-inf")
    left = moves
    undone: list[policy.Move] = []
    while left:
        drops: dict[str, list[str]] = {}
        waiting = []
        for move in left:
            if move.task.state != MEMORY or move.sender not in move.task.who_has:
                continue
            if move.recipient in move.task.who_has and is_safe(move.task, move.recipient):
                drops.setdefault(move.sender.address, []).append(move.task.key)
            elif move.recipient.status == RUNNING:
                waiting.append(move)
            else:
                undone.append(move)
        now = time.monotonic()
        gains: dict[str, list[str]] = {}
        if now - asked > _ASK_AGAIN:
            asked = now
            for move in waiting:
                gains.setdefault(move.recipient.address, []).append(move.task.key)
        if gains or drops:
            service.handle(ReplicasPlanned(gains, drops, stimulus))
        left = waiting
        if left and patience.is_over(len(left)):
            return undone + left
        if left:
            await asyncio.sleep(_LOOK)
    return undone
