"""Messages with data as lists of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dagrpc._codec import pickle5
from dagrpc._codec.families import Names, deserialize, serialize
from dagrpc._codec.wrapped import Serialize, Serialized, ToPickle

__all__ = ["dumps", "loads"]

_PLACE = "__Serialized__"


def dumps(
    msg: Any,
    serializers: Sequence[str] | None = None,
    on_error: Any = "message",
    context: Any = None,
    frame_split_size: int | None = None,
) -> list[Any]:
    """Return a message as a list of bytes-like frames.

    Parameters
    ----------
    msg : object
        Plain values, and values marked with `to_serialize`.
    serializers, on_error, context
        As for `serialize`.
    frame_split_size : int, optional
        Accepted for compatibility.

    Examples
    --------
    >>> from dagrpc.protocol import Serialize
    >>> loads(dumps({"status": "OK", "data": Serialize([1, 2])}))
    {'status': 'OK', 'data': [1, 2]}
    """
    headers: list[tuple[dict[str, Any], int]] = []
    frames: list[Any] = []

    def replace(value: Any) -> Any:
        kind = type(value)
        if isinstance(value, (Serialize, Serialized, ToPickle)):
            header, made = serialize(value, serializers, on_error, context)
            headers.append((header, len(made)))
            frames.extend(made)
            return {_PLACE: len(headers) - 1}
        if kind is dict:
            return {key: replace(item) for key, item in value.items()}
        if kind in (list, tuple, set, frozenset):
            return kind(replace(item) for item in value)
        return value

    return [pickle5.dumps_plain((replace(msg), headers)), *frames]


def loads(frames: Sequence[Any], deserialize_data: bool = True, deserializers: Names = None, **kwargs: Any) -> Any:
    """Return the message of frames.

    Parameters
    ----------
    frames : list
        The frames of `dumps`.
    deserialize : bool
        Deserialize the data; otherwise it stays `Serialized`.
    deserializers : list of str, optional
        Accepted families.

    Examples
    --------
    >>> loads(dumps({"status": "OK"}))
    {'status': 'OK'}
    """
    wanted = kwargs.get("deserialize", deserialize_data)
    message, headers = pickle5.loads_plain(frames[0])
    items, start = [], 1
    for header, length in headers:
        part = list(frames[start : start + length])
        items.append(deserialize(header, part, deserializers) if wanted else Serialized(header, part))
        start += length

    def restore(value: Any) -> Any:
        kind = type(value)
        if kind is dict:
            return items[value[_PLACE]] if _PLACE in value else {key: restore(item) for key, item in value.items()}
        if kind in (list, tuple, set, frozenset):
            return kind(restore(item) for item in value)
        return value

    return restore(message)
