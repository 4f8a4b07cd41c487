"""Transfers of values: a manifest, chunks and an end, or one manifest with all data, in both directions."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import grpc

from dagrpc import config
from dagrpc._codec.compressions import configured
from dagrpc._common.bytes_like import Buffer
from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ServiceClient
from dagrpc._transfer import compressed_frames, same_host
from dagrpc._transfer.chunk_wire import encode_chunk
from dagrpc._transfer.outgoing_value import OutgoingValue, frame_length, is_read_from_memory
from dagrpc._transfer.receive_buffers import ReceiveBuffers
from dagrpc._transfer.transfer_reader import ReceivedValue, TransferReader
from dagrpc.exceptions import CommClosedError, InvalidRequestError, NotSameHostError
from dagrpc.v1 import data_pb2, worker_service_pb2

__all__ = [
    "WORKER_SERVICE",
    "OutgoingValue",
    "ReceivedValue",
    "TransferReader",
    "close_way",
    "download",
    "has_way",
    "read_whole",
    "receive",
    "receive_buffers",
    "transfer_messages",
    "upload",
    "whole_manifest",
]

logger = logging.getLogger("dagrpc.io")

WORKER_SERVICE = worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"]

WHOLE = same_host.WORTHWHILE
"""Largest transfer, in bytes, whose data is part of the manifest, to save messages. Larger transfers consist mostly of
frames that the receiver can read from the sender's memory."""
_FROM_MEMORY = frozenset(("GetData", "GetActorData"))
_TO_MEMORY = frozenset(("PutData", "PutActorData"))
"""Methods of workers whose frames can be read from memory. Relayed data cannot."""
_READ_AT_ONCE = 2 * 2**20
"""Largest number of bytes that are read from memory without a thread, since the switch would take longer."""

receive_buffers = ReceiveBuffers()
"""The buffers for the data that this process receives."""
_closed_ways: set[str] = set()
"""Peers with which reading memory failed, in either direction."""
_CLOSED_WAYS_LIMIT = 10_000


def offers_memory(values: Sequence[OutgoingValue]) -> bool:
    """Return whether values have frames that a receiver on the same host should read from memory."""
    return any(is_read_from_memory(frame) for value in values for frame in value.frames)


def transfer_messages(
    values: Sequence[OutgoingValue], chunk_size: int | None = None, in_memory: bool = False, host: str = ""
) -> Iterator[bytes]:
    """Yield the serialized messages of a transfer.

    Parameters
    ----------
    chunk_size : int, optional
        Size of a chunk, in bytes.
    in_memory : bool
        Whether the receiver reads large frames from this process's memory. The frames must exist until it is done.
    host : str
        Identifies this process's host, for a receiver that has not sent its own host.
    """
    size = chunk_size or config.get_bytes("comm.chunk-size")
    manifest, frames = _manifest(values, in_memory, host, min(size, WHOLE))
    if manifest.whole:
        yield worker_service_pb2.GetDataResponse(manifest=manifest).SerializeToString()
        return
    total = sum(map(frame_length, frames))
    yield worker_service_pb2.GetDataResponse(manifest=manifest).SerializeToString()
    yield from _chunks(frames, size)
    yield worker_service_pb2.GetDataResponse(end=data_pb2.TransferEnd(total_bytes=total)).SerializeToString()


def whole_manifest(values: Sequence[OutgoingValue], in_memory: bool) -> data_pb2.Manifest | None:
    """Return a manifest that is the whole transfer; None if the data is too large for it.

    With `in_memory` the receiver reads large frames from this process's memory. They must exist until it is done.
    """
    manifest, _ = _manifest(values, in_memory, "", WHOLE)
    return manifest if manifest.whole else None


def _manifest(
    values: Sequence[OutgoingValue], in_memory: bool, host: str, limit: int
) -> tuple[data_pb2.Manifest, list[Buffer]]:
    """Return the manifest, and the frames to send, which the manifest contains if they have at most `limit` bytes."""
    in_memory = in_memory and offers_memory(values)
    manifest = data_pb2.Manifest(entries=[value.entry(in_memory) for value in values])
    if in_memory:
        manifest.pid, manifest.host = os.getpid(), host
    frames = [frame for value in values for frame in value.frames if not (in_memory and is_read_from_memory(frame))]
    if sum(map(frame_length, frames)) <= limit:
        manifest.whole, manifest.data = True, b"".join(frames)
    return manifest, frames


def _chunks(frames: Sequence[Buffer], size: int) -> Iterator[bytes]:
    """Yield the serialized chunks of frames; all but the last hold `size` bytes."""
    offset = held = 0
    pieces: list[Buffer] = []
    for frame in frames:
        view = memoryview(frame).cast("B") if not isinstance(frame, bytes) else memoryview(frame)
        position, length = 0, view.nbytes
        while position < length:
            take = min(size - held, length - position)
            pieces.append(view[position : position + take])
            position += take
            held += take
            if held == size:
                yield encode_chunk(offset, pieces, held)
                offset += held
                pieces, held = [], 0
    if held:
        yield encode_chunk(offset, pieces, held)


