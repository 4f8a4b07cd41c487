"""A nanny's client of the scheduler, for its plugins and for functions that run in the nanny."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

from dagrpc import _client_on_workers as client_parts
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc.security import Security

logger = logging.getLogger("dagrpc.nanny")

_LOG_TIMEOUT = 30.0


class SchedulerClient:
    """Calls the scheduler; the first call connects. From any thread.

    Parameters
    ----------
    nanny : object
        The nanny, for the log.
    address : callable
        Returns the scheduler's address; empty while the worker has yet to find the scheduler.
    """

    def __init__(self, nanny: object, address: Callable[[], str], security: Security, home: ServiceHome) -> None:
        self._nanny = nanny
        self._address = address
        self._security = security
        self._home = home
        self._clients: client_parts.WorkerClientFactory | None = None
        # Several threads may log events at once.
        self._lock = threading.Lock()
        self._sending: set[asyncio.Task[Any]] = set()

    def scheduler(self) -> client_parts.SchedulerCalls:
        """Return the scheduler with the calls that plugins can make."""
        return client_parts.SchedulerCalls(self._address(), "", self._get_client)

    def _get_client(self) -> client_parts.Client:
        address = self._address()
        if not address:
            raise RuntimeError("The nanny does not know the scheduler yet: its worker is still looking for it")
        with self._lock:
            if self._clients is None:
                self._clients = client_parts.WorkerClientFactory(address, self._security)
        return self._clients.get()

    def log_event(self, topic: str | Collection[str], msg: Any) -> None:
        """Log an event; see `Nanny.log_event`."""
        from dagrpc._codec.plain import encode_plain, topic_names

        topic_names(topic), encode_plain(msg)

        async def send() -> None:
            try:
                async with asyncio.timeout(_LOG_TIMEOUT):
                    await self.scheduler().log_event(topic=topic, msg=msg)
            except Exception as error:
                logger.warning("%r cannot log an event: %s: %s", self._nanny, type(error).__name__, error)

        self._home.loop.call_soon_threadsafe(lambda: spawn(send(), self._sending))

    async def close(self) -> None:
        """Cancel the events that have not been sent, and close the connection. On the loop."""
        await cancel_all(self._sending)
        if self._clients is not None:
            await self._clients.close()
