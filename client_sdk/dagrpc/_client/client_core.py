"""The state behind a client, and how the operations of a client are run.

The verbs of `dagrpc.Client`, futures, actors and coordination primitives work with a `ClientCore`. Only `core_of` knows
where a client keeps it.
"""

from __future__ import annotations

import asyncio
import uuid
import weakref
from collections.abc import Callable, Coroutine, Generator, Hashable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from dagrpc import config
from dagrpc._auth.credentials import Credentials
from dagrpc._client.client_session import ClientSession
from dagrpc._client.cluster_info import ClusterInfoCache
from dagrpc._client.commands import Want
from dagrpc._client.fetcher import Fetcher
from dagrpc._client.key_table import KeyState, KeyTable, lock
from dagrpc._client.shared_blobs import SharedBlobs
from dagrpc._client.submission_options import NO_DEFAULT, Duration
from dagrpc._client.waiting import Operation, RunOnLoop, run_awaiting, run_blocking
from dagrpc._codec.families import checked_names
from dagrpc._graph.lower import checked_key
from dagrpc._loop.io_loop import get_loop
from dagrpc.exceptions import ForkedProcessError

T = TypeVar("T")

OF_PARENT_PROCESS = "The client belongs to the parent process: make one of this process's own"


class HasCore(Protocol):
    """An object with a core: a `dagrpc.Client`, seen by its verbs."""

    _core: ClientCore


def core_of(client: Any) -> ClientCore:
    """Return the core of a client."""
    core: ClientCore = client._core
    return core


class Completed:
    """The awaitable outcome of an operation that is completed already."""

    def __await__(self) -> Generator[Any, Any, None]:
        return
        yield


class ClientCore:
    """The parts of one client: its session, its keys, and what it fetches data with.

    The core holds its client weakly, since a client closes when the last reference to it goes away.
    """

    def __init__(
        self,
        client: Any,
        *,
        name: str | None,
        timeout: float,
        asynchronous: bool,
        direct: bool | None,
        serializers: Iterable[str] | None,
        deserializers: Iterable[str] | None,
        credentials: Credentials | None,
        handlers: Mapping[str, Callable[[Any], object]],
    ) -> None:
        self._client = weakref.ref(client)
        self.loop = get_loop()
        self.loop.check()
        self.timeout = timeout
        """Seconds in which peers have to answer."""
        self.is_asynchronous = asynchronous
        """Whether operations return awaitables on event loops."""
        self.direct = direct
        """Whether data travels between client and workers directly; None: where workers can be reached."""
        self.forked = False
        """Whether this process was forked from the one that made the client."""
        self.table = KeyTable()
        self.session = ClientSession(self.loop, self.table, _client_id(name))
        self.session.topics.preset(dict(handlers))
        self.session.credentials = credentials
        self.serializers = checked_names(serializers, "serializers")
        """Families of encodings that data is sent by; None: the best for each value."""
        accepted = checked_names(deserializers, "deserializers")
        self.session.families = self.serializers if accepted is None else accepted
        self.cluster_info = ClusterInfoCache(self.session)
        self.shared = SharedBlobs(self.session)
        self.fetcher = Fetcher(self.session)

    @property
    def client(self) -> Any:
        """The client; None once it was collected."""
        return self._client()

    @property
    def asynchronous(self) -> bool:
        """Whether operations return awaitables to the caller."""
        return self.loop.inside or (self.is_asynchronous and asyncio._get_running_loop() is not None)

    def check_process(self) -> None:
        """Raise if this process was forked from the one that made the client."""
        if self.forked:
            raise ForkedProcessError(OF_PARENT_PROCESS)

    def check_open(self) -> None:
        """Raise if the client cannot be used any more."""
        if self.forked:
            raise ForkedProcessError(OF_PARENT_PROCESS)
        self.session.check_open()

    # --- running operations --------------------------------------------------------------------------------------

    def run(self, operation: Operation[T], asynchronous: bool | None = None) -> Any:
        """Run an operation to its end, or return a coroutine that does where the caller must not be blocked."""
        if self.asynchronous if asynchronous is None else asynchronous:
            return run_awaiting(operation, self.client)
        return run_blocking(operation)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> Any:
        """Run a coroutine on the IO loop, as `run` runs an operation."""
        return self.run(self.on_loop(coroutine))

    def on_loop(self, coroutine: Coroutine[Any, Any, T]) -> Operation[T]:
        """Run a coroutine on the IO loop as a step of an operation; raise if the client is closed."""
        try:
            self.check_open()
        except BaseException:
            coroutine.close()
            raise
        value: T = yield RunOnLoop(self.loop, coroutine)
        return value

    def completed(self) -> Any:
        """Return the outcome of an operation that has nothing to wait for."""
        return Completed() if self.asynchronous else None

    def await_scheduler(self) -> None:
        """Block until the scheduler has carried out all commands queued so far. Not to be called on the IO loop."""
        self.loop.run(self.session.ping(), self.timeout)

    # --- options and keys ----------------------------------------------------------------------------------------

    def chosen_direct(self, direct: bool | None) -> bool | None:
        """Return the ``direct`` option of one call, by default the client's."""
        return self.direct if direct is None else direct

    def seconds(self, timeout: Duration) -> float:
        """Return a timeout in seconds, by default the client's."""
        return self.timeout if timeout == NO_DEFAULT or timeout is None else config.seconds(timeout) or 0.0

    def want(self, key: Hashable) -> KeyState:
        """Return the state of a key that is on the cluster, with one more reference."""
        self.check_open()
        wire_key = checked_key(key)
        with lock:
            state, is_new = self.table.create(key, wire_key)
            if is_new:
                self.session.send(Want([wire_key]))
        return state


def _client_id(name: str | None) -> str:
    """Return an id that no other client has, with the client's name in it."""
    return f"Client-{name}-{uuid.uuid4()}" if name else f"Client-{uuid.uuid4()}"
