"""The scheduler's last answer about the cluster, kept for callers that cannot wait for a new one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from dagrpc import config
from dagrpc._client.client_session import ClientSession
from dagrpc._client.cluster_description import describe_cluster
from dagrpc._client.services import scheduler_service
from dagrpc.exceptions import CommClosedError, DagrpcError
from dagrpc.objects import SchedulerInfo
from dagrpc.v1 import scheduler_service_pb2 as pb

logger = logging.getLogger("dagrpc.client")


class CachedInfo(SchedulerInfo):
    """Facts about the cluster as last known, for asynchronous clients. Awaiting it returns the present facts."""

    def __init__(self, known: SchedulerInfo, fetch: Callable[[], Awaitable[SchedulerInfo]]) -> None:
        super().__init__(known)
        self._fetch = fetch

    def __await__(self) -> Generator[Any, Any, SchedulerInfo]:
        return self._fetch().__await__()


class ClusterInfoCache:
    """Asks the scheduler about the cluster and keeps the last answer."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._latest = pb.GetClusterInfoResponse()
        self.is_filled = False
        """Whether the scheduler has answered once."""
        self._refresh_task: asyncio.Task[None] | None = None
        self._is_refreshing = False

    @property
    def http_prefix(self) -> str:
        """Path in front of the scheduler's pages, by the last answer."""
        return self._latest.http_prefix

    def latest(self, n_workers: int = -1) -> SchedulerInfo:
        """Return the last answer, with at most `n_workers` workers."""
        return describe_cluster(self._latest, self._session.address, n_workers)

    async def fetch(self, n_workers: int = -1) -> SchedulerInfo:
        """Ask the scheduler and return its answer, with at most `n_workers` workers."""
        request = pb.GetClusterInfoRequest()
        self._latest = await scheduler_service(self._session).call("GetClusterInfo", request, pb.GetClusterInfoResponse)
        self.is_filled = True
        return self.latest(n_workers)

    def keep_fresh(self) -> None:
        """Ask regularly from now on. May be called from any thread, and repeatedly."""
        if not self._is_refreshing:
            self._is_refreshing = True
            self._session.loop.call_soon(self._start_refreshing)

    def end(self) -> None:
        """Stop asking. Called on the IO loop."""
        self._is_refreshing = True
        if self._refresh_task is not None:
            self._refresh_task.cancel()

    def _start_refreshing(self) -> None:
        if self._session.lives:
            self._refresh_task = self._session.track(self._refresh())

    async def _refresh(self) -> None:
        pause = config.get_seconds("client.scheduler-info-interval") or 2.0
        while self._session.lives:
            await asyncio.sleep(pause)
            try:
                await self.fetch()
            except (CommClosedError, DagrpcError, TimeoutError):
                logger.debug("The scheduler did not describe the cluster", exc_info=True)
