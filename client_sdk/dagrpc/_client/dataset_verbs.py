"""The part of a client that publishes datasets, and keeps metadata on the scheduler."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from dagrpc._client.connection import NO_DEFAULT, Connection
from dagrpc._client.coordination_client import Request
from dagrpc._client.waiting import Operation
from dagrpc._codec.plain import read_plain, write_plain
from dagrpc._common.keys import decode_key, encode_key
from dagrpc._rpc.channels import ServiceClient
from dagrpc.v1 import coordination_pb2, plain_pb2
from dagrpc.v1 import metadata_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc.client import Client

METADATA_SERVICE = pb.DESCRIPTOR.services_by_name["MetadataService"]

_PATIENCE = 60.0
"""Seconds in which the scheduler has to answer: it never has to wait for anything."""


class DatasetVerbs(Connection):
    """Datasets and metadata. See `Client`."""

    # --- datasets ------------------------------------------------------------------------------------------------

    @property
    def datasets(self) -> Datasets:
        """The published datasets: a mapping that can be changed.

        Examples
        --------
        >>> client.datasets["numbers"] = client.submit(range, 3)
        >>> list(client.datasets)
        ['numbers']
        >>> del client.datasets["numbers"]
        """
        return Datasets(self)

    # Any: for type checkers what is in `publish_dataset(**{name: dataset})` may be one of these.
    def publish_dataset(self, *args: Any, name: Any = None, override: bool | Any = False, **kwargs: Any) -> Any:
        """Publish datasets: name them, so that every client can get them.

        The results that they refer to stay on the cluster until they are unpublished, whatever becomes of this client.

        Parameters
        ----------
        *args
            What to publish under `name`; or a dict of datasets by name.
        name : str, bytes, number or tuple, optional
            What to call it.
        override : bool
            Whether to take the place of those that have the names already.
        **kwargs
            Datasets by name: dask collections, futures, anything that can be pickled, and structures of those.

        Raises
        ------
        KeyError
            If there is a dataset of the name. Then nothing is published.
        ValueError
            If it is not clear what to call what.

        Examples
        --------
        >>> numbers = client.submit(range, 3)
        >>> client.publish_dataset(numbers=numbers)
        >>> client.publish_dataset(numbers, name=("numbers", 2013))
        >>> sorted(client.list_datasets(), key=str)
        [('numbers', 2013), 'numbers']
        >>> client.unpublish_dataset(["numbers", ("numbers", 2013)])
        """
        entries = {_wire(key): value for key, value in _entries(args, name, kwargs).items()}
        return self._run(self._publish(entries, override))

    def _publish(self, entries: dict[str, Any], override: bool) -> Operation[None]:
        # Here, for it knows the client.
        from dagrpc.coordination._values import encode, known

        self._check_open()
        client = cast("Client", self)
        message = coordination_pb2.Coordinate()
        message.publish_datasets.override = override
        for wire_key, value in entries.items():
            entry = message.publish_datasets.entries.add(name=wire_key)
            if futures := encode(value, entry.value, client._serializers or ()):
                yield from known(client, futures)
        answer = yield Request(self._session, message, timeout=_PATIENCE)
        if not answer.done:
            raise KeyError(f"Dataset {decode_key(answer.names[0])} already exists")

    def get_dataset(self, name: Any, default: Any = NO_DEFAULT) -> Any:
        """Return a published dataset. Its futures are this client's.

        Parameters
        ----------
        name : str, bytes, number or tuple; or a list of them
            What it is called. For a list, a list of datasets.
        default : optional
            What to return if there is none.

        Raises
        ------
        KeyError
            If there is none, and no default.

        Examples
        --------
        >>> client.publish_dataset(answer=client.submit(inc, 41))
        >>> client.get_dataset("answer").result()
        42
        >>> client.get_dataset("question", default="none")
        'none'
        >>> client.unpublish_dataset("answer")
        """
        names = name if isinstance(name, list) else [name]
        return self._run(self._get_dataset(name, [_wire(item) for item in names], default))

    def _get_dataset(self, name: Any, wire_keys: Sequence[str], default: Any) -> Operation[Any]:
        from dagrpc.coordination._values import decode

        self._check_open()
        message = coordination_pb2.Coordinate()
        different = list(dict.fromkeys(wire_keys))
        message.get_datasets.names.extend(different)
        request = Request(self._session, message, timeout=_PATIENCE)
        answer = yield request
        if not answer.done:
            if default is NO_DEFAULT:
                raise KeyError(f"Dataset '{name}' not found")
            return default
        datasets = yield from decode(cast("Client", self), request, self._session.families)
        found = dict(zip(different, datasets, strict=True))
        values = [found[wire_key] for wire_key in wire_keys]
        return values if isinstance(name, list) else values[0]

    def list_datasets(self) -> Any:
        """Return the names of all published datasets, in a tuple.

        Examples
        --------
        >>> client.publish_dataset(answer=client.submit(inc, 41))
        >>> client.list_datasets()
        ('answer',)
        >>> client.unpublish_dataset("answer")
        """
        return self._run(self._list_datasets())

    def _list_datasets(self) -> Operation[tuple[Hashable, ...]]:
        self._check_open()
        message = coordination_pb2.Coordinate()
        message.list_datasets.SetInParent()
        answer = yield Request(self._session, message, timeout=_PATIENCE)
        return tuple(sorted(map(decode_key, answer.names), key=str))

    def unpublish_dataset(self, name: Any) -> Any:
        """Forget a published dataset. Its results go unless somebody else holds them.

        Parameters
        ----------
        name : str, bytes, number or tuple; or a list of them
            What it is called. If there is none, nothing happens.

        Examples
        --------
        >>> client.publish_dataset(answer=client.submit(inc, 41))
        >>> client.unpublish_dataset("answer")
        >>> client.list_datasets()
        ()
        """
        names = name if isinstance(name, list) else [name]
        return self._run(self._unpublish([_wire(item) for item in names]))

    def _unpublish(self, wire_keys: Sequence[str]) -> Operation[None]:
        self._check_open()
        message = coordination_pb2.Coordinate()
        message.unpublish_datasets.names.extend(wire_keys)
        yield Request(self._session, message, timeout=_PATIENCE)

    # --- metadata ------------------------------------------------------------------------------------------------

    def set_metadata(self, key: Any, value: Any) -> Any:
        """Keep plain data on the scheduler, for all clients and tasks to read.

        Parameters
        ----------
        key : str or other plain data; or a list of them
            Where to keep it. A list leads through dicts within dicts, which are made.
        value : plain data
            None, booleans, numbers, text, bytes, and lists, tuples and dicts of those.

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
        return self._call(self._set_metadata(request))

    async def _set_metadata(self, request: pb.SetMetadataRequest) -> None:
        await self._metadata_call("SetMetadata", request, pb.SetMetadataResponse)

    def get_metadata(self, keys: Any, default: Any = NO_DEFAULT) -> Any:
        """Return what `set_metadata` has set.

        Parameters
        ----------
        keys : str or other plain data; or a list of them
            Where it is. An empty list stands for all metadata.
        default : optional
            What to return if nothing is there.

        Raises
        ------
        KeyError
            If nothing is there, and there is no default.

        Examples
        --------
        >>> client.set_metadata("model", {"version": 3})
        >>> client.get_metadata(["model", "version"])
        3
        >>> client.get_metadata(["model", "author"], default=None)
        """
        paths = [keys] if isinstance(keys, list) else [[keys]]
        if isinstance(keys, tuple):
            # A key; but users of distributed write lists of keys in this way, too.
            paths.append(list(keys))
        return self._call(self._get_metadata([_path(path) for path in paths], default))

    async def _get_metadata(self, paths: Sequence[Sequence[Any]], default: Any) -> Any:
        for path in paths:
            request = pb.GetMetadataRequest(path=path)
            response = await self._metadata_call("GetMetadata", request, pb.GetMetadataResponse)
            if response.found:
                return read_plain(response.value)
        if default is NO_DEFAULT:
            raise KeyError(read_plain(path[response.depth]))
        return default

    async def _metadata_call(self, method: str, request: Any, response_type: type[Any]) -> Any:
        scheduler = self._session.scheduler
        assert scheduler is not None
        service = ServiceClient(scheduler.channel, METADATA_SERVICE, scheduler.peer)
        return await service.call(method, request, response_type)


