"""ActorService: calls of the worker's actors, in sessions of their callers."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import pickle
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import thread as futures_thread
from typing import TYPE_CHECKING, Any

import grpc

from dagrpc import config
from dagrpc._codec import payload as payloads
from dagrpc._codec.failures import encode_failure, type_name
from dagrpc._codec.tracebacks import frames_in
from dagrpc._common.bytes_like import Buffer
from dagrpc._loop.wakeup_queue import WakeUpQueue
from dagrpc._peer.session import Session
from dagrpc._transfer import transfers
from dagrpc.exceptions import CommClosedError, InvalidRequestError, UnknownSessionError
from dagrpc.v1 import actor_service_pb2 as pb
from dagrpc.v1 import common_pb2, failure_pb2, worker_service_pb2
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.servicers.data_transfers import DataServicer
from dagrpc_worker.shell import actor_host as hosting
from dagrpc_worker.shell.fetch.fetcher import decode_off_loop

if TYPE_CHECKING:
    from dagrpc_worker.shell.actor_host import ActorHost, Arguments

logger = logging.getLogger("dagrpc.worker")

SERVICE = pb.DESCRIPTOR.services_by_name["ActorService"]
RAW_REQUESTS = ("PutActorData",)
"""Methods that get their messages as bytes: bulk data, which is decoded by hand."""

_INLINE_LIMIT = 1 << 20
"""Size in bytes above which arguments and values are sent by transfers."""
_REPLY_LIMIT = 1 << 30
"""Maximum size in bytes of a value in a reply: a message cannot have 2 GiB."""
_BATCH_BYTES = 1 << 20
"""Approximate size in bytes of the values in one message."""

_NO_ARGUMENTS: Arguments = ((), {})
# Tracebacks begin with the user's code: the frames of these files come before it and are cut off.
_OWN_FILES = frozenset((__file__, hosting.__file__, futures_thread.__file__, inspect.__file__))


class ActorServicer:
    """The methods of ActorService, by the names of the contract."""

    def __init__(self) -> None:
        self.host: ActorHost | None = None
        """Holds the actors; None until the worker's parts exist."""
        self._mail = DataStore()
        """Arguments that wait for their call, and values that wait to be fetched, by key."""
        self._data = DataServicer(self._mail, lambda found: None)
        self._callers: dict[str, _Caller] = {}
        self._patience = config.get_seconds("comm.timeouts.tcp") or 30.0

    async def CallActor(self, _: Any, context: Any) -> None:
        """Hold the session of a caller."""
        first = await context.read()
        if first is grpc.aio.EOF or not first.HasField("hello"):
            raise InvalidRequestError("the first message of a session with actors must hold `hello`")
        if first.hello.encoding not in ("", "pickle", "json"):
            raise InvalidRequestError(f"values can be encoded as pickle or json, not as {first.hello.encoding!r}")
        caller = _Caller(self, context, first.hello)
        welcome = pb.ActorWelcome(session_id=caller.id, inline_limit=_INLINE_LIMIT)
        await caller.session.write_now(pb.CallActorResponse(welcome=welcome))
        self._callers[caller.id] = caller
        try:
            await caller.session.run(caller.take)
        finally:
            del self._callers[caller.id]
            self._mail.drop([key for key in self._mail if key.startswith(f"{caller.id}/")])

    async def GetActorData(self, request: pb.GetActorDataRequest, context: Any) -> None:
        """Send values of replies that are too large for a message."""
        wanted = worker_service_pb2.GetDataRequest(
            keys=request.keys, max_bytes=request.max_bytes, requester=request.requester, host=request.host
        )
        await self._data.get_data(wanted, context)

    async def PutActorData(self, _: Any, context: Any) -> pb.PutActorDataResponse:
        """Store arguments that are too large for a message."""
        try:
            received = await transfers.receive(context.read, self._patience)
        except CommClosedError as error:
            raise InvalidRequestError(str(error)) from None
        for value in received:
            if value.entry.key.partition("/")[0] not in self._callers:
                raise UnknownSessionError(f"{value.entry.key!r} belongs to no session that is open here")
        decoded = await decode_off_loop(received)
        for key, failure in decoded.failed.items():
            raise InvalidRequestError(f"The value of {key!r} cannot be decoded: {failure.type_name}: {failure.message}")
        referring = await asyncio.to_thread(_referring, received)
        for key, arguments in decoded.values.items():
            self._mail.put(key, (arguments, key in referring), decoded.sizes[key])
        return pb.PutActorDataResponse(total_bytes=sum(memoryview(f).nbytes for v in received for f in v.frames))

    def leave(self, key: str, value: Any, nbytes: int) -> None:
        """Keep a value until the caller fetches it."""
        self._mail.put(key, value, nbytes)

    def pick_up(self, key: str) -> Any:
        """Return stored arguments and remove them.

        Raises
        ------
        InvalidRequestError
            If there are no arguments under the key.
        """
        try:
            value = self._mail[key]
        except KeyError:
            raise InvalidRequestError(f"no arguments were put under {key!r}") from None
        self._mail.drop((key,))
        return value

    def forget(self, keys: Iterable[str]) -> None:
        """Remove values that were fetched."""
        self._mail.drop(keys)


