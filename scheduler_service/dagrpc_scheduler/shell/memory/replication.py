"""Copies results to workers, or moves them between workers, on request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Sequence

from dagrpc import config
from dagrpc.exceptions import InvalidRequestError, NoWorkersError
from dagrpc_scheduler.core.events import ReplicasPlanned
from dagrpc_scheduler.core.model import MEMORY, RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import is_safe
from dagrpc_scheduler.policies import rebalance as policy
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.memory.replica_planner import ReplicaPlanner
from dagrpc_scheduler.shell.memory.worker_memory import checked_measure, measured
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

logger = logging.getLogger("dagrpc.scheduler")

PATIENCE = 300.0
"""Seconds without any copy arriving after which waiting ends."""
_ASK_AGAIN = 5.0
"""Seconds after which a worker is asked again for what it has not fetched; asking twice does no harm."""
_LOOK = 0.02


class Replication:
    """Carries out `replicate` and `rebalance`."""

    def __init__(self, driver: CoreDriver, peers: ConnectedPeers, planner: ReplicaPlanner) -> None:
        self._driver = driver
        self._peers = peers
        self._planner = planner

    async def replicate(
        self, keys: Sequence[str], copies: int, workers: list[str], *, branching: int = 2, delete: bool = True
    ) -> list[str]:
        """Copy each result to some of these workers; return the keys of results that nobody holds.

        Parameters
        ----------
        copies : int
            How many of the workers are to hold each result; 0: all of them.
        workers : list of str
            Addresses.
        branching : int
            How many workers fetch a result from the same worker at a time.
        delete : bool
            Whether copies beyond `copies` are dropped.

        Raises
        ------
        NoWorkersError
            If copies do not arrive.
        """
        known = self._driver.core.tasks
        tasks = [task for key in dict.fromkeys(keys) if (task := known.get(key)) is not None and task.state == MEMORY]
        found = {task.key for task in tasks}
        # An actor cannot be copied.
        tasks = [task for task in tasks if not task.options.actor]
        copying = _Copying(self._planner, workers, copies, branching)
        patience = _Patience()
        with self._planner.holding(task.key for task in tasks):
            while left := copying.advance(tasks):
                if patience.is_over(left):
                    raise NoWorkersError(f"{left} copies of {len(tasks)} results did not arrive within {PATIENCE:g} s")
                await asyncio.sleep(_LOOK)
        if copies and delete:
            copying.drop_surplus(tasks)
        return [key for key in dict.fromkeys(keys) if key not in found]

    async def rebalance(
        self, keys: Collection[str] | None, workers: list[str], stimulus: str = "rebalance"
    ) -> list[str]:
        """Move results until the workers use about equally much memory.

        Only results of these keys move; None stands for all. Returns the keys of results that nobody holds, and of
        results that were to move and did not.
        """
        state = self._driver.core.state
        failed = [key for key in keys or () if key not in state.tasks or state.tasks[key].state != MEMORY]
        setting = "worker.memory.rebalance.measure"
        measure, limits = checked_measure(config.get(setting), setting), _limits()
        allowed = None if keys is None else frozenset(keys)
        undone: list[policy.Move] = []
        # Planned again if a recipient has left or was paused meanwhile, at most once for each worker.
        for _ in workers:
            known = [state.workers[address] for address in dict.fromkeys(workers) if address in state.workers]
            moves = policy.moves(known, measured(self._driver.core, self._peers, measure), allowed, limits)
            with self._planner.holding(move.task.key for move in moves):
                undone = await self._move(moves, self._driver.stimulus(stimulus))
            if moves:
                logger.info("Rebalanced: %d of %d results moved", len(moves) - len(undone), len(moves))
            if all(move.recipient.status == RUNNING for move in undone):
                break
        return failed + [move.task.key for move in undone]

    async def _move(self, moves: list[policy.Move], stimulus: str) -> list[policy.Move]:
        """Copy results, and drop them from their senders once they have arrived; return the moves not made."""
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
                self._driver.handle(ReplicasPlanned(gains, drops, stimulus))
            left = waiting
            if left and patience.is_over(len(left)):
                return undone + left
            if left:
                await asyncio.sleep(_LOOK)
        return undone


class _Patience:
    """Is over when nothing has arrived for long."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._left = -1

    def is_over(self, left: int) -> bool:
        """Tell whether the number of missing copies has not changed for long."""
        now = time.monotonic()
        if left != self._left:
            self._left, self._last = left, now
        return now - self._last > PATIENCE


class _Copying:
    """Copies results to workers; each worker serves few others at a time."""

    def __init__(self, planner: ReplicaPlanner, workers: list[str], copies: int, branching: int) -> None:
        self._planner = planner
        self._addresses = workers
        self._copies = copies
        self._branching = branching
        self._asked: dict[TaskState, dict[WorkerState, float]] = {}
        """When workers were asked to fetch a result, by result."""

    def _workers(self) -> list[WorkerState]:
        known = self._planner.core.state.workers
        return [known[address] for address in self._addresses if address in known]

    def advance(self, tasks: Iterable[TaskState]) -> int:
        """Ask workers to fetch more copies; return how many copies are still missing."""
        state, now = self._planner.core.state, time.monotonic()
        plan = self._planner.new_plan()
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
            # A worker that was asked before comes first: it may have begun to fetch.
            again = [worker for worker in asked if worker in takers and worker not in having]
            for _ in range(room):
                free = {worker for worker in again if worker not in under_way} or takers - under_way.keys()
                chosen = plan.replicate(task, free)
                if chosen is None:
                    break
                under_way[chosen] = now
            self._asked[task] = under_way
        self._planner.carry_out(plan, "replicate")
        return left

    def drop_surplus(self, tasks: Iterable[TaskState]) -> None:
        """Drop the copies beyond the requested number, except of results that others are copying now."""
        plan = self._planner.new_plan()
        workers = set(self._workers())
        for task in tasks:
            surplus = len(workers.intersection(task.who_has)) - self._copies
            while surplus > 0 and plan.drop(task, workers) is not None:
                surplus -= 1
        self._planner.carry_out(plan, "replicate")


def _limits() -> policy.Limits:
    found = []
    for setting in (
        "worker.memory.rebalance.sender-min",
        "worker.memory.rebalance.recipient-max",
        "worker.memory.rebalance.sender-recipient-gap",
    ):
        value = config.get(setting)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InvalidRequestError(f"{setting} is {value!r}; it must be a fraction of the memory, 0 to 1")
        found.append(float(value))
    return policy.Limits(*found)
