"""Published datasets: named data that every client of the cluster can get."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Iterator, MutableMapping, Sequence
from typing import Any

from dagrpc._client.client_core import ClientCore, HasCore
from dagrpc._client.coordination_client import Request
from dagrpc._client.submission_options import NO_DEFAULT
from dagrpc._client.waiting import Operation
from dagrpc._common.keys import decode_key, encode_key
from dagrpc.coordination import _values
from dagrpc.v1 import coordination_pb2

_ANSWER_SECONDS = 60.0
"""Seconds in which the scheduler has to answer. No request about datasets makes the scheduler wait."""


# Options are annotated with Any, too: type checkers have to accept `client.publish_dataset(**{name: dataset})`.
def publish_dataset(self: HasCore, *args: Any, name: Any = None, override: bool | Any = False, **kwargs: Any) -> Any:
    """Publish datasets under names, by which every client can get them.

    The results of a published dataset stay on the cluster until it is unpublished, even if this client closes.

    Parameters
    ----------
    *args
        The dataset to publish under `name`; or a dict of datasets by name.
    name : str, bytes, number or tuple, optional
        Name of the dataset.
    override : bool
        Whether to replace datasets of the same names.
    **kwargs
        Datasets by name: dask collections, futures, any objects that can be pickled, and structures of these.

    Raises
    ------
    KeyError
        If there is a dataset of a name already. Then nothing is published.
    ValueError
        If the arguments do not name each dataset.

    Examples
    --------
    >>> numbers = client.submit(range, 3)
    >>> client.publish_dataset(numbers=numbers)
    >>> client.publish_dataset(numbers, name=("numbers", 2013))
    >>> sorted(client.list_datasets(), key=str)
    [('numbers', 2013), 'numbers']
    >>> client.unpublish_dataset(["numbers", ("numbers", 2013)])
    """
    entries = {encode_key(key): value for key, value in _entries(args, name, kwargs).items()}
    return self._core.run(_publish(self._core, entries, override))


def _publish(core: ClientCore, entries: dict[str, Any], override: bool) -> Operation[None]:
    core.check_open()
    message = coordination_pb2.Coordinate()
    message.publish_datasets.override = override
    for wire_key, value in entries.items():
        entry = message.publish_datasets.entries.add(name=wire_key)
        if futures := _values.encode(value, entry.value, core.serializers or ()):
            yield from _values.await_known(core, futures)
    answer = yield Request(core.session.coordination, message, timeout=_ANSWER_SECONDS)
    if not answer.done:
        raise KeyError(f"Dataset {decode_key(answer.names[0])} already exists")


def get_dataset(self: HasCore, name: Any, default: Any = NO_DEFAULT) -> Any:
    """Return a published dataset, with futures of this client.

    Parameters
    ----------
    name : str, bytes, number or tuple; or a list of these
        Name of the dataset. For a list of names a list of datasets is returned.
    default : optional
        Returned if there is no such dataset.

    Raises
    ------
    KeyError
        If there is no such dataset, and no default.

    Examples
    --------
    >>> client.publish_dataset(answer=client.submit(inc, 41))
    >>> client.get_dataset("answer").result()
    42
    >>> client.get_dataset("question", default="none")
    'none'
    >>> client.unpublish_dataset("answer")
    """
    return self._core.run(_get_dataset(self._core, name, default))


def _get_dataset(core: ClientCore, name: Any, default: Any) -> Operation[Any]:
    core.check_open()
    wire_keys = [encode_key(item) for item in (name if isinstance(name, list) else [name])]
    different = list(dict.fromkeys(wire_keys))
    message = coordination_pb2.Coordinate()
    message.get_datasets.names.extend(different)
    request = Request(core.session.coordination, message, timeout=_ANSWER_SECONDS)
    answer = yield request
    if not answer.done:
        if default is NO_DEFAULT:
            raise KeyError(f"Dataset '{name}' not found")
        return default
    datasets = yield from _values.decode(core, request, core.session.families)
    found = dict(zip(different, datasets, strict=True))
    values = [found[wire_key] for wire_key in wire_keys]
    return values if isinstance(name, list) else values[0]


def list_datasets(self: HasCore) -> Any:
    """Return the names of all published datasets, in a tuple.

    Examples
    --------
    >>> client.publish_dataset(answer=client.submit(inc, 41))
    >>> client.list_datasets()
    ('answer',)
    >>> client.unpublish_dataset("answer")
    """
    return self._core.run(_list_datasets(self._core))


def _list_datasets(core: ClientCore) -> Operation[tuple[Hashable, ...]]:
    core.check_open()
    message = coordination_pb2.Coordinate()
    message.list_datasets.SetInParent()
    answer = yield Request(core.session.coordination, message, timeout=_ANSWER_SECONDS)
    return tuple(sorted(map(decode_key, answer.names), key=str))


def unpublish_dataset(self: HasCore, name: Any) -> Any:
    """Forget a published dataset. Its results are released unless a client holds them.

    Parameters
    ----------
    name : str, bytes, number or tuple; or a list of these
        Name of the dataset. Unknown names are ignored.

    Examples
    --------
    >>> client.publish_dataset(answer=client.submit(inc, 41))
    >>> client.unpublish_dataset("answer")
    >>> client.list_datasets()
    ()
    """
    names = name if isinstance(name, list) else [name]
    return self._core.run(_unpublish(self._core, [encode_key(item) for item in names]))


def _unpublish(core: ClientCore, wire_keys: Sequence[str]) -> Operation[None]:
    core.check_open()
    message = coordination_pb2.Coordinate()
    message.unpublish_datasets.names.extend(wire_keys)
    yield Request(core.session.coordination, message, timeout=_ANSWER_SECONDS)


def _entries(args: tuple[Any, ...], name: Hashable, kwargs: dict[str, Any]) -> dict[Hashable, Any]:
    """Return the datasets to publish by name."""
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


class Datasets(MutableMapping[Hashable, Any]):
    """The published datasets of a cluster, by name. ``client.datasets`` is one.

    Parameters
    ----------
    client : Client
        The client that gets and publishes the datasets.

    Examples
    --------
    >>> client.datasets["answer"] = client.submit(inc, 41)
    >>> client.datasets["answer"].result()
    42
    >>> list(client.datasets)
    ['answer']
    >>> del client.datasets["answer"]
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def _refuse(self, what: str, instead: str) -> None:
        """Raise for an operation that cannot be awaited, if the client is asynchronous."""
        if self._client.asynchronous:
            raise TypeError(f"Can't use '{what}' when client is asynchronous; use '{instead}' instead")

    def __getitem__(self, name: Hashable) -> Any:
        # An asynchronous client returns an awaitable.
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