class _Caller:
    """The session of one caller."""

    def __init__(self, servicer: ActorServicer, context: Any, hello: pb.ActorHello) -> None:
        self.id = uuid.uuid4().hex
        name = f"caller {hello.caller!r} of actors"
        self.session: Session[_Reply] = Session(context, _encode, pb.CallActorRequest, name)
        self._servicer = servicer
        self._as_json = hello.encoding == "json"
        self._fetches = hello.fetches_large_values and not self._as_json
        self._replies: WakeUpQueue[_Reply] = WakeUpQueue(asyncio.get_running_loop(), self._send_replies)

    def take(self, message: pb.CallActorRequest) -> None:
        """Begin the calls of a message."""
        for call in message.calls:
            if not call.call_id or not call.name:
                raise InvalidRequestError("a call needs an id and a name")
            self._begin(call)
        if message.fetched:
            self._servicer.forget(key for key in message.fetched if key.startswith(f"{self.id}/"))

    def _begin(self, call: pb.ActorCall) -> None:
        host, call_id, name = self._servicer.host, call.call_id, call.name
        instance = host.instances.get(call.key, hosting.NO_ACTOR) if host is not None else hosting.NO_ACTOR
        if host is None or instance is hosting.NO_ACTOR:
            self.session.send((call_id, "no_actor", f"{call.key!r} is not, or no longer, held here"))
            return

        load, refers = self._loader(call)

        def finish(value: Any, error: BaseException | None) -> None:
            if refers:
                try:
                    host.settle_wants()
                except Exception:
                    # The caller must get a reply in any case.
                    logger.warning("The scheduler may not know what the arguments of %r refer to", name, exc_info=True)
            self._reply(self._encoded(call_id, f"{type(instance).__name__}.{name}", value, error))

        host.start(instance, name, call.read, load, finish, slow_end=refers, on_loop=call.on_loop)

    def _loader(self, call: pb.ActorCall) -> tuple[Callable[[], Arguments], bool]:
        """Return a function that decodes the arguments, and whether these may have futures or actors."""
        if call.arguments_key:
            arguments, refers = self._servicer.pick_up(call.arguments_key)
            return (lambda: arguments), refers
        if not call.HasField("arguments"):
            return (lambda: _NO_ARGUMENTS), False
        payload = call.arguments
        if payload.encoding == "json":
            return (lambda: _from_json(payload)), False
        if payload.encoding != payloads.PICKLE:
            raise InvalidRequestError(f"arguments can be encoded as pickle or json, not as {payload.encoding!r}")
        data = payload.data
        refers = payloads.may_refer(payload.encoding, [data])
        if payload.frame_lengths:
            return (lambda: payloads.from_payload(payload)), refers
        return (lambda: pickle.loads(data)), refers

    def _encoded(self, call_id: int, what: str, value: Any, error: BaseException | None) -> _Reply:
        """Return the reply to a call. In any thread."""
        if error is None:
            try:
                return self._encoded_value(call_id, value)
            except Exception as broken:
                error = TypeError(f"Could not serialize what {what} returned, a {type_name(type(value))}: {broken}")
                return call_id, "failure", encode_failure(error, failure_pb2.FAILURE_KIND_SERIALIZATION)
        logger.debug("%s raised", what, exc_info=error)
        return call_id, "failure", encode_failure(error, skip_frames=_own_frames(error))

    def _encoded_value(self, call_id: int, value: Any) -> _Reply:
        if self._as_json:
            return call_id, "value", ("json", [json.dumps(value).encode()], None)
        encoding, frames = payloads.encode(value)
        size = sum(map(_length, frames))
        if size > _INLINE_LIMIT and self._fetches:
            return call_id, "value_key", (value, size)
        if size > _REPLY_LIMIT:
            raise ValueError(f"its {size} bytes are too much to go through the scheduler")
        # Futures and actors in the value must not be released before the caller holds them.
        kept = value if payloads.may_refer(encoding, frames) else None
        return call_id, "value", (encoding, frames, kept)

    def _reply(self, reply: _Reply) -> None:
        """Send a reply. From any thread."""
        if not self._replies.put(reply):
            logger.debug("A method of an actor ended after its worker")

    def _send_replies(self) -> None:
        for call_id, kind, content in self._replies.drain():
            if kind == "value_key" and not self.session.closed:
                value, size = content
                content = f"{self.id}/value-{call_id}"
                self._servicer.leave(content, value, size)
            elif kind == "value" and content[2] is not None and not self.session.closed:
                encoding, frames, kept = content
                key = f"{self.id}/kept-{call_id}"
                self._servicer.leave(key, kept, 0)
                content = (encoding, frames, key)
            self.session.send((call_id, kind, content))


