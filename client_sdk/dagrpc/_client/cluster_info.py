"""What a client knows of the cluster: what the scheduler said last of itself and its workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from dagrpc import config
from dagrpc._client import admin
from dagrpc._client.session import ClientSession
from dagrpc.exceptions import CommClosedError, DagrpcError
from dagrpc.objects import SchedulerInfo
from dagrpc.v1 import scheduler_service_pb2

logger = logging.getLogger("dagrpc.client")


class CachedInfo(SchedulerInfo):
    """What was known of the cluster, for asynchronous clients. Awaited it is what is known by then.

    Parameters
    ----------
    known : SchedulerInfo
        What was known.
    ask : coroutine function
        Returns what there is to know now.
    """

    def __init__(self, known: SchedulerInfo, ask: Callable[[], Awaitable[SchedulerInfo]]) -> None:
        super().__init__(known)
        self._ask = ask

    def __await__(self) -> Generator[Any, Any, SchedulerInfo]:
        return self._ask().__await__()


class ClusterInfoCache:
    """Asks the scheduler what there is, and remembers the answer for those who cannot wait.

    Parameters
    ----------
    session : ClientSession
        The client's.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._latest = scheduler_service_pb2.GetClusterInfoResponse()
        self.heard = False
        """Whether there was an answer yet."""
        self._keeper: asyncio.Task[None] | None = None
        self._kept = False

    def latest(self, n_workers: int = -1) -> SchedulerInfo:
        """Return what was heard last, with at most so many workers."""
        return admin.describe_cluster(self._latest, self._session.address, n_workers)

    async def fetch(self, n_workers: int = -1) -> SchedulerInfo:
        """Ask, and return the answer."""
        self._latest = await admin.ask_cluster_info(self._session)
        self.heard = True
        return self.latest(n_workers)

    def keep(self) -> None:
        """Ask again and again from now on. To be called from any thread, as often as one likes."""
        if not self._kept:
            self._kept = True
            self._session.loop.call_soon(self._begin)

    def end(self) -> None:
        """Stop asking. To be called on the loop."""
        self._kept = True
        if self._keeper is not None:
            self._keeper.cancel()

    def _begin(self) -> None:
        if self._session.lives:
            self._keeper = self._session.track(self._ask_again_and_again())

    async def _ask_again_and_again(self) -> None:
        pause = config.get_seconds("client.scheduler-info-interval") or 2.0
        while self._session.lives:
            await asyncio.sleep(pause)
            try:
                await self.fetch()
            except (CommClosedError, DagrpcError, TimeoutError):
                logger.debug("Nothing is heard of the cluster", exc_info=True)
