"""Whatever is in the columns of a dataframe, and whatever its meta says, comes out of a shuffle as it went in.

And so do the chunks of arrays, however they are cut.
"""

from __future__ import annotations

import itertools
import os
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dagrpc.shuffle.array_shuffle import ArraySpec
from dagrpc.shuffle.frames import FrameSpec
from dagrpc.shuffle.joining import same_type
from dagrpc.shuffle.rechunk import _segments
from dagrpc.shuffle.specs import Piece, ShuffleSpec, owner_of
from tests.property.odd_columns import INDEXES, KINDS, LEVELS, identical_value, same_value

# For a long search: DAGRPC_SHUFFLE_EXAMPLES=5000.
EXAMPLES = int(os.environ.get("DAGRPC_SHUFFLE_EXAMPLES", "100"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="DAGRPC_SHUFFLE_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.timeout(120 + 2 * EXAMPLES)

kinds = st.sampled_from(sorted(KINDS))
levels = st.sampled_from(LEVELS)
labels = st.sampled_from(["a", "b", "c", 0, 1.5, ("t", 1), None, "ü"])


def shuffle(spec: ShuffleSpec, sources: list[Any], workers: int) -> list[Any]:
    """Do what workers do."""
    kept: list[dict[int, list[Piece]]] = [{} for _ in range(workers)]
    templates = []
    for source, data in enumerate(sources):
        for worker, parcel in spec.split(data, source, workers):
            opened: list[Any] = []
            for i, output in enumerate(parcel.outputs):
                starts = parcel.starts[i], parcel.starts[i + 1]
                piece = Piece(parcel.source, parcel.format, bytes(parcel.body), *starts, opened)
                kept[worker].setdefault(output, []).append(piece)
        templates.append(spec.template(data))
    template = next((template for template in templates if template is not None), None)
    pieces = [kept[owner_of(i, spec.count, workers)].get(i, []) for i in range(spec.count)]
    return [spec.assemble(i, pieces[i], template) for i in range(spec.count)]


@st.composite
def partitions(draw: st.DrawFn) -> tuple[list[pd.DataFrame], pd.DataFrame, int]:
    """Return the partitions of a dataframe, its meta, and the number of outputs."""
    count = draw(st.integers(1, 5))
    names = draw(st.lists(labels, min_size=1, max_size=4))
    usual = [draw(kinds) for _ in names]
    index_kind = draw(st.none() | st.sampled_from(INDEXES) | st.tuples(levels, levels))
    announced = [draw(st.just(kind) | kinds) for kind in usual]
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        rows = draw(st.integers(0, 6))
        columns = [draw(st.just(kind) | st.just(kind) | kinds) for kind in usual]
        parts.append(make_frame(draw, names, columns, index_kind, rows, count))
    meta = make_frame(draw, names, announced, index_kind, 0, count)
    return parts, meta, count


def make_frame(draw: st.DrawFn, names: list[Any], columns: list[str], index_kind: Any, rows: int, count: int) -> Any:
    numbers = st.lists(st.integers(0, 7), min_size=rows, max_size=rows)
    series = [KINDS[kind](draw(numbers)) for kind in columns]
    series.append(pd.Series(draw(st.lists(st.integers(0, count - 1), min_size=rows, max_size=rows)), dtype="int64"))
    frame = pd.concat(series, axis=1, keys=range(len(series)))
    if isinstance(index_kind, tuple):
        frame.index = pd.MultiIndex.from_arrays([KINDS[kind](draw(numbers)) for kind in index_kind], names=["i", None])
    elif index_kind is not None:
        level = KINDS[index_kind](draw(numbers))
        frame.index = pd.Index(level, dtype=level.dtype, name="i", tupleize_cols=False)
    frame.columns = pd.Index([*names, "_partitions"], dtype=object, tupleize_cols=False)
    return frame


@SETTINGS
@given(partitions(), st.integers(1, 3))
def test_values_come_out_as_they_went_in(made: tuple[list[pd.DataFrame], pd.DataFrame, int], workers: int) -> None:
    parts, meta, count = made
    note(f"parts {[dict(enumerate(part.dtypes)) for part in parts]}, meta {list(meta.dtypes)}")
    spec = FrameSpec("a", "b", count, "_partitions", meta)
    pieces = [[part[part.iloc[:, -1] == output].iloc[:, :-1] for part in parts] for output in range(count)]
    pieces = [[piece for piece in each if len(piece)] for each in pieces]
    found: list[Any] = []
    why = ""
    try:
        found = shuffle(spec, parts, workers)
    except ValueError as error:
        why = str(error)
    if why:
        assert any(loses_values(each) for each in pieces), why
        return
    for output, expected in zip(found, pieces, strict=True):
        check(output, expected, parts, meta)


def check(found: pd.DataFrame, pieces: list[pd.DataFrame], parts: list[pd.DataFrame], meta: pd.DataFrame) -> None:
    """Compare an output with its pieces."""
    wanted = [*meta.columns[:-1]]
    assert list(found.columns) == wanted or [*map(repr, found.columns)] == [*map(repr, wanted)]
    like = pieces or [part.iloc[:0, :-1] for part in parts if len(part)][:1] or [meta.iloc[:, :-1]]
    assert len(found) == sum(map(len, pieces))
    for place in range(len(wanted)):
        check_column(found.iloc[:, place], [piece.iloc[:, place] for piece in like])
    index = [piece.index for piece in like]
    assert found.index.names == index[0].names
    for level in range(found.index.nlevels):
        check_column(
            found.index.get_level_values(level).to_series(),
            [each.get_level_values(level).to_series() for each in index],
        )


def check_column(found: pd.Series, pieces: list[pd.Series]) -> None:
    """Compare a column with the pieces that it was put together from."""
    alike = all(same_type(piece.dtype, pieces[0].dtype) for piece in pieces)
    if alike:
        assert same_type(found.dtype, pieces[0].dtype), (found.dtype, pieces[0].dtype)
    same = identical_value if alike else same_value
    expected = list(itertools.chain.from_iterable(pieces))
    assert len(found) == len(expected)
    for value, was in zip(found, expected, strict=True):
        assert same(value, was), (value, was, found.dtype, [piece.dtype for piece in pieces])


def loses_values(pieces: list[pd.DataFrame]) -> bool:
    """Tell whether pandas cannot put some columns together without changing values."""
    columns = [[piece.iloc[:, place] for piece in pieces] for place in range(len(pieces[0].columns))] if pieces else []
    depth = pieces[0].index.nlevels if pieces else 0
    columns += [[piece.index.get_level_values(level).to_series() for piece in pieces] for level in range(depth)]
    for column in columns:
        try:
            with warnings.catch_warnings(action="ignore"):
                joined = pd.concat(column, ignore_index=True)
        except Exception:
            return True
        if not all(map(same_value, joined, itertools.chain.from_iterable(column))):
            return True
    return False


# --- arrays ------------------------------------------------------------------------------------------------------


@st.composite
def cuts(draw: st.DrawFn, total: int) -> tuple[int, ...]:
    """Return the sizes of chunks that make up an axis."""
    borders = sorted(draw(st.lists(st.integers(0, total), max_size=5)))
    return tuple(np.diff([0, *borders, total]).tolist())


@st.composite
def axes(draw: st.DrawFn) -> list[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """Return the size of each axis, and its chunks before and after."""
    sizes = draw(st.lists(st.integers(0, 7), min_size=1, max_size=3))
    made = [(size, draw(cuts(size)), draw(cuts(size))) for size in sizes]
    return [(size, old, draw(st.just(old) | st.just(new))) for size, old, new in made]


MAKERS: list[Any] = [
    lambda a: a.astype("f8"),
    lambda a: a.astype("i1"),
    lambda a: a.astype("c16"),
    lambda a: a.astype("M8[s]"),
    lambda a: a.astype("m8[ms]"),
    lambda a: a.astype("U3"),
    lambda a: a.astype("S2"),
    lambda a: a.astype(">i4"),
    lambda a: a % 2 == 0,
    lambda a: a.astype(object),
    lambda a: np.asfortranarray(a),
    lambda a: np.ma.masked_array(a, mask=a % 3 == 0, fill_value=7),
    lambda a: np.rec.fromarrays([a, a / 2], names="x,y"),  # type: ignore[call-overload]
    lambda a: np.stack([a, a / 2], axis=-1).astype("f4").view("f4,f4")[..., 0],
    lambda a: np.broadcast_to(np.array(1.5), a.shape),
]


def chunks_of(array: Any, chunks: Any) -> dict[tuple[int, ...], Any]:
    """Return the chunks of an array by their positions."""
    slices = [[slice(end - size, end) for end, size in zip(np.cumsum(axis), axis, strict=True)] for axis in chunks]
    positions = itertools.product(*(range(len(axis)) for axis in chunks))
    return {position: array[tuple(axis[i] for axis, i in zip(slices, position, strict=True))] for position in positions}


@SETTINGS
@given(axes(), st.sampled_from(range(len(MAKERS))), st.integers(1, 3), st.booleans())
def test_chunks_hold_the_same_values(cut: Any, maker: int, workers: int, known: bool) -> None:
    shape, old, new = zip(*cut, strict=True)
    array = MAKERS[maker](np.arange(int(np.prod(shape))).reshape(shape))
    array.flags.writeable = False
    sources = list(chunks_of(array, old).values())
    if not known:
        unknown = [before == after for before, after in zip(old, new, strict=True)]
        old, new = (
            tuple((np.nan,) * len(axis) if lost else axis for axis, lost in zip(chunks, unknown, strict=True))
            for chunks in (old, new)
        )
    found = shuffle(ArraySpec("a", "b", old, new), sources, workers)
    _, _, real = zip(*cut, strict=True)
    for chunk, expected in zip(found, chunks_of(array, real).values(), strict=True):
        assert type(chunk) is type(expected)
        assert chunk.dtype == expected.dtype
        assert chunk.shape == expected.shape
        assert chunk.flags.writeable
        np.testing.assert_array_equal(chunk, expected)
        if isinstance(expected, np.ma.MaskedArray):
            assert np.ma.getmaskarray(chunk).tolist() == np.ma.getmaskarray(expected).tolist()
            assert chunk.fill_value == expected.fill_value


@SETTINGS
@given(st.integers(0, 9).flatmap(lambda total: st.tuples(cuts(total), cuts(total))))
def test_parts_of_an_axis_cover_it(chunks: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    old, new = chunks
    parts = list(_segments(old, new))
    for side, sizes in enumerate((old, new)):
        assert [place for part in parts for place in part[side]] == list(range(len(sizes)))
    for one, other in parts:
        assert len(one)
        assert len(other)
        assert sum(old[i] for i in one) == sum(new[i] for i in other)
