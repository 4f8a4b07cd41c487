"""Workers are taken out: what only they hold moves to others, then they close."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dagrpc._loop.io_loop import spawn
from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.instructions import CloseWorker
from dagrpc_scheduler.shell.memory.active_memory_manager import RetireWorker

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

RETIRE_LIMIT = 600.0
"""Seconds that a worker's tasks may take to end, and its data to move."""
LEAVE_LIMIT = 60.0
"""Seconds that a worker may take to close."""
_LOOK = 0.02
_ROUND = 0.5
"""Seconds between two looks for what is still to be moved."""


class Retirement:
    """Takes workers out, each once, however many ask for it.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self._leaving: dict[str, asyncio.Task[bool]] = {}
        self._last_round = float("-inf")

    async def retire(self, addresses: Iterable[str], *, close: bool = True) -> tuple[list[str], list[str]]:
        """Take workers out.

        Parameters
        ----------
        close : bool
            Whether they are to close. Those that are not get no more tasks, and keep what others have, too.

        Returns
        -------
        tuple of two lists of str
            Addresses of those that are gone, and of those that stay because what they hold cannot be moved.
        """
        service = self._service
        # They all get no more tasks, and no copies, before any of them is looked at.
        tasks = {address: self._task(address, close) for address in dict.fromkeys(addresses)}
        gone: list[str] = []
        staying: list[str] = []
        for address, task in tasks.items():
            # Others may ask for the same, and whoever asked may go away.
            (gone if await asyncio.shield(task) else staying).append(address)
        if staying:
            logger.warning("Not retired, for what they hold cannot be moved: %s", ", ".join(staying))
        outcome = {"retired": tuple(gone), "could-not-retire": tuple(staying)}
        service.events.log(
            "all", {"action": "retire-workers", **outcome, "stimulus_id": service.stimulus("retire-workers")}
        )
        return gone, staying

    def _task(self, address: str, close: bool) -> asyncio.Task[bool]:
        task = self._leaving.get(address)
        if task is None:
            stimulus = self._service.stimulus("retire")
            before, _ = views.worker_status(self._service.core, address)
            if not views.holds_actors(self._service.core, address):
                self._set_status(address, "retiring", stimulus)
            retiring = self._retire(address, close, before, stimulus)
            task = self._leaving[address] = spawn(retiring, self._service.tasks)
            task.add_done_callback(lambda _: self._leaving.pop(address, None))
        return task

    async def _retire(self, address: str, close: bool, before: str, stimulus: str) -> bool:
        """Take one worker out; return whether it is gone. If not, its status is what it was before."""
        service = self._service
        if views.holds_actors(service.core, address):
            logger.warning("Not retired, for an actor cannot be moved: %s", address)
            return False
        policy = RetireWorker(address)
        manager = service.memory_manager
        manager.add_policy(policy)
        try:
            moved = await self._move_away(address, policy, stimulus)
        finally:
            manager.policies.discard(policy)
        if not moved:
            # One that wants to leave by itself is not given tasks again.
            self._set_status(address, before, stimulus)
            return False
        if close:
            service.send(CloseWorker(address, "retired"))
            await self._await_leaving(address)
        service.events.log(address, {"action": "retired", "stimulus_id": stimulus})
        return True

    async def _move_away(self, address: str, policy: RetireWorker, stimulus: str) -> bool:
        """Wait until a worker has ended its tasks and holds nothing that others lack; return whether it came to that.

        A task that does not end is run elsewhere once the worker is gone.
        """
        service = self._service
        deadline = time.monotonic() + RETIRE_LIMIT
        while address in service.sessions.workers:
            # A worker that has memory again says that it is running.
            self._set_status(address, "retiring", stimulus)
            late = time.monotonic() > deadline
            if late or not views.processing(service.core, [address])[address]:
                if policy.done():
                    return True
                if late:
                    return False
            self._move_more()
            if policy.no_recipients:
                return False
            await asyncio.sleep(_LOOK)
        return True

    def _move_more(self) -> None:
        """Have one more round of what the workers that leave hold copied, unless there was one a moment ago."""
        now = time.monotonic()
        if now - self._last_round >= _ROUND:
            self._last_round = now
            manager = self._service.memory_manager
            manager.run([policy for policy in manager.policies if isinstance(policy, RetireWorker)])

    async def _await_leaving(self, address: str) -> None:
        workers = self._service.sessions.workers
        connection = workers.get(address)
        deadline = time.monotonic() + LEAVE_LIMIT
        while connection is not None and workers.get(address) is connection:
            if time.monotonic() > deadline:
                logger.warning("Worker %s was retired and does not close: it is removed", address)
                connection.tenure.end("it was retired")
                deadline += LEAVE_LIMIT
            await asyncio.sleep(_LOOK)

    def _set_status(self, address: str, status: str, stimulus: str) -> None:
        service = self._service
        before, _ = views.worker_status(service.core, address)
        if before not in (status, "closed", "disconnected"):
            service.handle(events.WorkerStatusChanged(address, status, stimulus))
            service.events.status_changed(address, before, status, stimulus)


async def retire_workers(service: SchedulerService, addresses: list[str], *, close: bool = True) -> list[str]:
    """Take workers out. Returns the addresses of those that are gone; see `Retirement.retire`."""
    gone, _ = await service.retirement.retire(addresses, close=close)
    return gone
