"""A plan of replicas to create and to drop, assembled from single decisions before any is carried out."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Mapping

from dagrpc_scheduler.core.events import ReplicasPlanned
from dagrpc_scheduler.core.model import RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.replica_table import can_drop, can_gain
from dagrpc_scheduler.core.state import SchedulerState

Pending = tuple[set[WorkerState], set[WorkerState]]
"""Workers that will fetch a result, and workers that will drop it."""


class ReplicaPlan:
    """Chooses the workers that fetch replicas of results, or drop theirs.

    The plan does not change the state; `event` returns the decisions for the core. Each decision takes the earlier ones
    into account. `measure` returns the bytes of memory that each worker uses and is called when first needed. Replicas
    of the keys in `exempt` are not dropped. `limit` bounds the number of dropped replicas, so that planning does not
    take long.
    """

    def __init__(
        self,
        state: SchedulerState,
        measure: Callable[[], Mapping[WorkerState, int]],
        exempt: Collection[str] = frozenset(),
        limit: int | None = None,
    ) -> None:
        self.state = state
        self.pending: dict[TaskState, Pending] = {}
        """The decisions by task."""
        self._measure = measure
        self._exempt = exempt
        self._left = limit
        self._memory: dict[WorkerState, int] | None = None
        self._heap: list[tuple[int, str, WorkerState]] = []
        """Running workers by memory use; empty: to be rebuilt."""

    @property
    def is_full(self) -> bool:
        """Whether no more replicas may be dropped."""
        return self._left is not None and self._left <= 0

    @property
    def memory(self) -> dict[WorkerState, int]:
        """Bytes that each worker will use once all decisions are carried out."""
        if self._memory is None:
            self._memory = dict(self._measure())
        return self._memory

    def replicate(self, task: TaskState, candidates: Collection[WorkerState] | None = None) -> WorkerState | None:
        """Choose one more worker to fetch a result: among the candidates, the running one that uses least memory.

        None if every candidate holds the result or the result cannot be copied.
        """
        memory = self.memory
        gains, drops = self.pending.get(task, ((), ()))
        if candidates is None:
            worker = self._least(task)
        else:
            able = [
                each
                for each in candidates
                if each.status == RUNNING and can_gain(task, each) and each not in gains and each not in drops
            ]
            worker = min(able, key=lambda each: (memory.get(each, 0), each.address), default=None)
        if worker is not None:
            self._pending(task)[0].add(worker)
            memory[worker] = used = memory.get(worker, 0) + max(task.nbytes, 0)
            if self._heap:
                heapq.heappush(self._heap, (used, worker.address, worker))
        return worker

    def _least(self, task: TaskState) -> WorkerState | None:
        gains, drops = self.pending.get(task, ((), ()))
        passed = []
        found = None
        if not self._heap:
            self._heap = [
                (self.memory.get(each, 0), each.address, each)
                for each in self.state.running
                if each.abilities.takes_code
            ]
            heapq.heapify(self._heap)
        while self._heap and found is None:
            entry = heapq.heappop(self._heap)
            used, _, worker = entry
            if used != self.memory.get(worker, 0):
                continue
            passed.append(entry)
            if can_gain(task, worker) and worker not in gains and worker not in drops:
                found = worker
        for entry in passed:
            heapq.heappush(self._heap, entry)
        return found

    def drop(self, task: TaskState, candidates: Collection[WorkerState] | None = None) -> WorkerState | None:
        """Choose one more worker to drop a result: among the candidates, a leaving one, or the one that uses most
        memory.

        None if no candidate can: its tasks use the replica, or no other replica would stay.
        """
        if task.key in self._exempt or self.is_full:
            return None
        pending = self.pending.get(task)
        drops = pending[1] if pending is not None else ()
        memory = self.memory
        chosen, most = None, (False, -1, "")
        for holder in task.who_has:
            if holder in drops or (candidates is not None and holder not in candidates):
                continue
            rank = (holder.status != RUNNING, memory.get(holder, 0), holder.address)
            if rank > most and can_drop(task, holder, drops):
                chosen, most = holder, rank
        if chosen is not None:
            self._pending(task)[1].add(chosen)
            memory[chosen] = max(memory.get(chosen, 0) - max(task.nbytes, 0), 0)
            # Rebuilding the heap is cheaper than updating it for many drops.
            self._heap = []
            if self._left is not None:
                self._left -= 1
        return chosen

    def _pending(self, task: TaskState) -> Pending:
        found = self.pending.get(task)
        if found is None:
            found = self.pending[task] = (set(), set())
        return found

    def event(self, stimulus: str) -> ReplicasPlanned | None:
        """Return the decisions; None: there are none."""
        gains: dict[str, list[str]] = {}
        drops: dict[str, list[str]] = {}
        for task, (gaining, dropping) in self.pending.items():
            for worker in gaining:
                gains.setdefault(worker.address, []).append(task.key)
            for worker in dropping:
                drops.setdefault(worker.address, []).append(task.key)
        return ReplicasPlanned(gains, drops, stimulus) if gains or drops else None
