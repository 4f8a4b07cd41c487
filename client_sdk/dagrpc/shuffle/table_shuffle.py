"""Encodes dataframes as Arrow tables, and decodes pieces of several tables as one dataframe."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dagrpc._codec.pickle5 import dumps_inband
from dagrpc.shuffle import registered
from dagrpc.shuffle.columns import REGISTERED, Order, decode_column, encode_column
from dagrpc.shuffle.joining import join_arrays, same_type
from dagrpc.shuffle.layouts import Layout, levels_of, rebuilt

_LAYOUT = b"layout"
_KIND = b"kind"
_REGISTERED = b"registered"


def encode_frame(data: pd.DataFrame, order: Order, dropped: int | None = None) -> Any:
    """Return a dataframe as an Arrow table with the rows in `order`, without the column `dropped`.

    The columns of the table are named by position. They are the columns of the dataframe, then the levels of its index,
    then the columns of the table that `registered.to_table` returns.
    """
    import pyarrow as pa

    layout = Layout.of(data, dropped)
    places, table = registered.to_table(data)
    columns: list[tuple[Any, bytes]] = []
    for place, label in enumerate(data.columns):
        if place == dropped:
            continue
        if place in places:
            columns.append((pa.nulls(len(order.rows)), REGISTERED))
        else:
            columns.append(encode_column(data.iloc[:, place], order, label))
    columns += [encode_column(level, order, level.name or "index") for level in levels_of(data.index)]
    fields = [pa.field(str(place), array.type, metadata={_KIND: kind}) for place, (array, kind) in enumerate(columns)]
    arrays = [array for array, _ in columns]
    metadata = {_LAYOUT: dumps_inband(layout)}
    if places:
        metadata[_REGISTERED] = table.schema.serialize().to_pybytes()
        taken = table.take(pa.array(order.rows))
        fields += [pa.field(str(len(columns) + i), field.type) for i, field in enumerate(taken.schema)]
        arrays += taken.columns
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=metadata))


class _Piece:
    """A table that is a piece of a dataframe. Its columns are numbered as in the first piece."""

    def __init__(self, table: Any, layout: Layout, places: Sequence[int]) -> None:
        self.table = table
        self.layout = layout
        self.places = places
        """Position in this piece of each column of the first piece."""
        self._registered: pd.DataFrame | None = None

    def type(self, number: int) -> Any:
        """Return the type of a column."""
        return self.layout.types[self.places[number]]

    def column(self, number: int) -> tuple[bytes, Any]:
        """Return the kind of a column, and the column."""
        place = self.places[number]
        return self.table.field(place).metadata[_KIND], self.table.column(place)

    def registered(self, number: int) -> Any:
        """Return a column that a dispatch registered with dask has encoded."""
        import pyarrow as pa

        kinds = [self.table.field(place).metadata[_KIND] for place in range(len(self.layout.types))]
        taken = [place for place, kind in enumerate(kinds) if kind == REGISTERED]
        if self._registered is None:
            schema = pa.ipc.read_schema(pa.py_buffer(self.table.schema.metadata[_REGISTERED]))
            columns = self.table.columns[len(kinds) :]
            assert self.layout.like is not None
            like = pickle.loads(self.layout.like).iloc[:, taken]
            self._registered = registered.from_table(pa.Table.from_arrays(columns, schema=schema), like)
        return self._registered.iloc[:, taken.index(self.places[number])].array


def layout_of(table: Any) -> Layout:
    """Return the layout of the dataframe that a table encodes."""
    layout: Layout = pickle.loads(table.schema.metadata[_LAYOUT])
    return layout


def decode_frame(tables: Sequence[tuple[Any, Layout]], announced: Layout) -> pd.DataFrame:
    """Return one dataframe with the rows of all pieces, none of which is empty.

    Parameters
    ----------
    tables : sequence of (pyarrow.Table, Layout)
        Slices of the tables that `encode_frame` returned, at the borders in its `order`, with their layouts.
    announced : Layout
        The layout of the dataframe's meta.

    Raises
    ------
    ValueError
        If no dataframe can hold all values unchanged.
    """
    pieces = _pieces(tables)
    first = pieces[0].layout
    width = len(first.labels)
    columns = []
    for number, label in enumerate(first.labels):
        try:
            columns.append(_join(pieces, number, announced))
        except ValueError as error:
            layouts = "; ".join(dict.fromkeys(str(piece.layout) for piece in pieces))
            raise ValueError(f"Column {label!r}: {error}. Meta: {announced}. Pieces: {layouts}") from error
    index = _index(pieces, width)
    series = {
        number: pd.Series(column, dtype=column.dtype, index=index, copy=False) for number, column in enumerate(columns)
    }
    frame = pd.DataFrame(series, index=index, copy=False)
    frame.columns = first.labels
    return rebuilt(frame, [piece.layout.like for piece in pieces])


def _pieces(tables: Sequence[tuple[Any, Layout]]) -> list[_Piece]:
    """Return the pieces. Equal layouts become one object, so that they need not be compared again."""
    layouts: dict[bytes, Layout] = {}
    pieces: list[_Piece] = []
    for table, own in tables:
        layout = layouts.setdefault(table.schema.metadata[_LAYOUT], own)
        pieces.append(_Piece(table, layout, _places(pieces[0].layout if pieces else layout, layout)))
    return pieces


def _places(first: Layout, layout: Layout) -> Sequence[int]:
    """Return the positions in `layout` of the columns of `first`."""
    if layout is first or first.labels.equals(layout.labels):
        return range(len(layout.types))
    if not first.labels.is_unique:
        raise ValueError(f"Several columns have one name, and the order of columns differs: {first}; {layout}")
    levels = range(len(first.labels), len(layout.types))
    return [*layout.labels.get_indexer(first.labels).tolist(), *levels]


def _join(pieces: Sequence[_Piece], number: int, announced: Layout | None = None) -> Any:
    """Return a column of all pieces as one array."""
    arrays: list[Any] = []
    run: list[_Piece] = []
    for piece in pieces:
        if run and not same_type(run[0].type(number), piece.type(number)):
            arrays += _decoded(run, number)
            run = []
        run.append(piece)
    arrays += _decoded(run, number)
    if len(arrays) == 1:
        return arrays[0]
    return join_arrays(arrays, announced.type_of(pieces[0].layout.labels[number]) if announced is not None else None)


def _decoded(run: Sequence[_Piece], number: int) -> list[Any]:
    columns = [piece.column(number) for piece in run]
    if any(kind == REGISTERED for kind, _ in columns):
        return [
            array
            for piece, (kind, column) in zip(run, columns, strict=True)
            for array in (
                [piece.registered(number)]
                if kind == REGISTERED
                else decode_column([(kind, column)], piece.type(number))
            )
        ]
    return decode_column(columns, run[0].type(number))


def _index(pieces: Sequence[_Piece], width: int) -> pd.Index:
    first = pieces[0].layout
    if all(_same_levels(first, piece.layout) for piece in pieces):
        levels = [_join(pieces, width + level) for level in range(len(first.names))]
        names = [
            name if all(piece.layout.names[level] == name for piece in pieces) else None
            for level, name in enumerate(first.names)
        ]
        return _made_index(levels, names, first.has_levels)
    indexes = [
        _made_index(
            [_join([piece], len(piece.layout.labels) + level) for level in range(len(piece.layout.names))],
            piece.layout.names,
            piece.layout.has_levels,
        )
        for piece in pieces
    ]
    return indexes[0].append(indexes[1:])


def _same_levels(one: Layout, other: Layout) -> bool:
    return one is other or (one.has_levels == other.has_levels and len(one.names) == len(other.names))


def _made_index(levels: Sequence[Any], names: Sequence[Any], has_levels: bool) -> pd.Index:
    if has_levels:
        return pd.MultiIndex.from_arrays([pd.Series(level, dtype=level.dtype) for level in levels], names=names)
    # Without these arguments pandas infers another type, or takes tuples for levels.
    return pd.Index(levels[0], dtype=levels[0].dtype, name=names[0], tupleize_cols=False)


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
