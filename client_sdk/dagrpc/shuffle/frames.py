"""Dataframes in shuffles: split by the numbers in a column, as Arrow IPC streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dagrpc.shuffle.columns import check_meta, decode_columns, encode_column
from dagrpc.shuffle.specs import Parcel, Piece, first_output

FORMAT = "arrow"


@dataclass(frozen=True)
class FrameSpec:
    """A shuffle of a dataframe.

    Parameters
    ----------
    id, barrier : str
        See `ShuffleSpec`.
    partitions : int or tuple of int
        How many partitions there are, or the numbers of those that are wanted.
    column : str
        The column that says to which partition a row goes.
    meta : pandas.DataFrame
        An empty dataframe like the sources.
    drop_column : bool
        Whether the outputs are to be without the column.
    """

    id: str
    barrier: str
    partitions: int | tuple[int, ...]
    column: Any
    meta: pd.DataFrame
    drop_column: bool = True

    @property
    def count(self) -> int:
        """How many outputs there are."""
        return self.partitions if isinstance(self.partitions, int) else len(self.partitions)

    def output_of(self, partition: int) -> int:
        """Return the number of the output that is a partition."""
        return partition if isinstance(self.partitions, int) else self.partitions.index(partition)

    @property
    def result_meta(self) -> pd.DataFrame:
        """An empty dataframe like the outputs."""
        return self.meta.drop(columns=[self.column]) if self.drop_column else self.meta

    def split(self, data: pd.DataFrame, source: int, workers: int) -> Iterator[tuple[int, Parcel]]:
        """Yield what a partition has for each worker."""
        import pyarrow as pa

        check_meta(data)
        numbers = self._outputs_of_rows(data)
        if self.drop_column:
            data = data.drop(columns=[self.column])
        table = _encode(data)
        if numbers is None:
            return
        if numbers.min(initial=0) < 0:
            wanted = np.flatnonzero(numbers >= 0)
            order = wanted[np.argsort(_narrow(numbers[wanted], self.count), kind="stable")]
        else:
            order = np.argsort(_narrow(numbers, self.count), kind="stable")
        counts = np.bincount(numbers[order], minlength=self.count)
        ends = np.concatenate(([0], np.cumsum(counts)))
        table = table.take(pa.array(order))
        for worker in range(workers):
            first, last = (first_output(w, self.count, workers) for w in (worker, worker + 1))
            start, stop = int(ends[first]), int(ends[last])
            if start == stop:
                continue
            present = np.flatnonzero(counts[first:last]) + first
            starts = [*(ends[present] - start).tolist(), stop - start]
            body = to_ipc(table.slice(start, stop - start))
            yield worker, Parcel(source, present.tolist(), starts, FORMAT, body)

    def _outputs_of_rows(self, data: pd.DataFrame) -> Any:
        """Return the number of the output for each row; negative: none. None if there are no rows."""
        if not len(data):
            return None
        partitions = np.asarray(data[self.column])
        if partitions.dtype.kind not in "iu":
            partitions = partitions.astype("int64")
        if isinstance(self.partitions, int):
            return partitions
        table = np.full(max(int(partitions.max()), *self.partitions, 0) + 1, -1)
        table[list(self.partitions)] = np.arange(len(self.partitions))
        return table[partitions]

    def assemble(self, output: int, pieces: Sequence[Piece]) -> pd.DataFrame:
        """Return a partition."""
        meta = self.result_meta
        if not pieces:
            return meta.iloc[:0].copy()
        return _decode([_table(piece).slice(piece.start, piece.stop - piece.start) for piece in pieces], meta)


def _narrow(numbers: Any, count: int) -> Any:
    """Return numbers in the smallest type that they fit in: those of up to 16 bits are sorted in linear time."""
    return numbers.astype(np.uint16) if count < 1 << 16 else numbers


def _encode(data: pd.DataFrame) -> Any:
    """Return a dataframe as an Arrow table whose columns are named by their position; the index comes last."""
    import pyarrow as pa

    columns = [encode_column(data.iloc[:, position], str(name)) for position, name in enumerate(data.columns)]
    columns.append(encode_column(data.index, "index"))
    fields = [pa.field(str(position), array.type, metadata=kind) for position, (array, kind) in enumerate(columns)]
    return pa.Table.from_arrays([array for array, _ in columns], schema=pa.schema(fields))


def _decode(tables: Sequence[Any], meta: pd.DataFrame) -> pd.DataFrame:
    width = len(meta.columns)
    values = [
        decode_columns([(table.field(position), table.column(position)) for table in tables], dtype)
        for position, dtype in enumerate([*meta.dtypes, meta.index.dtype])
    ]
    # With their types: pandas would make something else of some objects.
    index = pd.Index(values[width], dtype=values[width].dtype, name=meta.index.name)
    columns = {
        position: pd.Series(column, dtype=column.dtype, index=index, copy=False)
        for position, column in enumerate(values[:width])
    }
    frame = pd.DataFrame(columns, index=index, copy=False)
    frame.columns = meta.columns
    return frame


def _table(piece: Piece) -> Any:
    opened = piece.opened
    if not opened:
        opened.append(from_ipc(piece.body))
    return opened[0]


def to_ipc(table: Any) -> Any:
    """Return a table as an Arrow IPC stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def from_ipc(body: Any) -> Any:
    """Return the table of an Arrow IPC stream, without copying it."""
    import pyarrow as pa

    return pa.ipc.open_stream(pa.py_buffer(body)).read_all()