_Reply = tuple[int, str, Any]
"""Id of the call, kind of the outcome, and its content; for a value: encoding, frames and the object to keep alive."""


def _encode(replies: Iterable[_Reply]) -> Iterator[pb.CallActorResponse]:
    """Yield messages with the replies."""
    message, size = pb.CallActorResponse(), 0
    for call_id, kind, content in replies:
        reply = message.replies.add(call_id=call_id)
        if kind == "value":
            encoding, frames, kept_key = content
            reply.kept_key = kept_key or ""
            payload = reply.value
            payload.encoding = encoding
            if len(frames) == 1:
                payload.data = bytes(frames[0])
            else:
                payload.CopyFrom(payloads.frames_to_payload(encoding, frames))
            size += len(payload.data)
        elif kind == "failure":
            reply.failure.CopyFrom(content)
            size += content.ByteSize()
        else:
            setattr(reply, kind, content)
        if size > _BATCH_BYTES:
            yield message
            message, size = pb.CallActorResponse(), 0
    yield message


def _referring(received: Iterable[transfers.ReceivedValue]) -> set[str]:
    """Return the keys of received values that may have futures or actors in them."""
    return {value.entry.key for value in received if payloads.may_refer(value.entry.encoding, value.frames)}


def _from_json(payload: common_pb2.Payload) -> Arguments:
    found = json.loads(payload.data)
    if isinstance(found, list):
        return found, {}
    if isinstance(found, dict) and found.keys() <= {"args", "kwargs"}:
        return found.get("args", ()), found.get("kwargs", {})
    raise ValueError("Arguments as JSON are an array, or an object with `args` and `kwargs`")


def _length(frame: Buffer) -> int:
    return frame.nbytes if isinstance(frame, memoryview) else len(frame)


def _own_frames(error: BaseException) -> int:
    """Return the number of a traceback's outermost frames that are the worker's own code."""
    return frames_in(error.__traceback__, _OWN_FILES)
