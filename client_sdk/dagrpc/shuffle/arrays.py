"""Arrays in shuffles: chunks split along the borders of the new ones, as raw bytes."""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from dagrpc.shuffle.specs import Parcel, Piece, owner_of

Chunks: TypeAlias = tuple[tuple[int, ...], ...]

_PICKLE = "pickle"


@dataclass(frozen=True)
class ArraySpec:
    """A shuffle of an array's chunks.

    Parameters
    ----------
    id, barrier : str
        See `ShuffleSpec`.
    old, new : tuple of tuple of int
        Sizes of the chunks along each axis, before and after.
    """

    id: str
    barrier: str
    old: Chunks
    new: Chunks

    @property
    def count(self) -> int:
        """How many outputs there are."""
        return math.prod(map(len, self.new))

    @cached_property
    def _borders(self) -> tuple[list[Any], list[Any]]:
        """Where the chunks begin along each axis, and where the last one ends, before and after."""
        old, new = ([np.concatenate(([0], np.cumsum(axis))) for axis in chunks] for chunks in (self.old, self.new))
        return old, new

    def source_of(self, position: Sequence[int]) -> int:
        """Return the number of an old chunk."""
        return int(np.ravel_multi_index(tuple(position), tuple(map(len, self.old))))

    def output_of(self, position: Sequence[int]) -> int:
        """Return the number of a new chunk."""
        return int(np.ravel_multi_index(tuple(position), tuple(map(len, self.new))))

    def _overlaps(self, source: Sequence[int]) -> list[list[tuple[int, int, int]]]:
        """Return, for each axis, the new chunks that an old one has something for, and from where to where."""
        old, new = self._borders
        found = []
        for axis, position in enumerate(source):
            begin, end = int(old[axis][position]), int(old[axis][position + 1])
            borders = new[axis]
            first = max(int(np.searchsorted(borders, begin, "right")) - 1, 0)
            overlaps = []
            for chunk in range(first, len(borders) - 1):
                low, high = max(begin, int(borders[chunk])), min(end, int(borders[chunk + 1]))
                if int(borders[chunk]) >= end:
                    break
                if low < high:
                    overlaps.append((chunk, low, high))
            found.append(overlaps)
        return found

    def split(self, data: Any, source: int, workers: int) -> Iterator[tuple[int, Parcel]]:
        """Yield what a chunk has for each worker."""
        position = [int(i) for i in np.unravel_index(source, tuple(map(len, self.old)))]
        begins = [int(borders[i]) for borders, i in zip(self._borders[0], position, strict=True)]
        by_worker: dict[int, list[tuple[int, Any]]] = {}
        for parts in itertools.product(*self._overlaps(position)):
            output = self.output_of([chunk for chunk, _, _ in parts])
            where = tuple(slice(low - begin, high - begin) for (_, low, high), begin in zip(parts, begins, strict=True))
            by_worker.setdefault(owner_of(output, self.count, workers), []).append((output, data[where]))
        for worker, pieces in by_worker.items():
            pieces.sort(key=lambda piece: piece[0])
            yield worker, _pack(source, pieces)

    def assemble(self, output: int, pieces: Sequence[Piece]) -> Any:
        """Return a new chunk."""
        position = [int(i) for i in np.unravel_index(output, tuple(map(len, self.new)))]
        begins = [int(borders[i]) for borders, i in zip(self._borders[1], position, strict=True)]
        shape = [axis[i] for axis, i in zip(self.new, position, strict=True)]
        result: Any = None
        for piece in pieces:
            source = [int(i) for i in np.unravel_index(piece.source, tuple(map(len, self.old)))]
            where, extent = [], []
            for axis, (begin, chunk) in enumerate(zip(begins, position, strict=True)):
                low, high = next((a, b) for c, a, b in self._overlaps(source)[axis] if c == chunk)
                where.append(slice(low - begin, high - begin))
                extent.append(high - low)
            values = _unpack(piece, extent)
            if len(pieces) == 1:
                return values.copy() if isinstance(values, np.ndarray) else values
            if result is None:
                result = np.empty_like(values, shape=tuple(shape))
            result[tuple(where)] = values
        return result


def _pack(source: int, pieces: Sequence[tuple[int, Any]]) -> Parcel:
    outputs = [output for output, _ in pieces]
    first = pieces[0][1]
    starts = [0]
    if type(first) is np.ndarray and not first.dtype.hasobject and first.dtype.names is None:
        for _, values in pieces:
            starts.append(starts[-1] + values.nbytes)
        body = np.empty(starts[-1], dtype=np.uint8)
        for start, (_, values) in zip(starts, pieces, strict=False):
            target = body[start : start + values.nbytes].view(first.dtype).reshape(values.shape)
            np.copyto(target, values)
        return Parcel(source, outputs, starts, first.dtype.str, memoryview(body.data))
    pickles = [pickle.dumps(values, protocol=5) for _, values in pieces]
    for data in pickles:
        starts.append(starts[-1] + len(data))
    return Parcel(source, outputs, starts, _PICKLE, b"".join(pickles))


def _unpack(piece: Piece, shape: Sequence[int]) -> Any:
    data = memoryview(piece.body)[piece.start : piece.stop]
    if piece.format == _PICKLE:
        return pickle.loads(data)
    return np.frombuffer(data, dtype=np.dtype(piece.format)).reshape(shape)
