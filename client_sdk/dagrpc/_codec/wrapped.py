"""Classes that mark the parts of a message that are to be serialized, or have been."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Serialize:
    """Marks an object that is serialized with its message.

    Parameters
    ----------
    data : object
        The object.

    Examples
    --------
    >>> Serialize(5)
    <Serialize: 5>
    """

    def __init__(self, data: Any) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<Serialize: {self.data}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Serialize) and bool(other.data == self.data)

    def __ne__(self, other: object) -> bool:
        return not (self == other)

    def __hash__(self) -> int:
        return hash(self.data)


to_serialize = Serialize


class Serialized:
    """A serialized object: its header and its frames.

    Parameters
    ----------
    header : dict
        The header that `serialize` returned.
    frames : list
        The frames that `serialize` returned.

    Examples
    --------
    >>> from dagrpc.protocol import serialize
    >>> message = {"data": Serialized(*serialize([1, 2]))}
    >>> from dagrpc.protocol import nested_deserialize
    >>> nested_deserialize(message)
    {'data': [1, 2]}
    """

    def __init__(self, header: dict[str, Any], frames: list[Any]) -> None:
        self.header = header
        self.frames = frames

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Serialized) and other.header == self.header and other.frames == self.frames

    def __ne__(self, other: object) -> bool:
        return not (self == other)

    __hash__ = None  # type: ignore[assignment]

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return type(self).__name__, [bytes(frame) for frame in self.frames]


class ToPickle(Generic[T]):
    """Marks an object that is pickled with its message, although another family may take it.

    Parameters
    ----------
    data : object
        The object.

    Examples
    --------
    >>> ToPickle({1, 2})
    <ToPickle: {1, 2}>
    """

    def __init__(self, data: T) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"<ToPickle: {self.data}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and bool(other.data == self.data)

    def __ne__(self, other: object) -> bool:
        return not (self == other)

    def __hash__(self) -> int:
        return hash(self.data)


class Pickled(Serialized):
    """A pickled object: its header and its frames.

    Examples
    --------
    >>> import pickle
    >>> Pickled(b"header", [pickle.dumps(1)]) == Pickled(b"header", [pickle.dumps(1)])
    True
    """
