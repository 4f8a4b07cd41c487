"""Channels to peers, and calls over them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import islice
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from dagrpc import config
from dagrpc._auth.credentials import Credentials
from dagrpc._common.addresses import without_scheme
from dagrpc._common.backoff import pauses
from dagrpc._loop.io_loop import spawn
from dagrpc._memory import malloc
from dagrpc._rpc import error_status, grpc_options
from dagrpc._rpc.connect_diagnosis import what_answers, why_not
from dagrpc._rpc.recovery import recovery_of
from dagrpc._rpc.request_streams import WrittenStream
from dagrpc._rpc.token_channel import TokenChannel
from dagrpc.exceptions import CommClosedError

M = TypeVar("M", bound=Message)

DEFAULT_DEADLINE = 30.0
"""Default deadline of a unary call, in seconds."""
_SUSPICIOUS = 1.0
"""Seconds without a connection after which its cause is looked for."""
_IDEMPOTENCY_UNKNOWN = 0
"""As in ``google.protobuf.descriptor_pb2``, whose import would make the start of each process 3 ms longer."""


def open_channel(
    address: str, channel_options: grpc_options.Options, credentials: Credentials | None = None
) -> grpc.aio.Channel:
    """Return a channel to ``host:port``. Called on the loop that uses the channel.

    With credentials the channel uses TLS, or sends a token with every call.
    """
    malloc.tune()
    address = without_scheme(address)
    channel_options = [*grpc_options.sized(channel_options), *grpc_options.keepalive()]
    if credentials is None or credentials.channel is None:
        channel = grpc.aio.insecure_channel(address, options=channel_options)
    else:
        channel = grpc.aio.secure_channel(
            address, credentials.channel, options=[*channel_options, *credentials.channel_options]
        )
    return channel if credentials is None or credentials.token is None else TokenChannel(channel, credentials.token)


class DisagreementError(CommClosedError):
    """The two sides cannot agree on TLS; another attempt does not help."""


async def wait_ready(
    channel: grpc.aio.Channel, address: str, timeout: float, credentials: Credentials | None = None
) -> None:
    """Wait until a channel is connected.

    Raises
    ------
    CommClosedError
        If it is not connected within `timeout` seconds; the message names the address.
    DisagreementError
        As soon as it is known that the two sides cannot agree on TLS.
    """
    deadline = time.monotonic() + timeout
    ready = asyncio.ensure_future(channel.channel_ready())
    try:
        # After that, something is wrong or no server listens yet.
        await asyncio.wait((ready,), timeout=min(timeout / 2, _SUSPICIOUS))
        if not ready.done() and (reason := await why_not(address, credentials)) and not ready.done():
            raise DisagreementError(f"Cannot connect to {address}: {reason}")
        await asyncio.wait_for(ready, max(deadline - time.monotonic(), 0.01))
    except TimeoutError:
        raise await unanswered(address, timeout, "service") from None
    finally:
        ready.cancel()


async def unanswered(address: str, timeout: float, service: str) -> CommClosedError:
    """Return the error for a service that did not answer; it names what answers at the address instead."""
    what = await what_answers(address, service)
    return CommClosedError(f"Timed out after {timeout:g} s trying to connect to {address}: {what}")


def serialize(message: Message) -> bytes:
    """Return a message's bytes. (`Message.SerializeToString`, unbound, does not serialize the fields of a subclass.)"""
    return message.SerializeToString()


def identity(data: bytes) -> bytes:
    """Return its argument: the serializer of methods whose callers handle bytes."""
    return data


