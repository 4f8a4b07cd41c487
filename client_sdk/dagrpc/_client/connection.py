"""A client's connection: how it begins and ends, and how its operations are run."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib
import os
import uuid
import weakref
from collections.abc import Callable, Coroutine, Generator, Hashable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import dask.config

from dagrpc import config, messages
from dagrpc._auth.credentials import check_address, credentials_of, shown_address
from dagrpc._client import current, html_repr
from dagrpc._client.client_security import security_of
from dagrpc._client.cluster_info import ClusterInfoCache
from dagrpc._client.commands import Want
from dagrpc._client.event_loops import EventLoop
from dagrpc._client.gather import Fetcher, default_timeout, failure, inline_value, result
from dagrpc._client.key_table import FINISHED, KeyState, KeyTable, lock
from dagrpc._client.options import Duration
from dagrpc._client.scheduler_address import scheduler_address
from dagrpc._client.scheduler_calls import SchedulerCalls
from dagrpc._client.session import ClientSession
from dagrpc._client.shared_blobs import SharedBlobs
from dagrpc._client.version_warning import warn_of_versions
from dagrpc._client.waiting import CloseCluster, Deadline, Operation, RunInThread, RunOnLoop, run_awaiting, run_blocking
from dagrpc._codec.families import checked_names
from dagrpc._common.dashboard_link import dashboard_link
from dagrpc._graph.lower import checked_key
from dagrpc._loop.io_loop import get_loop
from dagrpc._process.at_exit import before_threads_end
from dagrpc._process.logging_config import configure_once
from dagrpc._process.preloading import Preloads, run_aside
from dagrpc.exceptions import ForkedProcessError
from dagrpc.future import Future
from dagrpc.shuffle import hooks

T = TypeVar("T")

NO_DEFAULT: Any = "__no_default__"
"""Stands for an argument that was not given where None means something."""

_live: weakref.WeakSet[Connection] = weakref.WeakSet()

_PARENTS = "The client belongs to the parent process: make one of this process's own"


class Completed:
    """The outcome of something that is done already, for those who await it."""

    def __await__(self) -> Generator[Any, Any, None]:
        return
        yield


class Connection:
    """The part of a client that is about its connection. See `Client`."""

    def __init__(
        self,
        address: Any = None,
        *,
        timeout: Duration,
        set_as_default: bool,
        scheduler_file: str | None,
        asynchronous: bool,
        name: str | None,
        direct_to_workers: bool | None,
        serializers: Iterable[str] | None,
        deserializers: Iterable[str] | None,
        cluster_options: dict[str, Any],
        security: Any = None,
    ) -> None:
        if timeout is None:
            raise ValueError("None is no valid timeout for a client: give a number of seconds")
        self._timeout = default_timeout() if timeout == NO_DEFAULT else config.seconds(timeout) or 0.0
        configure_once()
        self._loop = get_loop()
        self._loop.check()
        self._asynchronous = asynchronous
        self._set_as_default = set_as_default
        self._direct_to_workers = config.get("client.direct-to-workers", direct_to_workers)
        self.name = name
        self.id = _client_id(name or dask.config.get("client-name", None))
        self.scheduler_file = scheduler_file
        self.cluster: Any = None if address is None or isinstance(address, str) else address
        """The cluster that it was given or started; None if it was given an address."""
        self.security = security_of(security, address, self.cluster)
        """The certificates that it shows and accepts."""
        self._owns_cluster = False
        self._forked = False
        self._begun = False
        """Whether it has been made what clients are: the default one, for instance."""
        self._preloads = Preloads("client")
        self._table = KeyTable()
        self._session = ClientSession(self._loop, self._table, self.id)
        self._news = ClusterInfoCache(self._session)
        self._session.topics.preset(self._default_handlers())
        self._serializers = checked_names(serializers, "serializers")
        """Families of encodings that data of this client travels by; None: whatever is best."""
        accepted = checked_names(deserializers, "deserializers")
        self._session.families = self._serializers if accepted is None else accepted
        self._shared = SharedBlobs(self._session)
        self._fetcher = Fetcher(self._session)
        self._connecting: concurrent.futures.Future[None] | None = None
        reference = weakref.ref(self)
        self._session.on_lost = lambda: _lost(reference)
        self._session.credentials = credentials_of(self.security, self._tls_role)
        check_address(address, self.security, self._tls_role)
        target = None
        if not self._must_await_cluster():
            target = scheduler_address(address, scheduler_file, self._timeout)
            if target is None:
                self._start_cluster(cluster_options)
            elif cluster_options:
                raise ValueError(f"Unexpected keyword arguments: {sorted(cluster_options)}")
        _live.add(self)
        self._start(target)

    _tls_role = "client"

    @staticmethod
    def _default_handlers() -> dict[str, Callable[[Any], object]]:
        """Return the handlers of events that the client has from the beginning, by topic."""
        return dict(messages.DEFAULT_HANDLERS)

    # --- beginning -----------------------------------------------------------------------------------------------

    def _must_await_cluster(self) -> bool:
        """Return whether the address is not known before a cluster was awaited."""
        return self._asynchronous and self.cluster is not None and not getattr(self.cluster, "scheduler_address", None)

    def _start_cluster(self, options: dict[str, Any]) -> None:
        # By name: the SDK is complete without the part that starts processes.
        local_cluster = importlib.import_module("dagrpc").LocalCluster
        self.cluster = local_cluster(asynchronous=self._asynchronous, security=self.security, **options)
        self._owns_cluster = True

    def _start(self, target: str | None) -> None:
        if target is None and self.cluster is not None and not self._asynchronous:
            target = scheduler_address(self.cluster, None, self._timeout)
        if target is not None:
            self._session.address = target
            self._connecting = self._loop.submit(self._session.connect(target, self._timeout))
        if self._asynchronous or self._loop.inside:
            return
        assert self._connecting is not None
        try:
            self._connecting.result(self._timeout + 5)
        except BaseException:
            self._connecting.cancel()
            self._abandon()
            raise
        self._started()
        if self._preloads.wanted:
            run_aside(self._preloads.start(self))

    def _started(self) -> None:
        warn_of_versions(self._session.welcome)
        hooks.provide()
        if self._set_as_default:
            current.add_default(self)
        self._begun = True

    def _abandon(self) -> None:
        self._session.status = "closed"
        if self._owns_cluster and not self._asynchronous:
            self.cluster.close()

    async def _start_awaiting(self) -> Self:
        # Being connected is not enough: that may have happened before anybody awaited it.
        if self._begun and self.status in ("running", "connecting"):
            return self
        if self._connecting is None:
            await self.cluster
            target = scheduler_address(self.cluster, None, self._timeout)
            assert target is not None
            self._connecting = self._loop.submit(self._session.connect(target, self._timeout))
        try:
            await _awaited(self._connecting)
        except BaseException:
            self._abandon()
            if self._owns_cluster:
                await self.cluster.close()
            raise
        await run_awaiting(self._one(self._news.fetch()))
        self._started()
        await self._preloads.start(self)
        return self

    def __await__(self) -> Generator[Any, Any, Self]:
        return self._start_awaiting().__await__()

    # --- ending --------------------------------------------------------------------------------------------------

    def close(self, timeout: Duration = NO_DEFAULT) -> Any:
        """Close this client, and the local cluster that it started.

        Its futures are released. It cannot be used afterwards; closing it again does nothing.

        Parameters
        ----------
        timeout : number or str, optional
            How long to try to end in good order.

        Examples
        --------
        >>> client.close()
        """
        seconds = self._timeout if timeout == NO_DEFAULT or timeout is None else config.seconds(timeout) or 0.0
        return self._run(self._close(seconds))

    def _close(self, timeout: float) -> Operation[None]:
        if self._preloads.loaded and not self._forked:
            yield RunInThread(lambda: run_aside(self._preloads.close()))
        current.remove_default(self)
        if self.status != "closed" and not self._forked:
            if self._connecting is not None and not self._connecting.done():
                self._connecting.cancel()
            self._loop.call_soon(self._news.end)
            with contextlib.suppress(TimeoutError):
                yield RunOnLoop(self._loop, self._session.close(min(timeout, 10.0)), Deadline(timeout + 5))
        elif not self._table.closed:
            self._table.close("client-closed", "The client was closed.")
        self._session.status = "closed"
        yield from self._close_cluster()

    def _close_cluster(self) -> Operation[None]:
        if self._owns_cluster and self.cluster is not None:
            self._owns_cluster = False
            yield CloseCluster(self.cluster)

    def __enter__(self) -> Self:
        if self._asynchronous:
            raise TypeError("Use `async with` with an asynchronous client")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return await self._start_awaiting()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await run_awaiting(self._close(self._timeout))

    def __del__(self) -> None:
        # Not waited for: a finalizer may run anywhere, even where the modules that it needs are gone already.
        try:
            if self.status == "running" and not self._forked:
                session = self._session
                self._loop.call_soon(lambda: session.track(session.close(1.0)))
        except Exception:
            return

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """``newly-created``, ``connecting``, ``running``, ``closing`` or ``closed``."""
        return self._session.status

    @property
    def asynchronous(self) -> bool:
        """Whether operations return awaitables here: for an asynchronous client on an event loop, yes."""
        if self._loop.inside:
            return True
        return self._asynchronous and _on_event_loop()

    @property
    def loop(self) -> Any:
        """The event loop on which dagrpc talks to the cluster."""
        return EventLoop(self._loop.loop)

    @property
    def scheduler(self) -> SchedulerCalls | Any:
        """The scheduler, with its address, and what it can be called for; None when there is no connection."""
        # Any, and not None: who has a connection, as nearly everybody has, need not prove it to type checkers.
        if self.status != "running":
            return None
        address = shown_address(self._session.address, self._session.credentials)
        return SchedulerCalls(address, self._session.welcome.scheduler_id, lambda: self)

    @property
    def futures(self) -> Mapping[Any, KeyState]:
        """What the client knows of the keys that it holds futures of."""
        self._session.drop_released()
        with lock:
            return {state.key: state for state in self._table.states.values()}

    @property
    def dashboard_link(self) -> str | None:
        """Link to the scheduler's pages; None if the scheduler serves no HTTP."""
        link = getattr(self.cluster, "dashboard_link", None)
        if link:
            return str(link)
        port = ((self._known_info() or {}).get("services") or {}).get("dashboard")
        return dashboard_link(self._session.address, port)

    def _known_info(self) -> dict[str, Any] | None:
        """Return what is known of the cluster; asks for news where that is possible at once."""
        if self.status == "running" and not self.asynchronous:
            with contextlib.suppress(Exception):
                return self._loop.run(self._news.fetch(0), timeout=2)
        return self._news.latest(0) if self._news.heard else None

    def __repr__(self) -> str:
        if self.status != "running":
            return f"<{type(self).__name__}: No scheduler connected>"
        info = self._known_info()
        rest = f" {html_repr.totals(info)}" if info is not None else ""
        return f"<{type(self).__name__}: {self.scheduler.address!r}{rest}>"

    def _repr_html_(self) -> str:
        info = self._known_info() if self.status == "running" else None
        address = self.scheduler.address if self.status == "running" else self._session.address
        return html_repr.client(self.id, self.status, address, info, self.dashboard_link)

    # --- being the current one -----------------------------------------------------------------------------------

    @classmethod
    def current(cls, allow_global: bool = True) -> Any:
        """Return the current client.

        Parameters
        ----------
        allow_global : bool
            Whether the default client counts; otherwise only one of `as_current` does.

        Raises
        ------
        ValueError
            If there is none.

        Examples
        --------
        >>> Client.current() is client
        True
        """
        client = current.current_client(allow_global)
        if client is None:
            raise ValueError(
                "No clients found. Start one and point it to the scheduler's address:\n"
                "  from dagrpc import Client\n"
                "  client = Client('address-of-the-scheduler:8786')"
            )
        return client

    def as_current(self) -> contextlib.AbstractContextManager[None]:
        """Make this client the current one within a block, in this thread or asynchronous task.

        Examples
        --------
        >>> with Client(cluster.scheduler_address, set_as_default=False) as other, other.as_current():
        ...     get_client() is other
        True
        """
        return current.as_current(self)

    # --- for the other parts of the SDK --------------------------------------------------------------------------

    def _check_process(self) -> None:
        if self._forked:
            raise ForkedProcessError(_PARENTS)

    def _check_open(self) -> None:
        self._check_process()
        self._session.check_open()

    def _run(self, operation: Operation[T]) -> Any:
        """Run an operation: to its end where the caller can be blocked, else return a coroutine."""
        return run_awaiting(operation) if self.asynchronous else run_blocking(operation)

    def _drive(self, operation: Operation[Any], asynchronous: bool | None) -> Any:
        if asynchronous is None:
            return self._run(operation)
        return run_awaiting(operation) if asynchronous else run_blocking(operation)

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> Any:
        """Run a coroutine on the IO loop, likewise."""
        return self._run(self._one(coroutine))

    def _one(self, coroutine: Coroutine[Any, Any, T]) -> Operation[T]:
        try:
            self._check_open()
        except BaseException:
            coroutine.close()
            raise
        value: T = yield RunOnLoop(self._loop, coroutine)
        return value

    def _at_once(self) -> Any:
        """Return what an operation that needs no waiting returns."""
        return Completed() if self.asynchronous else None

    @property
    def direct_to_workers(self) -> bool | None:
        """Whether data goes to and from the workers directly; None: where they can be reached."""
        direct: bool | None = self._direct_to_workers
        return direct

    def _direct(self, direct: bool | None) -> bool | None:
        return self._direct_to_workers if direct is None else direct

    def _want(self, key: Hashable) -> KeyState:
        """Return the state of a key that is on the cluster, with one more reference."""
        self._check_open()
        wire_key = checked_key(key)
        with lock:
            state, is_new = self._table.create(key, wire_key)
            if is_new:
                self._session.send(Want([wire_key]))
        return state

    def _result(self, future: Future[Any], timeout: Duration) -> Any:
        if not self.asynchronous:
            state = future.bound_state()
            if state.status == FINISHED and state.payload is not None and not future._released:
                return inline_value(state, self)
        return self._run(result(self, future, config.seconds(timeout)))

    def _result_async(self, future: Future[Any]) -> Coroutine[Any, Any, Any]:
        return run_awaiting(result(self, future, None))

    def _failure(self, future: Future[Any], timeout: Duration, part: int) -> Any:
        return self._run(_part(failure(future, config.seconds(timeout)), part))


def _part(operation: Operation[tuple[Any, Any]], part: int) -> Operation[Any]:
    both = yield from operation
    return both[part]


async def _awaited(future: concurrent.futures.Future[T]) -> T:
    return await asyncio.wrap_future(future)


def _client_id(name: str | None) -> str:
    return f"Client-{name}-{uuid.uuid4()}" if name else f"Client-{uuid.uuid4()}"


def _on_event_loop() -> bool:
    return asyncio._get_running_loop() is not None


def _lost(reference: weakref.ref[Connection]) -> None:
    client = reference()
    if client is not None:
        current.remove_default(client)


def live_clients() -> Iterator[Connection]:
    yield from list(_live)


def close_all() -> None:
    """Close all clients of this process, when it ends."""
    for client in live_clients():
        if client.status in ("connecting", "running") and not client._forked:
            with contextlib.suppress(Exception):
                run_blocking(client._close(2.0))


def _mark_forked() -> None:
    for client in live_clients():
        client._forked = True
        client._table.forked(_PARENTS)


# The services of a cluster in this process need new threads while they close.
before_threads_end(close_all)
os.register_at_fork(after_in_child=_mark_forked)
