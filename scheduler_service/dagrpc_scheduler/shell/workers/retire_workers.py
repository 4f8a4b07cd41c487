"""Retires workers: their results move to other workers, then they close."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

from dagrpc._common.time_limits import RETIRE_LIMIT
from dagrpc._loop.io_loop import spawn
from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.instructions import CloseWorker
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.memory.active_memory_manager import MemoryManagerHost, RetireWorker
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

logger = logging.getLogger("dagrpc.scheduler")

CLOSE_LIMIT = 60.0
"""Seconds that a worker may take to close."""
_LOOK = 0.02
_ROUND = 0.5
"""Seconds between two rounds of copying what is left."""


class Retirement:
    """Retires each worker once, however many callers ask for it."""

    def __init__(
        self,
        driver: CoreDriver,
        peers: ConnectedPeers,
        event_log: EventLog,
        memory_manager_host: MemoryManagerHost,
        background: set[asyncio.Task[Any]],
    ) -> None:
        self._driver = driver
        self._peers = peers
        self._event_log = event_log
        self._memory_manager_host = memory_manager_host
        self._background = background
        self._retiring: dict[str, asyncio.Task[bool]] = {}
        self._last_round = float("-inf")

    async def retire(self, addresses: Iterable[str], *, close: bool = True) -> list[str]:
        """Retire workers; return the addresses of those that are gone.

        The others stay because their results cannot be moved. A worker that is not to `close` gets no more tasks, and
        keeps results of which other workers have copies.
        """
        # All workers stop getting tasks and copies before the first of them is looked at.
        tasks = {address: self._task(address, close) for address in dict.fromkeys(addresses)}
        gone: list[str] = []
        staying: list[str] = []
        for address, task in tasks.items():
            # The retirement goes on if this caller goes away: others may wait for it.
            (gone if await asyncio.shield(task) else staying).append(address)
        if staying:
            logger.warning("Not retired, because their results cannot be moved: workers %s", ", ".join(staying))
        outcome = {"retired": tuple(gone), "could-not-retire": tuple(staying)}
        stimulus = self._driver.stimulus("retire-workers")
        self._event_log.log("all", {"action": "retire-workers", **outcome, "stimulus_id": stimulus})
        return gone

    def _task(self, address: str, close: bool) -> asyncio.Task[bool]:
        """Return the task that retires a worker, started at the first call."""
        task = self._retiring.get(address)
        if task is None:
            core, stimulus = self._driver.core, self._driver.stimulus("retire")
            before, _ = views.worker_status(core, address)
            if not views.holds_actors(core, address):
                self._set_status(address, "retiring", stimulus)
            retiring = self._retire(address, close, before, stimulus)
            task = self._retiring[address] = spawn(retiring, self._background)
            task.add_done_callback(lambda _: self._retiring.pop(address, None))
        return task

    async def _retire(self, address: str, close: bool, before: str, stimulus: str) -> bool:
        """Retire one worker; return whether it is gone. A worker that stays gets back its status from `before`."""
        if views.holds_actors(self._driver.core, address):
            logger.warning(
                "Worker %s is not retired: it holds an actor, which cannot be moved", address, extra={"worker": address}
            )
            return False
        policy = RetireWorker(address)
        manager = self._memory_manager_host.registered()
        manager.add_policy(policy)
        try:
            moved = await self._move_results(address, policy, stimulus)
        finally:
            manager.policies.discard(policy)
        if not moved:
            # A worker that was about to leave by itself gets no tasks again.
            self._set_status(address, before, stimulus)
            return False
        if close:
            self._driver.send(CloseWorker(address, "retired"))
            await self._await_close(address)
        self._event_log.log(address, {"action": "retired", "stimulus_id": stimulus})
        return True

    async def _move_results(self, address: str, policy: RetireWorker, stimulus: str) -> bool:
        """Wait until a worker's tasks have ended and other workers hold its results; return whether they do.

        A task that does not end in time is run again elsewhere once the worker is gone.
        """
        core = self._driver.core
        deadline = time.monotonic() + RETIRE_LIMIT
        while address in self._peers.workers:
            # A worker that was paused and has memory again reports that it is running.
            self._set_status(address, "retiring", stimulus)
            late = time.monotonic() > deadline
            if late or not views.processing(core, [address])[address]:
                if policy.done():
                    return True
                if late:
                    return False
            self._copy_more()
            if policy.no_recipients:
                return False
            await asyncio.sleep(_LOOK)
        return True

    def _copy_more(self) -> None:
        """Run the policies of all retiring workers, unless they ran a moment ago."""
        now = time.monotonic()
        if now - self._last_round >= _ROUND:
            self._last_round = now
            manager = self._memory_manager_host.registered()
            manager.run([policy for policy in manager.policies if isinstance(policy, RetireWorker)])

    async def _await_close(self, address: str) -> None:
        """Wait until a worker is gone; remove it if it does not close in time."""
        workers = self._peers.workers
        connection = workers.get(address)
        deadline = time.monotonic() + CLOSE_LIMIT
        while connection is not None and workers.get(address) is connection:
            if time.monotonic() > deadline:
                logger.warning(
                    "Worker %s (%s) was retired and does not close: removed",
                    address,
                    connection.name,
                    extra={"worker": address},
                )
                connection.peer_session.end("it was retired")
                deadline += CLOSE_LIMIT
            await asyncio.sleep(_LOOK)

    def _set_status(self, address: str, status: str, stimulus: str) -> None:
        before, _ = views.worker_status(self._driver.core, address)
        if before not in (status, "closed", "disconnected"):
            self._driver.handle(events.WorkerStatusChanged(address, status, stimulus))
            self._event_log.status_changed(address, before, status, stimulus)
