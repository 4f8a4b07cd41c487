"""The base of all coordination primitives."""

from __future__ import annotations

import contextlib
import math
import uuid
from collections.abc import Generator, Hashable
from typing import TYPE_CHECKING, Any, Self, cast

from dagrpc import config
from dagrpc._client import current
from dagrpc._client.client_core import ClientCore, core_of
from dagrpc._client.coordination_client import Request
from dagrpc._client.submission_options import Duration
from dagrpc._client.waiting import Operation
from dagrpc._codec.plain import read_plain, write_plain
from dagrpc._common.keys import encode_key
from dagrpc.v1 import coordination_pb2 as pb

if TYPE_CHECKING:
    # By its public name: the module of the class imports this one.
    from dagrpc import Client


class Primitive:
    """A primitive with a name, which the scheduler keeps for all clients and tasks.

    It belongs to the client that was current when it was made. One that was unpickled, or whose client was closed,
    belongs to the client that is current when it is used.
    """

    _kind = ""
    """The kind of the primitive, as the scheduler's class names it."""

    _arguments: tuple[str, ...] = ("name",)
    """Attributes from which another object of the same primitive is made."""

    _restore: Any
    """Sets the attributes of a new object; called with the arguments above."""

    name: Any

    def _bind(self, client: Any) -> None:
        """Use the given client, else the current one if there is one."""
        self._explicit = client is not None
        self._bound = client
        if client is None:
            # Without one it will be looked for when it is needed.
            with contextlib.suppress(ValueError, OSError):
                self._bound = current.current_client()

    @property
    def client(self) -> Client | None:
        """The client of this object; None after unpickling where there is no client."""
        client = self._bound
        if client is None or (not self._explicit and client.status in ("closing", "closed")):
            try:
                client = self._bound = current.current_client()
            except ValueError:
                client = None
        return cast("Client | None", client)

    @property
    def _core(self) -> ClientCore:
        """The core of the client that the primitive belongs to.

        Raises
        ------
        RuntimeError
            If there is none.
        """
        client = self.client
        if client is None:
            raise RuntimeError(
                f"{type(self)} object not properly initialized. This can happen if the object is being "
                "deserialized outside of the context of a Client or Worker."
            )
        return core_of(client)

    def _message(self, timeout: float | None = None) -> pb.Coordinate:
        """Return a request without its operation."""
        message = pb.Coordinate(name=wire_name(self.name))
        if timeout is not None:
            message.timeout_seconds = timeout
        return message

    def _perform(self, operation: str, /, timeout: float | None = None, **arguments: Any) -> Operation[pb.Coordinated]:
        """Carry out an operation that the scheduler's class of the primitive declares, and return the answer.

        The arguments are plain data. `timeout` is how many seconds the operation may wait.
        """
        message = self._message(timeout)
        call = message.call_primitive
        call.kind, call.operation = self._kind, operation
        for name, value in arguments.items():
            write_plain(call.arguments[name], value, f"Argument {name!r}")
        answer: pb.Coordinated = yield Request(self._core.session.coordination, message)
        if answer.refusal:
            raise ValueError(answer.message)
        return answer

    def __getstate__(self) -> Any:
        return {name: getattr(self, name) for name in self._arguments}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._explicit, self._bound = False, None
        self._restore(**state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"

    def __await__(self) -> Generator[Any, Any, Self]:
        return self
        yield


class Holding(Primitive):
    """A primitive that is acquired and released, also by ``with`` and ``async with``."""

    def _enter(self) -> Operation[Any]:
        """Wait without limit, and acquire the primitive."""
        raise NotImplementedError

    def _exit(self) -> Operation[Any]:
        """Release the primitive."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        if self._core.asynchronous:
            raise TypeError("Use `async with` with an asynchronous client")
        self._core.run(self._enter(), False)
        return self

    def __exit__(self, *_: object) -> None:
        self._core.run(self._exit(), False)

    async def __aenter__(self) -> Self:
        await self._core.run(self._enter(), True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._core.run(self._exit(), True)


def result_of(answer: pb.Coordinated) -> Any:
    """Return the result of an operation, which is plain data; None if it has none."""
    return read_plain(answer.result)


def wire_name(name: Hashable) -> str:
    """Return a name as text for the wire."""
    return encode_key(name)


def new_name(kind: str) -> str:
    """Return a unique name."""
    return f"{kind}-{uuid.uuid4().hex}"


def wait_seconds(timeout: Duration) -> float | None:
    """Return the seconds of a timeout; None: no limit."""
    seconds = config.seconds(timeout)
    if seconds is None or seconds == math.inf:
        return None
    if not seconds >= 0:
        raise ValueError(f"a timeout must not be negative, got {timeout!r}")
    return float(seconds)


def acquire_timeout(blocking: bool, timeout: Duration) -> float | None:
    """Return the seconds to wait for a lock."""
    if blocking:
        return wait_seconds(timeout)
    if timeout is not None:
        raise ValueError("can't specify a timeout for a non-blocking call")
    return 0.0
