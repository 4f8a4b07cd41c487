"""Fetches results from peers, over one stream to each peer that stays open: see `FetchData` in the contract."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterable, Iterator

import grpc

from dagrpc import config
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc._peer.session import Session, flush_after
from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ChannelPool, ServiceClient
from dagrpc._transfer import same_host, transfers
from dagrpc._transfer.transfers import ReceivedValue
from dagrpc.exceptions import CommClosedError, LimitReachedError, NotSameHostError
from dagrpc.v1 import worker_service_pb2 as pb

logger = logging.getLogger("dagrpc.worker")

_Item = pb.Fetch | int
"""A fetch, or the number of a fetch whose answer has been read."""


class PeerStreams:
    """Fetches results from peers."""

    def __init__(self, channels: ChannelPool) -> None:
        self._channels = channels
        self._streams: dict[str, _PeerStream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timeout = config.get_seconds("comm.timeouts.tcp") or 30.0
        self._without: set[str] = set()
        """Peers that do not serve such streams."""

    async def fetch(self, address: str, request: pb.GetDataRequest, nbytes: int) -> list[ReceivedValue]:
        """Return results of a peer, whose total size is about `nbytes`.

        Raises
        ------
        CommClosedError
            If the peer cannot be reached or the transfer breaks.
        LimitReachedError
            If the peer is too busy.
        """
        # Looking the client up also marks the channel as used.
        client = self._channels.client(address, transfers.WORKER_SERVICE, f"worker {address}")
        may_read = transfers.has_way(client.peer)
        # A stream carries no transfer that must be sent in pieces.
        fits = nbytes <= transfers.WHOLE or (may_read and nbytes >= len(request.keys) * same_host.WORTHWHILE)
        if fits and address not in self._without:
            request.host = same_host.token() if may_read else ""
            stream = self._streams.get(address) or self._open(address, client)
            try:
                answer = await stream.fetch(request, self._timeout)
                if answer is not None:
                    return await stream.read(answer)
            except NotSameHostError as error:
                transfers.close_way(client.peer, error)
        return await transfers.download(client, "GetData", request)

    def _open(self, address: str, client: ServiceClient) -> _PeerStream:
        stream = self._streams[address] = _PeerStream(client)
        spawn(self._hold(address, stream), self._tasks)
        return stream

    async def _hold(self, address: str, stream: _PeerStream) -> None:
        """Hold a stream until it ends. The next fetch opens another."""
        error: Exception = CommClosedError(f"{stream.peer} ended the stream of fetches")
        try:
            await stream.session.run(stream.on_message)
        except grpc.aio.AioRpcError as broken:
            error = error_status.from_rpc_error(broken, stream.peer)
            if broken.code() is grpc.StatusCode.UNIMPLEMENTED:
                self._without.add(address)
        except asyncio.InvalidStateError:
            pass
        except Exception as broken:
            logger.exception("The stream of fetches from %s failed", stream.peer)
            error = broken
        finally:
            if self._streams.get(address) is stream:
                del self._streams[address]
            stream.end(None if address in self._without else error)

    async def close(self) -> None:
        """End all streams. Pending fetches fail."""
        await cancel_all(self._tasks)


class _PeerStream:
    """The stream to one peer."""

    def __init__(self, client: ServiceClient) -> None:
        self.peer = client.peer
        self._stream = client.open_session("FetchData")
        self.session: Session[_Item] = Session(self._stream, _encode, pb.FetchDataResponse, self.peer)
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[pb.Fetched | None]] = {}
        self._ended = False

    async def fetch(self, request: pb.GetDataRequest, timeout: float) -> pb.Fetched | None:
        """Fetch results, and return the answer; None if the caller must use GetData."""
        number = next(self._numbers)
        future = self._pending[number] = asyncio.get_running_loop().create_future()
        flush_after(self.session.send, pb.Fetch(number=number, request=request))
        try:
            async with asyncio.timeout(timeout):
                answer = await future
        except TimeoutError:
            # The stream may be dead.
            self._stream.cancel()
            raise CommClosedError(f"A transfer made no progress for {timeout:g} s") from None
        finally:
            self._pending.pop(number, None)
        if answer is not None and answer.refusal == pb.FETCH_REFUSAL_BUSY:
            raise LimitReachedError(f"{self.peer} has too many transfers under way")
        return answer if answer is not None and answer.HasField("manifest") else None

    async def read(self, answer: pb.Fetched) -> list[ReceivedValue]:
        """Return the results in an answer."""
        from_memory = bool(answer.manifest.pid)
        try:
            values = await transfers.read_whole(answer.manifest)
        finally:
            # Also if reading fails: the sender would keep the values, and a slot, for minutes.
            if from_memory:
                self.session.send(answer.number)
        # The sender keeps the memory unchanged while the stream is open.
        if from_memory and (self._ended or self._stream.done()):
            raise CommClosedError(f"{self.peer} ended the transfer while its memory was being read")
        return values

    def on_message(self, message: pb.FetchDataResponse) -> None:
        """Take answers."""
        for answer in message.answers:
            future = self._pending.get(answer.number)
            if future is not None and not future.done():
                future.set_result(answer)
            elif answer.manifest.pid:
                # The caller was cancelled.
                self.session.send(answer.number)

    def end(self, error: Exception | None) -> None:
        """End all pending fetches: with an error, or with None, after which the callers use GetData."""
        self._ended = True
        for future in self._pending.values():
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
        self._stream.cancel()


def _encode(items: Iterable[_Item]) -> Iterator[pb.FetchDataRequest]:
    message = pb.FetchDataRequest()
    for item in items:
        if isinstance(item, int):
            message.read.append(item)
        else:
            message.fetches.append(item)
    yield message
