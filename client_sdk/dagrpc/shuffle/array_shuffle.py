"""Shuffles of arrays: splits chunks along the borders of the new chunks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from dagrpc.shuffle.blocks import join_blocks, pack, unpack
from dagrpc.shuffle.specs import Parcel, Piece, owner_of

Chunks: TypeAlias = tuple[tuple[int, ...], ...]
Position: TypeAlias = tuple[int, ...]

_SHAPE = " of "
"""Separates the format of the values from the shape of their chunk, if the shape was not announced."""


@dataclass(frozen=True)
class ArraySpec:
    """A shuffle of an array's chunks.

    Parameters
    ----------
    id, barrier : str
        See `ShuffleSpec`.
    old, new : tuple of tuple of int
        Sizes of the chunks along each axis, before and after. Along an unchanged axis the sizes may be unknown (NaN),
        and are not used.
    """

    id: str
    barrier: str
    old: Chunks
    new: Chunks

    @property
    def count(self) -> int:
        """Number of outputs."""
        return math.prod(map(len, self.new))

    @cached_property
    def _borders(self) -> tuple[list[Any], list[Any]]:
        """The borders of the chunks along each axis, before and after; None for an unchanged axis."""
        changed = [not is_unchanged(old, new) for old, new in zip(self.old, self.new, strict=True)]
        old, new = (
            [np.concatenate(([0], np.cumsum(axis))) if cut else None for axis, cut in zip(chunks, changed, strict=True)]
            for chunks in (self.old, self.new)
        )
        return old, new

    def source_of(self, position: Sequence[int]) -> int:
        """Return the number of an old chunk."""
        return _number_of(position, self.old)

    def output_of(self, position: Sequence[int]) -> int:
        """Return the number of a new chunk."""
        return _number_of(position, self.new)

    def _overlaps(self, axis: int, position: int) -> list[tuple[int, slice]]:
        """Return the new chunks that overlap with an old chunk along an axis, and the overlaps.

        An empty new chunk gets an empty part of an adjacent old chunk, so that it has the right array type.
        """
        old, borders = self._borders[0][axis], self._borders[1][axis]
        if old is None or borders is None:
            return [(position, slice(None))]
        begin, end = int(old[position]), int(old[position + 1])
        if begin == end and (position or old[-1]):
            return []
        found = []
        first = max(int(np.searchsorted(borders, begin, "right")) - 1, 0) if begin else 0
        for chunk in range(first, len(borders) - 1):
            first_value, last_value = int(borders[chunk]), int(borders[chunk + 1])
            low, high = max(begin, first_value), min(end, last_value)
            if first_value > end:
                break
            touches = first_value == last_value and (begin < first_value <= end or begin == first_value == 0)
            if low < high or touches:
                found.append((chunk, slice(low - begin, high - begin)))
        return found

    def split(self, data: Any, source: int, workers: int) -> Iterator[tuple[int, Parcel]]:
        """Yield the parts of a chunk for each worker; ValueError if its shape differs from the announced one."""
        position = _position_of(source, self.old)
        self._check(data, position)
        by_worker: dict[int, list[tuple[int, Any]]] = {}
        for parts in itertools.product(*(self._overlaps(axis, place) for axis, place in enumerate(position))):
            output = self.output_of([chunk for chunk, _ in parts])
            values = data[tuple(where for _, where in parts)]
            by_worker.setdefault(owner_of(output, self.count, workers), []).append((output, values))
        for worker, pieces in by_worker.items():
            pieces.sort(key=lambda piece: piece[0])
            format, starts, body = pack([values for _, values in pieces])
            if tuple(data.shape) != self._announced(position):
                format += _SHAPE + ",".join(map(str, data.shape))
            yield worker, Parcel(source, [output for output, _ in pieces], starts, format, body)

    def _announced(self, position: Position) -> tuple[int, ...]:
        """Return the shape of an old chunk, as announced."""
        return tuple(axis[place] for axis, place in zip(self.old, position, strict=True))

    def _check(self, data: Any, position: Position) -> None:
        announced = self._announced(position)
        cut = [borders is not None for borders in self._borders[0]]
        check_shape(data.shape, announced, cut, f"Chunk {position}")

    def template(self, data: Any) -> bytes | None:
        """Return None: every output has pieces."""
        return None

    def assemble(self, output: int, pieces: Sequence[Piece], template: bytes | None = None) -> Any:
        """Return a new chunk; ValueError if its pieces do not fit together."""
        position = _position_of(output, self.new)
        blocks = {}
        for piece in pieces:
            source = _position_of(piece.source, self.old)
            format, _, chunk = piece.format.partition(_SHAPE)
            known = [int(size) for size in chunk.split(",")] if chunk else self._announced(source)
            shape = [
                len(range(*self._part(axis, place, position[axis]).indices(int(size))))
                for axis, (place, size) in enumerate(zip(source, known, strict=True))
            ]
            blocks[source] = unpack(format, memoryview(piece.body)[piece.start : piece.stop], shape)
        return join_blocks(_nested(blocks))

    def _part(self, axis: int, position: int, chunk: int) -> slice:
        """Return the part of an old chunk for a new chunk along an axis."""
        return next(where for number, where in self._overlaps(axis, position) if number == chunk)


def is_unchanged(old: Sequence[int], new: Sequence[int]) -> bool:
    """Return whether an axis has the same chunks before and after."""
    return tuple(old) == tuple(new) or any(map(math.isnan, (*old, *new)))


def check_shape(found: Sequence[int], announced: Sequence[int], cut: Sequence[bool], name: str) -> None:
    """Raise `ValueError` if a chunk does not have the announced size along an axis along which it is cut.

    Raises
    ------
    ValueError
        If so.
    """
    axes = zip(found, announced, cut, strict=False)
    if len(found) != len(announced) or any(cut and size != wanted for size, wanted, cut in axes):
        raise ValueError(f"{name} has the shape {tuple(found)}, and {tuple(announced)} was announced")


def _number_of(position: Sequence[int], chunks: Chunks) -> int:
    number = 0
    for place, axis in zip(position, chunks, strict=True):
        number = number * len(axis) + int(place)
    return number


def _position_of(number: int, chunks: Chunks) -> Position:
    places = []
    for axis in reversed(chunks):
        number, place = divmod(number, len(axis))
        places.append(place)
    return tuple(reversed(places))


def _nested(blocks: dict[Position, Any]) -> Any:
    """Return blocks as nested lists, in the order of their positions."""
    places = [sorted(set(axis)) for axis in zip(*blocks, strict=True)]

    def nested(position: Position) -> Any:
        if len(position) == len(places):
            return blocks[position]
        return [nested((*position, place)) for place in places[len(position)]]

    return nested(())
