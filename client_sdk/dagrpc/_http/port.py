"""An HTTP port that costs next to nothing until somebody calls.

The sockets are bound when the service starts, so that its port is known and told at once. aiohttp is imported and the
application is made when the first connection comes in: importing aiohttp takes longer than the start of a worker, and
most workers are never asked anything over HTTP. The first connection waits in the socket's backlog meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from dagrpc._http.address import HttpAddress
from dagrpc._loop.io_loop import cancel_all, spawn

if TYPE_CHECKING:
    from aiohttp import web

logger = logging.getLogger("dagrpc.http")
# Each malformed request would be a traceback in the log. Faults of handlers are logged by the application.
_requests = logging.getLogger("dagrpc.http.requests")
_requests.setLevel(logging.CRITICAL)

_BACKLOG = 128
_NEXT_PORTS = 20
"""How many ports beyond a taken one are tried before any free port is taken."""
_CLOSE_TIMEOUT = 1.0
"""Seconds that open requests have to end when the port closes."""


class HttpService(Protocol):
    """The HTTP side of a service, as the service knows it."""

    @property
    def number(self) -> int:
        """The port that it listens on; 0 while it does not."""

    async def close(self) -> None:
        """Stop listening and end open requests."""


MakeApplication = Callable[[], Coroutine[Any, Any, "web.Application"]]


class HttpPort:
    """Listens for HTTP requests on the running event loop.

    Parameters
    ----------
    who : str
        The service, for log lines, such as ``"Scheduler"``.
    make_application : coroutine function
        Makes the `aiohttp.web.Application`; awaited when the first connection comes in.
    tls : ssl.SSLContext or None
        For HTTPS; None: HTTP.

    Examples
    --------
    >>> async def make_application():
    ...     return web.Application()
    >>> port = HttpPort("Scheduler", make_application)
    >>> port.bind(HttpAddress("127.0.0.1", 0))
    >>> port.number > 0
    True
    >>> await port.close()
    """

    def __init__(self, who: str, make_application: MakeApplication, tls: ssl.SSLContext | None = None) -> None:
        self._who = who
        self._make_application = make_application
        self._tls = tls
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._runner: web.AppRunner | None = None
        self.host = ""
        """The host that it listens on, as it was given."""
        self.number = 0
        """The port that it listens on; 0 while it does not."""

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self._tls is not None else "http"

    def bind(self, address: HttpAddress) -> None:
        """Bind the port; if it is taken, the next free one, with a warning that names both.

        Raises
        ------
        OSError
            If the host is not one of this machine, or no port is free.
        """
        candidates = [address.port] if address.port == 0 else [*range(address.port, address.port + _NEXT_PORTS), 0]
        for candidate in candidates:
            if candidate > 65535:
                continue
            try:
                self._sockets = _bound(address.host, candidate)
                break
            except OSError as error:
                if candidate == candidates[-1] or not _is_taken(error):
                    raise OSError(
                        error.errno, f"{self._who}: cannot serve HTTP at {address.host}:{candidate}: {error.strerror}"
                    ) from None
        self.host = address.host
        self.number = self._sockets[0].getsockname()[1]
        if address.port not in (0, self.number):
            logger.warning("%s: port %d is taken; HTTP is served at port %d", self._who, address.port, self.number)
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            loop.add_reader(listener.fileno(), self._first_connection)

    def _first_connection(self) -> None:
        """Stop watching the sockets and begin to serve: a connection waits in the backlog."""
        self._unwatch()
        spawn(self._serve(), self._tasks)

    def _unwatch(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            with contextlib.suppress(ValueError, OSError):
                loop.remove_reader(listener.fileno())

    async def _serve(self) -> None:
        try:
            # The import holds the interpreter for a while; in a thread, it leaves the event loop its turns.
            await asyncio.to_thread(__import__, "aiohttp.web")
            from aiohttp import web

            application = await self._make_application()
            self._runner = web.AppRunner(application, access_log=None, handle_signals=False, logger=_requests)
            await self._runner.setup()
            for listener in self._sockets:
                await web.SockSite(self._runner, listener, ssl_context=self._tls, backlog=_BACKLOG).start()
        except Exception:
            logger.exception("%s: HTTP cannot be served at port %d", self._who, self.number)
            self._close_sockets()

    def _close_sockets(self) -> None:
        for listener in self._sockets:
            listener.close()
        self._sockets = []

    async def close(self) -> None:
        """Stop listening and end open requests."""
        if self._sockets and self._runner is None:
            self._unwatch()
        await cancel_all(self._tasks)
        if self._runner is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._runner.cleanup(), _CLOSE_TIMEOUT)
        self._close_sockets()
        self.number = 0


def _bound(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets for all addresses of a host, on one port."""
    found: list[socket.socket] = []
    try:
        infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, place in infos:
            listener = socket.socket(family, kind, protocol)
            found.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # All addresses of a host share one port: that of the first, if any free one was asked for.
            actual = found[0].getsockname()[1] if port == 0 and len(found) > 1 else port
            try:
                listener.bind((place[0], actual, *place[2:]))
            except OSError as error:
                # "localhost" is often both 127.0.0.1 and ::1, and a container has no IPv6.
                if error.errno != errno.EADDRNOTAVAIL or len(infos) == 1:
                    raise
                found.pop().close()
                continue
            listener.setblocking(False)
            listener.listen(_BACKLOG)
    except OSError:
        for listener in found:
            listener.close()
        raise
    if not found:
        raise OSError(errno.EADDRNOTAVAIL, f"{host!r} is not an address of this machine")
    return found


def _is_taken(error: OSError) -> bool:
    return error.errno in (errno.EADDRINUSE, errno.EACCES)
