"""The side of a session that opens its streams: a client or a worker, towards the scheduler."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.message import Message

from dagrpc._peer.session import Session
from dagrpc._peer.traffic import Traffic
from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ServiceClient
from dagrpc._rpc.recovery import Recovery
from dagrpc.exceptions import CommClosedError

Item = TypeVar("Item")


async def greet(service: ServiceClient, method: str, messages: Iterable[Message]) -> tuple[Any, Any]:
    """Open a stream, send the messages that introduce this peer, and return the stream and the scheduler's `welcome`.

    Raises
    ------
    grpc.aio.AioRpcError
        If the scheduler refuses the peer, or the connection breaks.
    CommClosedError
        If the other side does not answer as a scheduler does.
    """
    stream = service.open_session(method)
    try:
        for message in messages:
            await stream.write(message.SerializeToString())
        answer = await stream.read()
    except asyncio.InvalidStateError:
        raise CommClosedError(f"{service.peer} ended the session before it began") from None
    except asyncio.CancelledError:
        stream.cancel()
        raise
    if answer is grpc.aio.EOF:
        raise CommClosedError(f"{service.peer} ended the session: {await stream.details() or 'no reason given'}")
    if not answer.HasField("welcome"):
        stream.cancel()
        raise CommClosedError(f"{service.peer} did not answer as a dagrpc scheduler does")
    return stream, answer.welcome


class CallingSession(Generic[Item]):
    """A session with the scheduler, on one stream after another.

    Parameters
    ----------
    method : str
        The rpc that opens a stream.
    encode : callable
        Makes messages of queued items, as for `Session`.
    request_type, response_type : type
        The rpc's messages.
    """

    def __init__(
        self,
        method: str,
        encode: Callable[[list[Item]], Iterable[Any]],
        request_type: type[Any],
        response_type: type[Any],
    ) -> None:
        self.address = ""
        """The scheduler's address."""
        self.service: ServiceClient | None = None
        """Calls the service that the rpc belongs to. None before there is a channel."""
        self.token = secrets.token_bytes(16)
        """A secret that proves to the scheduler that the same peer comes back."""
        self.session: Session[Item] | None = None
        self.stream: Any = None
        self.welcome: Any = response_type().welcome
        """The scheduler's latest answer to an introduction."""
        self.recovery = Recovery()
        self.traffic = Traffic()
        """Counts the messages of all sessions with the scheduler."""
        self._method = method
        self._encode = encode
        self._request_type = request_type
        self._response_type = response_type

    @property
    def name(self) -> str:
        """The scheduler, as errors name it."""
        return f"the scheduler at {self.address}"

    async def greet(self, messages: Iterable[Message], service: ServiceClient | None = None) -> tuple[Any, Any]:
        """Open a stream, introduce this peer, and return the stream and the scheduler's `welcome`.

        `service` is another one than before, if the channel is.

        Raises
        ------
        CommClosedError
            If the connection breaks, or the other side does not answer as a scheduler does.
        DagrpcError
            If the scheduler refuses the peer.
        """
        service = service or self.service
        assert service is not None
        try:
            return await greet(service, self._method, messages)
        except grpc.aio.AioRpcError as error:
            raise error_status.from_rpc_error(error, self.name) from None

    def begin(self, stream: Any, welcome: Any) -> Session[Item]:
        """Begin a new session on a stream."""
        # A scheduler that keeps no sessions acknowledges no messages.
        return self._begin(stream, welcome, resumable=bool(welcome.grace_seconds))

    def begin_without_stream(self) -> Session[Item]:
        """Begin a new session whose stream is yet to come: items queue for it."""
        return self._begin(None, self.welcome, resumable=True)

    def _begin(self, stream: Any, welcome: Any, *, resumable: bool) -> Session[Item]:
        if self.session is not None:
            self.session.end()
        self.stream, self.welcome = stream, welcome
        send_type = self._request_type if resumable else None
        self.session = Session(stream, self._encode, self._response_type, self.name, send_type, self.traffic)
        return self.session

    def resume(self, stream: Any, welcome: Any) -> None:
        """Go on with the session on another stream, after the messages that the scheduler has taken.

        Raises
        ------
        UnknownSessionError
            If the scheduler cannot have taken these messages.
        """
        assert self.session is not None
        self.session.attach(stream, welcome.resumed.received)
        self.stream, self.welcome = stream, welcome

    @property
    def received(self) -> int:
        """The number of the last message that was taken from the scheduler."""
        assert self.session is not None
        assert self.session.delivery is not None
        return self.session.delivery.taken

    @property
    def resumable(self) -> bool:
        """Whether the session can go on with another stream."""
        return self.session is not None and self.session.delivery is not None

    async def hold(self, on_message: Callable[[Any], Awaitable[None] | None]) -> Exception:
        """Hold the stream until it ends; return how it ended: a `CommClosedError` if there may be another stream."""
        assert self.session is not None
        try:
            await self.session.run(on_message)
        except grpc.aio.AioRpcError as error:
            return error_status.from_rpc_error(error, self.name)
        except asyncio.InvalidStateError:
            # A write met the broken stream.
            return CommClosedError(f"The session with {self.name} broke")
        return CommClosedError(f"The scheduler at {self.address} ended the session")
