"""Restarts workers through their nannies."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from dagrpc._auth.credentials import Credentials
from dagrpc._loop.io_loop import spawn
from dagrpc._rpc.channels import ChannelPool, wait_ready
from dagrpc.exceptions import DagrpcError, InvalidRequestError
from dagrpc.v1 import nanny_service_pb2
from dagrpc_scheduler.coordination.metadata_tree import Metadata
from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.instructions import CloseWorker
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.plugins.scheduler_plugins import SchedulerPlugins
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.workers.remote_services import NANNY_SERVICE

logger = logging.getLogger("dagrpc.scheduler")

_LOOK = 0.05


class WorkerRestarts:
    """Restarts workers, with or without the tasks that they have."""

    def __init__(
        self,
        *,
        driver: CoreDriver,
        peers: ConnectedPeers,
        control_channels: ChannelPool,
        credentials: Credentials | None,
        metadata: Metadata,
        event_log: EventLog,
        plugins: SchedulerPlugins,
        background: set[asyncio.Task[Any]],
    ) -> None:
        self._driver = driver
        self._peers = peers
        self._channels = control_channels
        self._credentials = credentials
        self._metadata = metadata
        self._event_log = event_log
        self._plugins = plugins
        self._background = background

    async def restart(self, addresses: list[str], *, forget_tasks: bool, timeout: float, wait: bool) -> dict[str, str]:
        """Restart workers; return the outcome for each address, nothing if not to `wait`.

        With `forget_tasks`, all tasks are forgotten and workers without a nanny are closed; what started such a worker
        may start another, which is waited for.

        Raises
        ------
        InvalidRequestError
            If tasks are kept and a worker has no nanny. No worker was restarted then.
        """
        if not forget_tasks:
            self._check_nannies(addresses)
        deadline = time.monotonic() + timeout
        before = [self._peers.workers.get(address) for address in addresses]
        if forget_tasks:
            self._driver.handle(events.RestartRequested(self._driver.stimulus("restart")))
            self._metadata.clear()
            self._plugins.restarted()
        self._event_log.log("all", {"action": "restart-workers", "workers": tuple(addresses)})
        restarts = self._restart_all(addresses, timeout)
        if not wait:
            spawn(restarts, self._background)
            return {}
        outcomes = await restarts
        while "removed" in outcomes.values() and time.monotonic() < deadline:
            if sum(worker not in before for worker in self._peers.workers.values()) >= len(addresses):
                return dict.fromkeys(addresses, "OK")
            await asyncio.sleep(_LOOK)
        return outcomes

    async def _restart_all(self, addresses: list[str], timeout: float) -> dict[str, str]:
        outcomes = await asyncio.gather(*(self._restart(address, timeout) for address in addresses))
        return dict(zip(addresses, outcomes, strict=True))

    async def _restart(self, address: str, timeout: float) -> str:
        """Restart one worker and return the outcome."""
        worker = self._peers.workers.get(address)
        if worker is None or not worker.nanny:
            self._driver.send(CloseWorker(address, "restart: it has no nanny to start it again"))
            return "removed"
        client = self._channels.client(worker.nanny, NANNY_SERVICE, f"nanny {worker.nanny}")
        request = nanny_service_pb2.RestartWorkerRequest(timeout_seconds=timeout, reason="restart")
        try:
            # A nanny may begin to serve a moment after its worker has joined.
            await wait_ready(client.channel, worker.nanny, timeout, self._credentials)
            await client.call("RestartWorker", request, nanny_service_pb2.RestartWorkerResponse, timeout=timeout + 1.0)
        except (DagrpcError, OSError, TimeoutError) as error:
            logger.warning("Worker %s (%s) did not restart: %s", address, worker.name, error, extra={"worker": address})
            return "timed out"
        return "OK"

    def _check_nannies(self, addresses: list[str]) -> None:
        for address in addresses:
            worker = self._peers.workers.get(address)
            if worker is not None and not worker.nanny:
                raise InvalidRequestError(
                    f"Restarting workers requires a nanny to be used. Worker {address} has none that could start "
                    "another worker in its place. No worker was restarted."
                )
