"""Metadata: plain data that the scheduler keeps for all clients and tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dagrpc._client.client_core import HasCore
from dagrpc._client.client_session import ClientSession
from dagrpc._client.services import scheduler_service
from dagrpc._client.submission_options import NO_DEFAULT
from dagrpc._codec.plain import read_plain, write_plain
from dagrpc.v1 import metadata_service_pb2 as pb
from dagrpc.v1 import plain_pb2

_METADATA_SERVICE = pb.DESCRIPTOR.services_by_name["MetadataService"]


def set_metadata(self: HasCore, key: Any, value: Any) -> Any:
    """Store plain data on the scheduler, where all clients and tasks can read the data.

    Parameters
    ----------
    key : str or other plain data; or a list of these
        The key of the data. A list of keys is a path through nested dicts, which are made.
    value : plain data
        None, booleans, numbers, text, bytes, and lists, tuples and dicts of these.

    Raises
    ------
    TypeError
        If the value is something else.

    Examples
    --------
    >>> client.set_metadata("model", {"version": 3})
    >>> client.set_metadata(["model", "trained"], True)
    """
    if key == []:
        raise ValueError("Metadata is set under at least one key; the list of keys is empty")
    request = pb.SetMetadataRequest(path=_path(key if isinstance(key, list) else [key]))
    write_plain(request.value, value, "Metadata")
    return self._core.call(_set_metadata(self._core.session, request))


async def _set_metadata(session: ClientSession, request: pb.SetMetadataRequest) -> None:
    await scheduler_service(session, _METADATA_SERVICE).call("SetMetadata", request, pb.SetMetadataResponse)


def get_metadata(self: HasCore, keys: Any, default: Any = NO_DEFAULT) -> Any:
    """Return data that `set_metadata` stored.

    Parameters
    ----------
    keys : str or other plain data; or a list of these
        The key or path of the data. An empty list stands for all metadata.
    default : optional
        Returned if there is no data under the key.

    Raises
    ------
    KeyError
        If there is no data under the key, and no default.

    Examples
    --------
    >>> client.set_metadata("model", {"version": 3})
    >>> client.get_metadata(["model", "version"])
    3
    >>> client.get_metadata(["model", "author"], default=None)
    """
    paths = [keys] if isinstance(keys, list) else [[keys]]
    if isinstance(keys, tuple):
        # A tuple is a key. Users of distributed write paths as tuples, too.
        paths.append(list(keys))
    return self._core.call(_get_metadata(self._core.session, [_path(path) for path in paths], default))


async def _get_metadata(session: ClientSession, paths: Sequence[Sequence[Any]], default: Any) -> Any:
    service = scheduler_service(session, _METADATA_SERVICE)
    for path in paths:
        response = await service.call("GetMetadata", pb.GetMetadataRequest(path=path), pb.GetMetadataResponse)
        if response.found:
            return read_plain(response.value)
    if default is NO_DEFAULT:
        raise KeyError(read_plain(path[response.depth]))
    return default


def _path(keys: Sequence[Any]) -> list[plain_pb2.PlainValue]:
    """Return keys as messages."""
    path = []
    for key in keys:
        if isinstance(key, (list, dict)):
            raise TypeError(f"A key of metadata must be hashable; {key!r} is not")
        message = plain_pb2.PlainValue()
        write_plain(message, key, "A key of metadata")
        path.append(message)
    return path
