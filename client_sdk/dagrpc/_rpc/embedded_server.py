"""Servers as objects: what `Scheduler`, `Worker` and `Nanny` have in common.

The services live on one event loop, that of dagrpc or of their process. Objects of these classes stand for them on any
other: they are awaited on the user's loop, and what they do is done on the service's.
"""

from __future__ import annotations

import asyncio
import socket
import weakref
from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from dagrpc._common.addresses import split_address
from dagrpc._common.server_status import Status
from dagrpc._loop.io_loop import get_loop

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")

CALL_LIMIT = 30.0
"""Seconds that a call from another thread waits for the service's loop at most."""


class ServiceHome:
    """The event loop on which a service lives, as others reach it.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop, optional
        The loop; by default dagrpc's own, looked up when it is first needed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop."""
        if self._loop is None or self._loop.is_closed():
            self._loop = get_loop().loop
        return self._loop

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make a loop the home, because the service starts on it."""
        self._loop = loop

    @property
    def bound(self) -> bool:
        """Whether the loop is known already."""
        return self._loop is not None

    @property
    def inside(self) -> bool:
        """Whether the caller runs on the loop."""
        return asyncio._get_running_loop() is self.loop

    async def awaiting(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop, awaited from any."""
        if self.inside:
            return await coroutine
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function on the loop, from any thread, and return its result."""
        if self.inside:
            return function(*args, **kwargs)

        async def on_loop() -> T:
            return function(*args, **kwargs)

        future = asyncio.run_coroutine_threadsafe(on_loop(), self.loop)
        try:
            return future.result(CALL_LIMIT)
        except BaseException:
            future.cancel()
            raise


class EmbeddedServer:
    """A server as an object, which is awaitable and an asynchronous context manager.

    Subclasses implement `_start_service` and `_close_service`, which run on the service's loop.
    """

    _home: ServiceHome
    _host = ""
    _instances: ClassVar[weakref.WeakSet[EmbeddedServer]] = weakref.WeakSet()
    """The servers of this process. Libraries use it, for example to find out whether they run in a worker."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # One set for each kind of server; a user's subclass shares the set of its base.
        if EmbeddedServer in cls.__bases__:
            cls._instances = weakref.WeakSet()

    def __init__(self, home: ServiceHome | None = None) -> None:
        self._instances.add(self)
        self._home = home or ServiceHome()
        self._begun: asyncio.Task[None] | None = None
        self._own_status = Status.created
        self._over = asyncio.Event()

    # --- what subclasses fill in ---

    @property
    def address(self) -> str:
        """The server's address, ``host:port``; empty before it has started."""
        raise NotImplementedError

    async def _start_service(self) -> None:
        """Start the service."""
        raise NotImplementedError

    async def _close_service(self, reason: str) -> None:
        """Close the service."""
        raise NotImplementedError

    async def _service_finished(self) -> None:
        """Wait until the service has closed for any reason."""
        raise NotImplementedError

    def _failure(self, error: Exception) -> Exception:
        """Return the error to raise for an error that kept the server from starting."""
        return error

    # --- life ---

    @property
    def status(self) -> Status:
        """The server's status."""
        return self._own_status

    async def _begin(self) -> None:
        # One start for all callers that await it.
        if self._begun is None:
            self._begun = asyncio.get_running_loop().create_task(self._start_once())
            # The exception is retrieved here, because the awaiting caller may have been cancelled.
            self._begun.add_done_callback(lambda begun: begun.cancelled() or begun.exception())
        await asyncio.shield(self._begun)

    async def _start_once(self) -> None:
        if self._own_status is not Status.created:
            raise RuntimeError(f"{self!r} cannot be started again")
        self._own_status = Status.starting
        try:
            await self._start_service()
        except Exception as error:
            self._own_status = Status.failed
            failure = self._failure(error)
            raise failure from (error.__cause__ if failure is error else error)
        except BaseException:
            self._own_status = Status.failed
            raise
        self._own_status = Status.running

    async def start(self) -> Self:
        """Start the server unless it has started.

        Examples
        --------
        >>> scheduler = await Scheduler().start()  # or: await Scheduler()
        >>> scheduler.status
        <Status.running: 'running'>
        >>> await scheduler.close()
        """
        await self._home.awaiting(self._begin())
        return self

    async def close(self, timeout: float = 30.0, reason: str = "closed") -> None:
        """Close the server and wait until it has closed.

        Parameters
        ----------
        timeout : float
            Seconds to wait at most.
        reason : str
            Why, for the log.

        Examples
        --------
        >>> scheduler = await Scheduler()
        >>> await scheduler.close()
        >>> scheduler.status
        <Status.closed: 'closed'>
        """
        await self._home.awaiting(asyncio.wait_for(self._close(reason), timeout))

    async def _close(self, reason: str) -> None:
        if self._own_status is Status.created:
            self._own_status = Status.closed
            return
        if self._own_status not in (Status.closing, Status.closed):
            self._own_status = Status.closing
        await self._close_service(reason)
        self._own_status = Status.closed

    async def finished(self) -> None:
        """Wait until the server has closed for any reason.

        Examples
        --------
        >>> scheduler = await Scheduler(idle_timeout="10 ms")
        >>> await scheduler.finished()
        """
        await self._home.awaiting(self._service_finished())
        self._own_status = Status.closed

    def __await__(self) -> Generator[Any, None, Self]:
        return self.start().__await__()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- what it is ---

    @property
    def asynchronous(self) -> bool:
        """True: its methods are awaited."""
        return True

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that the service runs on; dagrpc's own, which need not be the caller's."""
        return self._home.loop

    @property
    def address_safe(self) -> str:
        """The address, or ``not-running``."""
        return self.address or "not-running"

    @property
    def host(self) -> str:
        """The host under which it is reached; empty before it has started."""
        return split_address(self.address)[0] if self.address else ""

    @property
    def ip(self) -> str:
        """The address of that host."""
        return str(socket.getaddrinfo(self.host, None)[0][4][0]) if self.host else ""

    @property
    def port(self) -> int:
        """The port that it serves on; 0 before it has started."""
        return split_address(self.address)[1] if self.address else 0

    @property
    def listen_address(self) -> str:
        """Where it listens, ``host:port``; empty before it has started."""
        from dagrpc._common.addresses import join_address

        scheme, separator, _ = self.address.rpartition("://")
        return f"{scheme}{separator}{join_address(self._host, self.port)}" if self.address else ""

    def identity(self) -> dict[str, Any]:
        """Return what it is, as a plain dict.

        Examples
        --------
        >>> async with Scheduler() as scheduler:
        ...     scheduler.identity()["address"] == scheduler.address
        True
        """
        raise NotImplementedError


def refuse_unknown(who: str, given: dict[str, Any], ignored: tuple[str, ...] = ()) -> None:
    """Raise for arguments that nobody knows.

    Raises
    ------
    TypeError
        Naming them.
    """
    unknown = sorted(set(given) - set(ignored))
    if unknown:
        raise TypeError(f"{who} got unknown arguments: {', '.join(unknown)}")