async def receive(read: Callable[[], Awaitable[Any]], timeout: float, asked: bool = False) -> list[ReceivedValue]:
    """Read a transfer to its end.

    Parameters
    ----------
    read : coroutine function
        Returns the next serialized message, or `grpc.aio.EOF`.
    timeout : float
        Longest wait for each message, in seconds.
    asked : bool
        Whether the request named this process's host, so that the sender offers memory only on the same host.

    Raises
    ------
    CommClosedError
        If the stream stops before the end, or makes no progress for `timeout` seconds.
    NotSameHostError
        If the sender offers its memory, and its memory cannot be read.
    InvalidRequestError
        If the messages are not a transfer.
    """
    reader = TransferReader(receive_buffers.allocate)
    while not reader.done:
        try:
            async with asyncio.timeout(timeout):
                message = await read()
        except TimeoutError:
            raise CommClosedError(f"A transfer made no progress for {timeout:g} s") from None
        if message is grpc.aio.EOF:
            raise CommClosedError("A transfer stopped before its end")
        reader.feed(message)
    return await _complete(reader, asked)


async def read_whole(manifest: data_pb2.Manifest) -> list[ReceivedValue]:
    """Return the values of a manifest that is the whole transfer, for a request that named this process's host.

    Raises
    ------
    NotSameHostError
        If the sender's memory cannot be read.
    InvalidRequestError
        If the manifest is incomplete.
    """
    reader = TransferReader(receive_buffers.allocate)
    reader.manifest(manifest)
    if not reader.done:
        raise InvalidRequestError("a manifest that is to be the whole transfer is not")
    return await _complete(reader, asked=True)


async def _complete(reader: TransferReader, asked: bool) -> list[ReceivedValue]:
    """Read frames from the sender's memory if it offers them, decompress frames, and return the values."""
    if reader.in_memory:
        if not asked and not same_host.is_here(reader.host):
            raise NotSameHostError("The data was offered in the memory of a process that is not on this host")
        try:
            if sum(buffer.nbytes for _, buffer in reader.in_memory) <= _READ_AT_ONCE:
                same_host.read_memory(reader.pid, reader.in_memory)
            else:
                await asyncio.to_thread(same_host.read_memory, reader.pid, reader.in_memory)
        except OSError as error:
            raise NotSameHostError(str(error)) from None
    reader.in_memory.clear()
    reader.finish()
    await compressed_frames.decompress(reader.values)
    return reader.values


def has_way(peer: str) -> bool:
    """Return whether reading memory between this process and a peer has not failed so far."""
    return peer not in _closed_ways


def close_way(peer: str, error: Exception) -> None:
    """Remember that memory cannot be read between this process and a peer."""
    logger.info("Data to and from %s travels through gRPC: %s", peer, error)
    if len(_closed_ways) >= _CLOSED_WAYS_LIMIT:
        _closed_ways.clear()
    _closed_ways.add(peer)


async def download(
    client: ServiceClient, method: str, request: Any, timeout: float | None = None
) -> list[ReceivedValue]:
    """Call a method that answers with a transfer.

    Raises
    ------
    CommClosedError
        If the peer cannot be reached or the transfer breaks.
    LimitReachedError
        If the peer is too busy.
    """
    limit = timeout if timeout is not None else config.get_seconds("comm.timeouts.tcp") or 30.0
    if method in _FROM_MEMORY and has_way(client.peer):
        request.host = same_host.token()
    try:
        return await _download(client, method, request, limit)
    except NotSameHostError as error:
        close_way(client.peer, error)
        request.host = ""
        return await _download(client, method, request, limit)


async def _download(client: ServiceClient, method: str, request: Any, timeout: float) -> list[ReceivedValue]:
    call = client.open_download(method, request)
    try:
        values = await receive(call.read, timeout, asked=True)
        # The sender keeps the call open while its memory is valid. If the call has ended, the data may be invalid.
        if call.done() and any(value.entry.frame_addresses for value in values):
            raise CommClosedError(f"{client.peer} ended the transfer while its memory was being read")
    except grpc.aio.AioRpcError as error:
        raise error_status.from_rpc_error(error, client.peer) from None
    except BaseException:
        call.cancel()
        raise
    # The sender waits for the end of the call if its memory was read. The caller does not have to wait.
    asyncio.get_running_loop().call_soon(call.cancel)
    return values


async def upload(
    client: ServiceClient, method: str, values: Sequence[OutgoingValue], first: bytes | None = None
) -> Any:
    """Call a method that takes a transfer, and return its response.

    Parameters
    ----------
    first : bytes, optional
        A serialized message to send before the transfer.

    Raises
    ------
    CommClosedError
        If the peer cannot be reached or the transfer breaks.
    """
    host = same_host.token() if method in _TO_MEMORY and has_way(client.peer) else ""
    if host and offers_memory(values):
        try:
            return await _upload(client, method, values, first, host)
        except NotSameHostError as error:
            close_way(client.peer, error)
    values = await compressed_frames.compress(values, configured("comm.compression"))
    return await _upload(client, method, values, first, "")


async def _upload(
    client: ServiceClient, method: str, values: Sequence[OutgoingValue], first: bytes | None, host: str
) -> Any:
    call = client.open_upload(method)
    try:
        if first is not None:
            await call.write(first)
        for message in transfer_messages(values, in_memory=bool(host), host=host):
            await call.write(message)
        await call.done_writing()
        return await call
    except grpc.aio.AioRpcError as error:
        raise error_status.from_rpc_error(error, client.peer) from None
    except asyncio.InvalidStateError:
        raise CommClosedError(f"{client.peer} ended the transfer before it was complete") from None
    finally:
        call.cancel()
