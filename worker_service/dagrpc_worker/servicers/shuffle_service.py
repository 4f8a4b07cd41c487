"""ShuffleService: parcels and outputs that workers send each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._rpc.server import read_all
from dagrpc.exceptions import InvalidRequestError
from dagrpc.shuffle.specs import Parcel, Piece
from dagrpc.v1 import shuffle_service_pb2 as pb
from dagrpc_worker.shell.shuffle.shuffle_outbox import ParcelReader, parcel_messages

if TYPE_CHECKING:
    from dagrpc_worker.shell.shuffle.shuffle_runs import Shuffles


class ShuffleServicer:
    """The methods of ShuffleService, by the names of the contract; `shuffles` returns the worker's shuffles."""

    def __init__(self, shuffles: Callable[[], Shuffles]) -> None:
        self._shuffles = shuffles

    async def SendParcels(self, _: Any, context: Any) -> pb.SendParcelsResponse:
        """Store the parcels of another worker."""
        reader = ParcelReader()
        shuffles = self._shuffles()
        async for request in read_all(context):
            _check(request.run)
            try:
                parcels = list(reader.take(request.parcels))
            except ValueError as error:
                raise InvalidRequestError(str(error)) from None
            await shuffles.keep(request.run, parcels)
        try:
            reader.finish()
        except ValueError as error:
            raise InvalidRequestError(str(error)) from None
        return pb.SendParcelsResponse()

    async def FlushShuffle(self, request: pb.FlushShuffleRequest) -> pb.FlushShuffleResponse:
        """Wait until this worker has sent all parcels of a run."""
        _check(request.run)
        await self._shuffles().flush_known(request.run)
        return pb.FlushShuffleResponse()

    async def FetchOutput(self, request: pb.FetchOutputRequest, context: Any) -> None:
        """Send the pieces of an output."""
        _check(request.run)
        pieces = await self._shuffles().output(request.run, request.output, request.parcels)
        limit = config.get_bytes("p2p.comm.message-bytes-limit")
        for parcels in parcel_messages(_parcels(pieces, request.output), limit):
            await context.write(pb.FetchOutputResponse(parcels=parcels).SerializeToString())


def _check(run: pb.ShuffleRun) -> None:
    if not run.shuffle_id or not run.run_id:
        raise InvalidRequestError("a request names the shuffle and its run")


def _parcels(pieces: Iterable[Piece], output: int) -> Iterator[Parcel]:
    """Yield each piece as a parcel."""
    for piece in pieces:
        if piece.format == "arrow":
            from dagrpc.shuffle.table_shuffle import from_ipc, to_ipc

            body = to_ipc(from_ipc(piece.body).slice(piece.start, piece.stop - piece.start))
            bounds = [0, piece.stop - piece.start]
        else:
            body = memoryview(piece.body)[piece.start : piece.stop]
            bounds = [0, piece.stop - piece.start]
        yield Parcel(piece.source, [output], bounds, piece.format, body)
