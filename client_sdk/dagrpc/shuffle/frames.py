"""Dataframes in shuffles: they are split by the numbers in a column, and joined from pieces."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dagrpc._codec.pickle5 import dumps_inband
from dagrpc.shuffle.columns import Order
from dagrpc.shuffle.layouts import Layout, without_rows
from dagrpc.shuffle.specs import Parcel, Piece, first_output
from dagrpc.shuffle.table_shuffle import decode_frame, encode_frame, from_ipc, layout_of, to_ipc

FORMAT = "arrow"


@dataclass(frozen=True)
class FrameSpec:
    """A shuffle of a dataframe.

    Parameters
    ----------
    id, barrier : str
        See `ShuffleSpec`.
    partitions : int or tuple of int
        Number of partitions, or the numbers of the wanted partitions.
    column : str
        The column with the partition of each row.
    meta : pandas.DataFrame
        An empty dataframe like the sources, as announced. No value depends on it.
    drop_column : bool
        Drop the column from the outputs.
    """

    id: str
    barrier: str
    partitions: int | tuple[int, ...]
    column: Any
    meta: pd.DataFrame
    drop_column: bool = True

    @property
    def count(self) -> int:
        """Number of outputs."""
        return self.partitions if isinstance(self.partitions, int) else len(self.partitions)

    def output_of(self, partition: int) -> int:
        """Return the number of the output for a partition."""
        return partition if isinstance(self.partitions, int) else self.partitions.index(partition)

    @cached_property
    def _announced(self) -> Layout:
        """The numbers of the outputs."""
        return Layout.of(self.meta, self._dropped(self.meta))

    def split(self, data: pd.DataFrame, source: int, workers: int) -> Iterator[tuple[int, Parcel]]:
        """Yield the part of a partition for each worker; ValueError if its columns differ from the announced ones."""
        self._check(data, source)
        if not len(data):
            return
        numbers = self._outputs_of_rows(data)
        order = np.argsort(_narrow(numbers, self.count), kind="stable")
        if numbers.min() < 0:
            order = order[np.searchsorted(numbers[order], 0) :]
            if not len(order):
                return
        counts = np.bincount(numbers[order], minlength=self.count)
        ends = np.concatenate(([0], np.cumsum(counts)))
        table = encode_frame(data, Order(order, ends[:-1][counts > 0]), self._dropped(data))
        for worker in range(workers):
            first, last = (first_output(w, self.count, workers) for w in (worker, worker + 1))
            start, stop = int(ends[first]), int(ends[last])
            if start == stop:
                continue
            present = np.flatnonzero(counts[first:last]) + first
            starts = [*(ends[present] - start).tolist(), stop - start]
            body = to_ipc(table.slice(start, stop - start))
            yield worker, Parcel(source, present.tolist(), starts, FORMAT, body)

    def template(self, data: pd.DataFrame) -> bytes | None:
        """Return the form of an output without rows, as far as a source knows it; see `ShuffleSpec`."""
        if not len(data):
            return None
        dropped = self._dropped(data)
        if Layout.of(data, dropped).same_as(self._announced):
            return b""
        return dumps_inband(without_rows(data, dropped))

    def assemble(self, output: int, pieces: Sequence[Piece], template: bytes | None = None) -> pd.DataFrame:
        """Return a partition; ValueError if its pieces do not fit together."""
        if pieces:
            return decode_frame([_opened(piece) for piece in pieces], self._announced)
        if template:
            found: pd.DataFrame = pickle.loads(template)
            return found
        return without_rows(self.meta, self._dropped(self.meta)).copy()

    def _check(self, data: Any, source: int) -> None:
        if not isinstance(data, pd.DataFrame):
            raise TypeError(f"p2p shuffles dataframes of pandas; partition {source} is of {type(data)}")
        announced, found = self.meta.columns, data.columns
        if not found.equals(announced) and Counter(found) != Counter(announced):
            raise ValueError(
                f"The columns of partition {source} are not those of the dataframe's meta. "
                f"Meta: {Layout.of(self.meta)}. Partition: {Layout.of(data)}"
            )

    def _place(self, data: pd.DataFrame) -> int:
        """Return the position of the column with the numbers."""
        place = data.columns.get_loc(self.column)
        # Among labels with levels, no other column begins like this.
        return int(place) if isinstance(place, int) else int(np.arange(len(data.columns))[place][0])

    def _dropped(self, data: pd.DataFrame) -> int | None:
        return self._place(data) if self.drop_column else None

    def _outputs_of_rows(self, data: pd.DataFrame) -> Any:
        """Return the number of the output for each row; a negative number stands for no output."""
        numbers = np.asarray(data.iloc[:, self._place(data)])
        if numbers.dtype.kind not in "iu":
            numbers = numbers.astype("int64")
        low, high = int(numbers.min()), int(numbers.max())
        if isinstance(self.partitions, int):
            if low < 0 or high >= self.partitions:
                raise ValueError(f"There are {self.partitions} partitions, and rows are to go to {low} to {high}")
            return numbers
        table = np.full(max(high, *self.partitions) + 1, -1)
        table[list(self.partitions)] = np.arange(len(self.partitions))
        return table[numbers]


def _narrow(numbers: Any, count: int) -> Any:
    """Return numbers in the smallest type that fits: numbers of up to 16 bits are sorted in linear time."""
    return numbers.astype(np.int16) if count < 1 << 15 else numbers


def _opened(piece: Piece) -> tuple[Any, Layout]:
    """Return the table and the layout of a piece. Pieces of one parcel share the decoded parcel."""
    opened = piece.opened
    if not opened:
        table = from_ipc(piece.body)
        opened.append((table, layout_of(table)))
    table, layout = opened[0]
    return table.slice(piece.start, piece.stop - piece.start), layout