class ServiceClient:
    """Calls the methods of one service over one channel.

    Parameters
    ----------
    channel : grpc.aio.Channel
        The channel to the peer.
    service : ServiceDescriptor
        The service, from the generated module's ``DESCRIPTOR.services_by_name``.
    peer : str
        The peer's name in errors.
    """

    def __init__(self, channel: grpc.aio.Channel, service: ServiceDescriptor, peer: str) -> None:
        self.channel = channel
        self.peer = peer
        self._service = service
        self._unary: dict[str, Callable[..., Any]] = {}

    def _path(self, method: str) -> str:
        return f"/{self._service.full_name}/{method}"

    def _is_repeatable(self, method: str) -> bool:
        """Return whether the contract allows a second call of a method when no answer came to the first."""
        options = self._service.methods_by_name[method].GetOptions()
        return bool(options.idempotency_level != _IDEMPOTENCY_UNKNOWN)

    async def call(
        self, method: str, request: Message, response_type: type[M], timeout: float | None = DEFAULT_DEADLINE
    ) -> M:
        """Make a unary call.

        Raises
        ------
        DagrpcError
            If the service refuses the call.
        CommClosedError
            If the peer cannot be reached.
        TimeoutError
            If it does not answer within `timeout` seconds.
        """
        function = self._unary.get(method)
        if function is None:
            function = self.channel.unary_unary(
                self._path(method),
                request_serializer=serialize,
                response_deserializer=response_type.FromString,
            )
            self._unary[method] = function
        recovery = recovery_of(self.channel)
        if recovery is not None and recovery.away:
            await recovery.recovered()
        while True:
            breaks = recovery.breaks if recovery is not None else 0
            try:
                response: M = await function(request, timeout=timeout)
                return response
            except grpc.aio.AioRpcError as error:
                failure = error_status.from_rpc_error(error, self.peer)
                if not isinstance(failure, CommClosedError) or not self._is_repeatable(method):
                    raise failure from None
            # The connection may have been made again by now.
            if recovery is None or (not await recovery.recovered() and recovery.breaks == breaks):
                response = await self._call_again(function, request, timeout, failure)
                return response

    async def _call_again(
        self, function: Callable[..., Any], request: Message, timeout: float | None, failure: BaseException
    ) -> Any:
        """Repeat a call that did not reach the peer, as often as `comm.retry.count` says."""
        shortest = config.get_seconds("comm.retry.delay.min") or 0.0
        longest = config.get_seconds("comm.retry.delay.max") or 0.0
        for pause in islice(pauses(shortest, longest, jitter=True), int(config.get("comm.retry.count"))):
            await asyncio.sleep(pause)
            try:
                return await function(request, timeout=timeout)
            except grpc.aio.AioRpcError as error:
                failure = error_status.from_rpc_error(error, self.peer)
                if not isinstance(failure, CommClosedError):
                    break
        raise failure from None

    def open_session(self, method: str) -> WrittenStream:
        """Open a bidirectional stream that takes bytes and returns messages."""
        response = GetMessageClass(self._service.methods_by_name[method].output_type)
        function = self.channel.stream_stream(
            self._path(method), request_serializer=identity, response_deserializer=response.FromString
        )
        return WrittenStream(function())

    def open_download(self, method: str, request: Message) -> Any:
        """Open a server-side stream of raw bytes."""
        return self.channel.unary_stream(
            self._path(method), request_serializer=serialize, response_deserializer=identity
        )(request)

    def open_upload(self, method: str) -> WrittenStream:
        """Open a client-side stream of raw bytes."""
        response = GetMessageClass(self._service.methods_by_name[method].output_type)
        function = self.channel.stream_unary(
            self._path(method), request_serializer=identity, response_deserializer=response.FromString
        )
        return WrittenStream(function())


class ChannelPool:
    """Channels by address: made at first use, closed when they are idle or with the pool.

    Parameters
    ----------
    channel_options : Options
        Options of all its channels.
    idle : float
        Seconds after which an unused channel may be closed.
    limit : int
        The number of channels from which on idle channels are closed.
    credentials : Credentials, optional
        For TLS and tokens.
    """

    def __init__(
        self,
        channel_options: grpc_options.Options,
        idle: float = 60.0,
        limit: int = 512,
        credentials: Credentials | None = None,
    ) -> None:
        self._options = channel_options
        self._credentials = credentials
        self._idle = idle
        self._limit = limit
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._used: dict[str, float] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, address: str) -> grpc.aio.Channel:
        """Return the channel to an address."""
        channel = self._channels.pop(address, None)
        if channel is None:
            if len(self._channels) >= self._limit:
                self._close_idle()
            channel = open_channel(address, self._options, self._credentials)
        # The most recently used channel is the last one.
        self._channels[address] = channel
        self._used[address] = time.monotonic()
        return channel

    def client(self, address: str, service: ServiceDescriptor, peer: str = "") -> ServiceClient:
        """Return a client of a service at an address."""
        return ServiceClient(self.get(address), service, peer or address)

    def _close_idle(self) -> None:
        now = time.monotonic()
        for address in [a for a in self._channels if now - self._used[a] > self._idle]:
            self.discard(address)

    def discard(self, address: str) -> None:
        """Close the channel to an address."""
        channel = self._channels.pop(address, None)
        self._used.pop(address, None)
        if channel is not None:
            spawn(channel.close(), self._closing)

    async def close(self) -> None:
        """Close all channels."""
        channels = list(self._channels.values())
        self._channels.clear()
        for channel in channels:
            await channel.close()
