"""Transfers: a manifest, chunks, an end, or a manifest that is the whole. The same in every direction."""

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
from dagrpc._rpc import status
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
"""Up to so many bytes come with the manifest: a message costs more time than they do. What has more is mostly in frames
that are read from memory, where that is possible."""
_FROM_MEMORY = frozenset(("GetData", "GetActorData"))
_TO_MEMORY = frozenset(("PutData", "PutActorData"))
"""Methods of workers. What is relayed cannot be read from memory."""
_READ_AT_ONCE = 2 * 2**20
"""So many bytes are read from memory sooner than a thread could take them over."""

receive_buffers = ReceiveBuffers()
"""The buffers for data that this process receives."""
_closed_ways: set[str] = set()
"""Peers whose memory, or to whom ours, turned out not to be readable."""
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
        Size of its pieces, in bytes.
    in_memory : bool
        Whether the receiver is to read large frames from this process's memory. They must live until it is done.
    host : str
        Names this process's host to a receiver that did not ask.
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
    """Return the manifest that is the whole transfer; None if there is more than fits into it.

    Parameters
    ----------
    in_memory : bool
        Whether the receiver is to read large frames from this process's memory. They must live until it is done.
    """
    manifest, _ = _manifest(values, in_memory, "", WHOLE)
    return manifest if manifest.whole else None


def _manifest(
    values: Sequence[OutgoingValue], in_memory: bool, host: str, limit: int
) -> tuple[data_pb2.Manifest, list[Buffer]]:
    """Return the manifest, and the frames that are to be sent: they are in it if they are not more than a few bytes."""
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
        How long to wait for each message, in seconds.
    asked : bool
        Whether the sender was told this process's host, so that its memory may be read without another look.

    Raises
    ------
    CommClosedError
        If the stream stops before the end, or makes no progress for `timeout` seconds.
    NotSameHostError
        If the sender offers its memory and it cannot be read.
    InvalidRequestError
        If it is not a transfer.
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
    """Return the values of a manifest that is the whole transfer, of which the sender was told this process's host.

    Raises
    ------
    NotSameHostError
        If the sender's memory cannot be read.
    InvalidRequestError
        If something is missing in it.
    """
    reader = TransferReader(receive_buffers.allocate)
    reader.manifest(manifest)
    if not reader.done:
        raise InvalidRequestError("a manifest that is to be the whole transfer is not")
    return await _complete(reader, asked=True)


async def _complete(reader: TransferReader, asked: bool) -> list[ReceivedValue]:
    """Read what is to be read from the sender's memory, and put right what came compressed."""
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
    """Tell whether memory may be readable between this process and a peer, as far as is known."""
    return peer not in _closed_ways


def close_way(peer: str, error: Exception) -> None:
    """Remember that memory cannot be read between this process and a peer."""
    logger.info("Data to and from %s goes through gRPC: %s", peer, error)
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
        # The sender keeps the call open as long as its memory is valid: one that ended it was not, perhaps, to the end.
        if call.done() and any(value.entry.frame_addresses for value in values):
            raise CommClosedError(f"{client.peer} ended the transfer while its memory was being read")
    except grpc.aio.AioRpcError as error:
        raise status.from_rpc_error(error, client.peer) from None
    except BaseException:
        call.cancel()
        raise
    # A sender whose memory was read waits for it; who wants the values need not.
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
        raise status.from_rpc_error(error, client.peer) from None
    except asyncio.InvalidStateError:
        raise CommClosedError(f"{client.peer} ended the transfer before it was complete") from None
    finally:
        call.cancel()
