"""Encodes plain data, such as events and metadata, which any process can read without unpickling."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dagrpc.v1 import plain_pb2 as pb

_DEPTH = 40
"""Maximum depth of nesting. protobuf reads 100 levels, and each level here takes two."""
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def encode_plain(value: object, what: str = "Message") -> bytes:
    r"""Return plain data as bytes.

    Parameters
    ----------
    value : None, bool, int, float, str, bytes, or a list, tuple or dict of those
        The data.
    what : str
        Name of the data in error messages.

    Raises
    ------
    TypeError
        If the data is, or contains, an object of another type.
    OverflowError
        If the data contains an integer of more than 64 bits.

    Examples
    --------
    >>> decode_plain(encode_plain({"a": [1, (2.5, None)]}))
    {'a': [1, (2.5, None)]}
    """
    message = pb.PlainValue()
    write_plain(message, value, what)
    return message.SerializeToString()


def write_plain(message: pb.PlainValue, value: object, what: str) -> None:
    """Write plain data into a message, as `encode_plain` does."""
    _write(message, value, what, 0)


def decode_plain(data: bytes) -> Any:
    """Return the data that `encode_plain` encoded.

    Raises
    ------
    ValueError
        If the bytes are not plain data.
    """
    try:
        return read_plain(pb.PlainValue.FromString(data))
    except TypeError as error:  # a key is a list or mapping
        raise ValueError(f"not plain data: {error}") from None
    except Exception as error:
        raise ValueError(f"not plain data: {error}") from None


def topic_names(topic: str | Collection[str]) -> list[str]:
    """Return a topic of events, or several in a list, tuple or set, as a list.

    Raises
    ------
    TypeError
        If a topic is not a str.
    ValueError
        If there is no topic, or a topic is empty.
    """
    topics: list[Any] = list(topic) if isinstance(topic, (list, tuple, set, frozenset)) else [topic]
    for name in topics:
        if not isinstance(name, str):
            raise TypeError(f"A topic of events must be a str; got {name!r}")
    if not all(topics) or not topics:
        raise ValueError(f"An event needs a topic, which is not empty; got {topic!r}")
    return topics


def _write(message: pb.PlainValue, value: object, what: str, depth: int) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        message.boolean = value
    elif isinstance(value, str):
        _write_text(message, value, what)
    elif isinstance(value, int):
        if not _SMALLEST <= value <= _LARGEST:
            raise OverflowError(f"{what} must be plain data, whose integers have 64 bits; got {value}")
        message.integer = value
    elif isinstance(value, float):
        message.number = value
    elif isinstance(value, (bytes, bytearray, memoryview)):
        message.binary = bytes(value)
    elif isinstance(value, (list, tuple, dict)):
        if depth >= _DEPTH:
            raise TypeError(f"{what} must be plain data of at most {_DEPTH} levels; this one has more")
        _write_several(message, value, what, depth + 1)
    elif hasattr(value, "dtype") and hasattr(value, "item") and getattr(value, "shape", None) == ():
        # A NumPy scalar.
        _write_scalar(message, value.item(), what, depth)
    else:
        raise TypeError(
            f"{what} must be plain data (None, bool, int, float, str, bytes, lists, tuples and dicts of those). "
            f"Got {type(value)} instead."
        )


def _write_scalar(message: pb.PlainValue, value: object, what: str, depth: int) -> None:
    if hasattr(value, "dtype"):
        raise TypeError(f"{what} must be plain data. Got {type(value)} instead.")
    _write(message, value, what, depth)


def _write_text(message: pb.PlainValue, value: str, what: str) -> None:
    try:
        message.text = str.__str__(value)
    except (UnicodeEncodeError, ValueError):
        raise TypeError(f"{what} must be plain data, whose text is Unicode; got {value!r}") from None


def _write_several(
    message: pb.PlainValue, value: list[Any] | tuple[Any, ...] | dict[Any, Any], what: str, depth: int
) -> None:
    if isinstance(value, dict):
        message.mapping.SetInParent()
        for key, item in value.items():
            entry = message.mapping.entries.add()
            _write(entry.key, key, what, depth)
            _write(entry.value, item, what, depth)
            if key is None:
                entry.key.SetInParent()
        return
    message.list.SetInParent()
    if isinstance(value, tuple):
        message.list.is_tuple = True
    for item in value:
        _write(message.list.items.add(), item, what, depth)


def read_plain(message: pb.PlainValue) -> Any:
    """Return the data that `write_plain` wrote.

    Raises
    ------
    TypeError
        If a key is a list or mapping.
    """
    kind = message.WhichOneof("kind")
    if kind is None:
        return None
    value = getattr(message, kind)
    if kind == "list":
        items = [read_plain(item) for item in value.items]
        return tuple(items) if value.is_tuple else items
    if kind == "mapping":
        return {read_plain(entry.key): read_plain(entry.value) for entry in value.entries}
    return value
