"""Calls of actors' methods: directly to the workers that hold the actors, or through the scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pickle
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Protocol

import grpc

from dagrpc import config
from dagrpc._auth.credentials import Credentials
from dagrpc._client import current
from dagrpc._client.key_table import ERROR, FINISHED, KeyState, KeyTable, lock
from dagrpc._codec import payload as payloads
from dagrpc._common.bytes_like import Buffer
from dagrpc._loop.io_loop import LoopThread, cancel_all, spawn
from dagrpc._loop.wakeup_queue import WakeUpQueue
from dagrpc._peer.session import Session
from dagrpc._rpc import error_status, grpc_options
from dagrpc._rpc.channels import ChannelPool, ServiceClient
from dagrpc._transfer.transfers import OutgoingValue, ReceivedValue, download, upload
from dagrpc.exceptions import ClosedClientError, CommClosedError, DagrpcError, LimitReachedError, LostActorError
from dagrpc.v1 import actor_service_pb2 as pb
from dagrpc.v1 import common_pb2, data_pb2

logger = logging.getLogger("dagrpc.client")

ACTOR_SERVICE = pb.DESCRIPTOR.services_by_name["ActorService"]
RELAY_SERVICE = pb.DESCRIPTOR.services_by_name["ActorRelayService"]

_DIRECT_TIMEOUT = 5.0
"""Seconds after which a worker is called through the scheduler instead, if the option ``direct`` allows it."""

_CONCURRENT = 8
"""Large values that are fetched at the same time."""
_BUSY_SECONDS = 0.1
"""Seconds after which a worker that serves too many transfers is asked again."""
_BATCH_BYTES = 1 << 20
"""Approximate size of the arguments in one message."""
_RELAYED_LIMIT = 1 << 30
"""Bytes of arguments that one call through the scheduler can carry: there they are one message, below 2 GiB."""

NOT_DECODED: Any = object()
"""Stands for a value that was not asked for yet."""


class Holder(Protocol):
    """The core of a client that holds futures and actors in values."""

    @property
    def client(self) -> Any:
        """The client."""

    @property
    def session(self) -> Any:
        """The session of the client."""


class CallState(KeyState):
    """The state of one call of an actor: a method call, or with `read` the reading of an attribute.

    `what` names the call in messages, `actor` is the actor's wire key. With `on_loop` the method runs on the worker's
    event loop rather than in a thread.
    """

    __slots__ = ("actor", "arguments", "holder", "kept", "name", "on_loop", "read", "value")

    def __init__(self, what: str, actor: str, name: str, read: bool, on_loop: bool = False) -> None:
        super().__init__(what, "")
        self.actor = actor
        self.name = name
        self.read = read
        self.on_loop = on_loop
        self.arguments: tuple[str, Sequence[Buffer]] | None = None
        """Encoding and frames of the arguments until they are sent; None if there are no arguments."""
        self.kept: Any = None
        """Futures and actors among the arguments, which must not be released before the call has ended."""
        self.holder: Callable[[], Holder] | None = None
        """Returns the core of the client that holds futures and actors in the value."""
        self.value: Any = NOT_DECODED
        """The value of the call, once it was decoded."""

    def returned(self, value: Any) -> None:
        """Note the decoded value that the method returned."""
        self.value = value
        self._resolve(FINISHED)

    def replied(self, payload: bytes | common_pb2.Payload | ReceivedValue) -> None:
        """Note the encoded value that the method returned."""
        self.payload = payload
        self._resolve(FINISHED)

    def failed(self, failure: Any) -> None:
        """Note the failure of the call: a `Failure` message, or a pair of exception and traceback."""
        self.failure = failure
        self._resolve(ERROR)

    def broke(self, error: BaseException) -> None:
        """Note that the call could not be made, or that its outcome is unknown."""
        if not self.done:
            self.failed((error, None))

    def _resolve(self, outcome: str) -> None:
        self.arguments = self.kept = self.holder = None
        with lock:
            self.status = outcome
            if self.waiters is not None:
                KeyTable._wake(self)

    def adopt(self, payload: bytes | common_pb2.Payload | ReceivedValue) -> tuple[Any, Holder]:
        """Decode a value with futures or actors in it. Return the value, and the core that holds them from now on."""
        assert self.holder is not None
        holder = self.holder()
        with current.as_current(holder.client):
            if isinstance(payload, ReceivedValue):
                value = payloads.decode(payload.entry.encoding, payload.frames)
            else:
                value = pickle.loads(payload) if isinstance(payload, bytes) else payloads.from_payload(payload)
        return value, holder


class ActorCaller:
    """Calls actors for a client or a worker, over one stream to each worker, which the first call opens.

    `name` is the caller's name for workers, `data` the channels for bulk data. With ``direct=False`` calls go through
    `scheduler`; with None they do where a worker cannot be reached.
    """

    def __init__(
        self,
        loop: LoopThread,
        name: str,
        data: ChannelPool,
        scheduler: ServiceClient | None = None,
        direct: bool | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.name = name
        self.data = data
        self.scheduler = scheduler
        self.direct = direct
        self.channels = ChannelPool(grpc_options.CONTROL_CHANNEL, credentials=credentials)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.fetching = asyncio.Semaphore(_CONCURRENT)
        """Held while a large value is fetched."""
        self._queue: WakeUpQueue[tuple[str, CallState]] = WakeUpQueue(loop.loop, self._flush)
        self._links: dict[str, _Link] = {}
        self._closed = False

    def send(self, address: str, call: CallState) -> None:
        """Queue a call behind all earlier calls to the worker. May be called from any thread."""
        if not self._queue.put((address, call)):
            call.broke(CommClosedError("The event loop is closed"))

    def _flush(self) -> None:
        links = self._links
        for address, call in self._queue.drain():
            if self._closed:
                call.broke(ClosedClientError("The client is closed"))
                continue
            link = links.get(address)
            if link is None:
                link = links[address] = _Link(self, address)
                spawn(self._hold(link), self.tasks)
            link.put(call)

    async def _hold(self, link: _Link) -> None:
        """Hold the stream to a worker until it breaks. The next call opens a new stream."""
        error: BaseException = CommClosedError("the worker ended the session")
        try:
            await link.run()
        except grpc.aio.AioRpcError as broken:
            error = error_status.from_rpc_error(broken, link.address)
        except (CommClosedError, DagrpcError, TimeoutError, asyncio.InvalidStateError) as broken:
            error = broken
        except asyncio.CancelledError:
            error = ClosedClientError("the client was closed")
            raise
        except Exception as broken:
            logger.exception("The calls to actors at %s failed", link.address)
            error = broken
        finally:
            if self._links.get(link.address) is link:
                del self._links[link.address]
            link.end(error)
            self.channels.discard(link.address)

    async def close(self) -> None:
        """End all streams. Calls that are not done fail."""
        self._closed = True
        self._flush()
        await cancel_all(self.tasks)
        await self.channels.close()


class _Link:
    """The stream to one worker. Lives on the IO loop."""

    def __init__(self, caller: ActorCaller, address: str) -> None:
        self.address = address
        self._caller = caller
        self._waiting: deque[CallState] = deque()
        """Calls that are not sent yet."""
        self._pending: dict[int, CallState] = {}
        """Calls that were sent and not answered, by id."""
        self._session: Session[_Item] | None = None
        self._session_id = ""
        self._inline_limit = 0
        self._relayed = False
        self._last_id = 0
        self._uploading = False

    def put(self, call: CallState) -> None:
        """Send a call, behind calls that wait."""
        if self._session is None or self._waiting or self._uploading or call.arguments is not None:
            self._waiting.append(call)
            self._advance()
        else:
            self._send(call)

    def _advance(self) -> None:
        """Send the waiting calls, up to the first whose arguments have to be uploaded before."""
        waiting = self._waiting
        while waiting and self._session is not None and not self._uploading:
            call = waiting.popleft()
            size = sum(map(_length, call.arguments[1])) if call.arguments is not None else 0
            if self._relayed and size > _RELAYED_LIMIT:
                call.broke(
                    ValueError(f"{call.key} has arguments of {size} bytes: too much to go through the scheduler")
                )
            elif not self._relayed and size > self._inline_limit:
                self._uploading = True
                self._task(self._upload(call))
            else:
                self._send(call)

    def _send(self, call: CallState, arguments_key: str = "") -> None:
        assert self._session is not None
        self._last_id += 1
        self._pending[self._last_id] = call
        self._session.send((self._last_id, call, arguments_key))

    async def _upload(self, call: CallState) -> None:
        """Upload the arguments of a call to the worker, then send the call."""
        assert call.arguments is not None
        self._last_id += 1
        key = f"{self._session_id}/arguments-{self._last_id}"
        encoding, frames = call.arguments
        try:
            await upload(self._data_client(), "PutActorData", [OutgoingValue(key, encoding, frames)])
        except (DagrpcError, OSError, TimeoutError) as error:
            call.broke(error)
        else:
            call.arguments = None
            self._send(call, key)
        finally:
            self._uploading = False
            self._advance()

    def _data_client(self) -> ServiceClient:
        return self._caller.data.client(self.address, ACTOR_SERVICE)

    def _task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        spawn(coroutine, self._caller.tasks)

    # --- the stream ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, and read and write until the stream ends."""
        caller = self._caller
        timeout = config.get_seconds("comm.timeouts.connect") or 30.0
        session: Session[_Item] | None = None
        if caller.direct is not False or caller.scheduler is None:
            can_relay = caller.scheduler is not None and caller.direct is None
            try:
                channel = caller.channels.get(self.address)
                stream = ServiceClient(channel, ACTOR_SERVICE, self.address).open_session("CallActor")
                session = await self._open(stream, min(timeout, _DIRECT_TIMEOUT) if can_relay else timeout)
            except (CommClosedError, TimeoutError) as error:
                if not can_relay:
                    raise
                logger.debug("No direct way to actors at %s: %s", self.address, error)
        if session is None:
            self._relayed = True
            session = await self._open(_RelayedStream(caller.scheduler, self.address), timeout)
        self._session = session
        self._advance()
        await session.run(self._on_message)

    async def _open(self, stream: Any, timeout: float) -> Session[_Item]:
        """Open a session on a stream.

        Raises
        ------
        CommClosedError
            If the worker cannot be reached.
        """
        session: Session[_Item] = Session(stream, _encode, pb.CallActorResponse, self.address)
        hello = pb.ActorHello(caller=self._caller.name, fetches_large_values=not self._relayed)
        try:
            async with asyncio.timeout(timeout):
                await session.write_now(pb.CallActorRequest(hello=hello))
                answer = await session.read_now()
        except TimeoutError:
            stream.cancel()
            raise CommClosedError(f"No answer from {self.address} within {timeout:g} s") from None
        except grpc.aio.AioRpcError as error:
            raise error_status.from_rpc_error(error, self.address) from None
        except asyncio.InvalidStateError:
            raise CommClosedError(f"{self.address} ended the session before it began") from None
        if answer is None:
            # Reading again raises the error of a refusal, with its reason.
            with contextlib.suppress(asyncio.InvalidStateError):
                await stream.read()
            raise CommClosedError(f"{self.address} ended the session before it began")
        self._session_id = answer.welcome.session_id
        self._inline_limit = answer.welcome.inline_limit
        return session

    def _on_message(self, message: pb.CallActorResponse) -> None:
        pending = self._pending
        for reply in message.replies:
            call = pending.pop(reply.call_id, None)
            if call is None:
                continue
            outcome = reply.WhichOneof("outcome")
            if outcome == "value" and reply.kept_key:
                self._task(self._adopt(call, _payload(reply.value), reply.kept_key))
            elif outcome == "value":
                call.replied(_payload(reply.value))
            elif outcome == "failure":
                # Copied, since a part of a message keeps the whole message alive.
                failure = type(reply.failure)()
                failure.CopyFrom(reply.failure)
                call.failed(failure)
            elif outcome == "value_key":
                self._task(self._fetch(call, reply.value_key))
            else:
                call.broke(LostActorError(f"Worker holding Actor was lost: {reply.no_actor or call.key}"))

    async def _adopt(self, call: CallState, payload: bytes | common_pb2.Payload | ReceivedValue, key: str) -> None:
        """Decode a value and hold the futures and actors in it, which the worker keeps until then."""
        try:
            value, holder = await asyncio.to_thread(call.adopt, payload)
            # After this the scheduler knows that this client wants the futures and actors.
            await holder.session.ping()
            call.returned(value)
        except asyncio.CancelledError:
            call.broke(ClosedClientError("The client is closed"))
            raise
        except Exception as error:
            call.broke(error)
        finally:
            self._release(key)

    def _release(self, key: str) -> None:
        """Tell the worker that it may drop a value."""
        if self._session is not None:
            self._session.send(key)

    async def _fetch(self, call: CallState, key: str) -> None:
        """Fetch a large value."""
        try:
            async with self._caller.fetching:
                values = await self._download(key)
            if not values or values[0].entry.outcome != data_pb2.DATA_OUTCOME_OK:
                raise CommClosedError(f"{self.address} did not keep what {call.key} returned")
            if await asyncio.to_thread(payloads.may_refer, values[0].entry.encoding, values[0].frames):
                await self._adopt(call, values[0], key)
            else:
                call.replied(values[0])
        except asyncio.CancelledError:
            call.broke(ClosedClientError("The client is closed"))
            raise
        except Exception as error:
            call.broke(error)
        finally:
            self._release(key)

    async def _download(self, key: str) -> list[ReceivedValue]:
        while True:
            try:
                return await download(self._data_client(), "GetActorData", pb.GetActorDataRequest(keys=[key]))
            except LimitReachedError:
                # The worker keeps the value as long as the session lasts.
                if self._session is None:
                    raise
            await asyncio.sleep(_BUSY_SECONDS)

    def end(self, error: BaseException) -> None:
        """Fail all calls that are not done."""
        calls = [*self._pending.values(), *self._waiting]
        self._pending.clear()
        self._waiting.clear()
        self._session = None
        kind = ClosedClientError if isinstance(error, ClosedClientError) else CommClosedError
        for call in calls:
            call.broke(kind(f"Unable to contact Actor's worker {self.address} for {call.key}: {error}"))