def _entries(args: tuple[Any, ...], name: Hashable, kwargs: dict[str, Any]) -> dict[Hashable, Any]:
    """Return what to publish, by name."""
    if name is not None:
        if len(args) != 1 or kwargs:
            raise ValueError(
                "With name= there is one dataset to publish, as in publish_dataset(df, name='flights'); "
                f"got {len(args) + len(kwargs)}"
            )
        return {tuple(name) if isinstance(name, list) else name: args[0]}
    if args and (len(args) != 1 or not isinstance(args[0], dict)):
        raise ValueError("If name is omitted, positional argument must be a {name: value} dict")
    entries: dict[Hashable, Any] = dict(args[0]) if args else {}
    entries.update(kwargs)
    return entries


def _wire(name: Hashable) -> str:
    return encode_key(name)


def _path(keys: Sequence[Any]) -> list[plain_pb2.PlainValue]:
    """Return keys as on the wire."""
    path = []
    for key in keys:
        if isinstance(key, (list, dict)):
            raise TypeError(f"A key of metadata has to be hashable; {key!r} is not")
        message = plain_pb2.PlainValue()
        write_plain(message, key, "A key of metadata")
        path.append(message)
    return path


class Datasets(MutableMapping[Hashable, Any]):
    """The published datasets of a cluster, by name.

    Parameters
    ----------
    client : Client
        By which client they are got and published.

    Examples
    --------
    >>> client.datasets["answer"] = client.submit(inc, 41)
    >>> client.datasets["answer"].result()
    42
    >>> list(client.datasets)
    ['answer']
    >>> del client.datasets["answer"]
    """

    def __init__(self, client: DatasetVerbs) -> None:
        self._client = client

    def _refuse(self, what: str, instead: str) -> None:
        if self._client.asynchronous:
            raise TypeError(f"Can't use '{what}' when client is asynchronous; use '{instead}' instead")

    def __getitem__(self, name: Hashable) -> Any:
        # Of an asynchronous client it is awaited.
        return self._client.get_dataset(name)

    def __setitem__(self, name: Hashable, value: Any) -> None:
        self._refuse("client.datasets[name] = value", "await client.publish_dataset(value, name=name)")
        self._client.publish_dataset(value, name=name)

    def __delitem__(self, name: Hashable) -> None:
        self._refuse("del client.datasets[name]", "await client.unpublish_dataset(name)")
        self._client.unpublish_dataset(name)

    def __contains__(self, name: object) -> bool:
        self._refuse("name in client.datasets", "name in await client.list_datasets()")
        return name in self._client.list_datasets()

    def __iter__(self) -> Iterator[Hashable]:
        self._refuse("for name in client.datasets", "async for name in client.datasets")
        return iter(self._client.list_datasets())

    def __aiter__(self) -> AsyncIterator[Hashable]:
        if not self._client.asynchronous:
            raise TypeError("Can't use 'async for' when client is not asynchronous; use 'for' instead")
        return self._names()

    async def _names(self) -> AsyncIterator[Hashable]:
        for name in await self._client.list_datasets():
            yield name

    def __len__(self) -> int:
        self._refuse("len(client.datasets)", "len(await client.list_datasets())")
        return len(self._client.list_datasets())

    def __repr__(self) -> str:
        return f"<Datasets of {self._client.id}>"
