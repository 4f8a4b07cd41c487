"""MetadataService: plain data that clients and tasks keep on the scheduler."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from dagrpc._codec.plain import read_plain, write_plain
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import metadata_service_pb2 as pb
from dagrpc.v1 import plain_pb2
from dagrpc_scheduler.coordination.metadata_tree import Metadata


class MetadataServicer:
    """Reads and writes metadata; each method is the rpc of its name."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    async def SetMetadata(self, request: pb.SetMetadataRequest) -> pb.SetMetadataResponse:
        path = _keys(request.path)
        if not path:
            raise InvalidRequestError("metadata is set under at least one key; the path is empty")
        try:
            value = read_plain(request.value)
        except TypeError as error:
            raise InvalidRequestError(f"the value is not plain data: {error}") from None
        self._metadata.set(path, value)
        return pb.SetMetadataResponse()

    async def GetMetadata(self, request: pb.GetMetadataRequest) -> pb.GetMetadataResponse:
        try:
            found = self._metadata.get(_keys(request.path))
        except LookupError as error:
            return pb.GetMetadataResponse(depth=error.args[0])
        response = pb.GetMetadataResponse(found=True)
        write_plain(response.value, found, "Metadata")
        return response


def _keys(path: Iterable[plain_pb2.PlainValue]) -> list[Hashable]:
    keys: list[Hashable] = []
    for key in path:
        try:
            value = read_plain(key)
            hash(value)
        except TypeError as error:
            raise InvalidRequestError(f"a key of metadata cannot be a list or mapping: {error}") from None
        keys.append(value)
    return keys