class _RelayedStream:
    """A stream to a worker that goes through the scheduler."""

    def __init__(self, scheduler: ServiceClient | None, address: str) -> None:
        assert scheduler is not None
        self._call = ServiceClient(scheduler.channel, RELAY_SERVICE, scheduler.peer).open_session("RelayActorCalls")
        self._first = pb.RelayActorCallsRequest(worker=address).SerializeToString()

    async def write(self, data: bytes) -> None:
        """Write a message."""
        if self._first:
            first, self._first = self._first, b""
            await self._call.write(first)
        await self._call.write(pb.RelayActorCallsRequest(message=data).SerializeToString())

    async def read(self) -> Any:
        """Read a message."""
        piece = await self._call.read()
        return piece if piece is grpc.aio.EOF else pb.CallActorResponse.FromString(piece.message)

    def cancel(self) -> None:
        """Cancel the stream."""
        self._call.cancel()


_Item = tuple[int, CallState, str] | str
"""A call with its id and the key of its uploaded arguments; or the key of a value that was fetched."""


def _encode(items: Iterable[_Item]) -> Iterator[pb.CallActorRequest]:
    """Put items into messages."""
    message, size = pb.CallActorRequest(), 0
    for item in items:
        if isinstance(item, str):
            message.fetched.append(item)
            continue
        call_id, call, arguments_key = item
        target = message.calls.add(
            call_id=call_id,
            key=call.actor,
            name=call.name,
            read=call.read,
            arguments_key=arguments_key,
            on_loop=call.on_loop,
        )
        if call.arguments is not None:
            encoding, frames = call.arguments
            if len(frames) == 1:
                target.arguments.encoding = encoding
                target.arguments.data = bytes(frames[0])
            else:
                target.arguments.CopyFrom(payloads.frames_to_payload(encoding, frames))
            size += len(target.arguments.data)
            call.arguments = None
            if size > _BATCH_BYTES:
                yield message
                message, size = pb.CallActorRequest(), 0
    yield message


def _payload(payload: common_pb2.Payload) -> bytes | common_pb2.Payload:
    """Return a payload, or just its pickle, detached from the message that it came in."""
    if payload.encoding == payloads.PICKLE and not payload.frame_lengths:
        return payload.data
    copy = common_pb2.Payload()
    copy.CopyFrom(payload)
    return copy


def _length(frame: Buffer) -> int:
    return frame.nbytes if isinstance(frame, memoryview) else len(frame)
