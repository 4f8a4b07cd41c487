"""Mappings that show a part of the scheduler's state as it is now."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LiveMapping(Mapping[K, V], Generic[K, V]):
    """Shows a dict of the core under users' keys, with a view for each value.

    An iteration goes over the keys of one moment: off the event loop, the dict may change meanwhile. `encode` and
    `decode` translate a user's key to the dict's and back.
    """

    __slots__ = ("_decode", "_encode", "_source", "_view")

    def __init__(
        self,
        source: dict[str, Any],
        view: Callable[[Any], V],
        encode: Callable[[Any], str] = str,
        decode: Callable[[str], Any] = str,
    ) -> None:
        self._source = source
        self._view = view
        self._encode = encode
        self._decode = decode

    def __getitem__(self, key: K) -> V:
        try:
            found = self._source[self._encode(key)]
        except (KeyError, TypeError, ValueError):
            raise KeyError(key) from None
        return self._view(found)

    def __contains__(self, key: object) -> bool:
        try:
            return self._encode(key) in self._source
        except (TypeError, ValueError):
            return False

    def __iter__(self) -> Iterator[K]:
        decode = self._decode
        return iter([decode(key) for key in list(self._source)])

    def __len__(self) -> int:
        return len(self._source)

    def __repr__(self) -> str:
        return repr(dict(self))
