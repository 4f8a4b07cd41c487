"""Splitting and putting together: what goes in comes out, wherever it goes in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dagrpc.shuffle.array_shuffle import ArraySpec
from dagrpc.shuffle.frames import FrameSpec
from dagrpc.shuffle.rechunk import _segments
from dagrpc.shuffle.specs import Piece, ShuffleSpec, first_output, owner_of


def shuffle(spec: ShuffleSpec, sources: list[Any], workers: int) -> list[Any]:
    """Do what workers do."""
    kept: list[dict[int, list[Piece]]] = [{} for _ in range(workers)]
    for source, data in enumerate(sources):
        for worker, parcel in spec.split(data, source, workers):
            for i, output in enumerate(parcel.outputs):
                piece = Piece(parcel.source, parcel.format, parcel.body, parcel.starts[i], parcel.starts[i + 1])
                kept[worker].setdefault(output, []).append(piece)
    return [spec.assemble(i, kept[owner_of(i, spec.count, workers)].get(i, [])) for i in range(spec.count)]


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 30])
@pytest.mark.parametrize("count", [1, 2, 5, 29])
def test_each_output_has_one_owner(count: int, workers: int) -> None:
    bounds = [first_output(worker, count, workers) for worker in range(workers + 1)]
    assert bounds[0] == 0
    assert bounds[-1] == count
    for output in range(count):
        owner = owner_of(output, count, workers)
        assert bounds[owner] <= output < bounds[owner + 1]


def frame(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(rows)
    return pd.DataFrame(
        {"p": rng.integers(0, 7, rows), "x": rng.random(rows), "s": rng.integers(0, 9, rows).astype(str)},
        index=pd.Index(rng.integers(0, 100, rows), name="i"),
    )


@pytest.mark.parametrize("workers", [1, 3, 10])
def test_rows_go_where_their_number_says_in_order(workers: int) -> None:
    sources = [frame(100), frame(0), frame(1), frame(33)]
    spec = FrameSpec("a", "b", 7, "p", frame(0))
    together = pd.concat(sources)
    for number, output in enumerate(shuffle(spec, sources, workers)):
        pd.testing.assert_frame_equal(output, together[together.p == number].drop(columns="p"))


def test_objects_stay_objects() -> None:
    source = pd.DataFrame({"p": [0, 1, 0], "o": pd.Series(["a", "b", None], dtype=object)})
    source.index = pd.Index(["x", "y", "z"], dtype=object)
    outputs = shuffle(FrameSpec("a", "b", 2, "p", source.iloc[:0], drop_column=False), [source], 1)
    for number, output in enumerate(outputs):
        pd.testing.assert_frame_equal(output, source[source.p == number])


def test_only_what_is_wanted_is_sent() -> None:
    sources = [frame(100), frame(50)]
    spec = FrameSpec("a", "b", (5, 2), "p", frame(0), drop_column=False)
    together = pd.concat(sources)
    outputs = shuffle(spec, sources, 2)
    for number, output in zip((5, 2), outputs, strict=True):
        pd.testing.assert_frame_equal(output, together[together.p == number])
        assert outputs[spec.output_of(number)] is output


def test_an_output_without_rows_is_like_the_others() -> None:
    spec = FrameSpec("a", "b", 9, "p", frame(0))
    empty = shuffle(spec, [frame(10)], 2)[8]
    pd.testing.assert_frame_equal(empty, frame(0).drop(columns="p"))


OLD, NEW = ((3, 3, 4), (5, 5)), ((1, 9), (2, 2, 2, 4))


@pytest.mark.parametrize("dtype", ["f8", "i2", "M8[ns]", "c16", "U3", "O", [("a", "i4"), ("b", "f8")]])
@pytest.mark.parametrize("workers", [1, 3])
def test_arrays_are_rechunked(dtype: Any, workers: int) -> None:
    values = np.arange(100).reshape(10, 10)
    array = np.zeros((10, 10), dtype=dtype)
    if isinstance(dtype, list):
        array["a"] = values
    else:
        array = values.astype(dtype)
    sources = [array[i : i + n, j : j + m] for i, n in ((0, 3), (3, 3), (6, 4)) for j, m in ((0, 5), (5, 5))]
    outputs = shuffle(ArraySpec("a", "b", OLD, NEW), sources, workers)
    assert np.array_equal(np.block([outputs[:4], outputs[4:]]), array)
    assert all(output.dtype == array.dtype and output.flags.writeable for output in outputs)


def test_masked_arrays_stay_masked() -> None:
    array = np.ma.masked_less(np.arange(8), 3)
    outputs = shuffle(ArraySpec("a", "b", ((4, 4),), ((2, 6),)), [array[:4], array[4:]], 2)
    assert np.ma.concatenate(outputs).mask.tolist() == array.mask.tolist()


def test_borders_in_common_part_what_is_independent() -> None:
    parts = list(_segments((2, 2, 3, 1), (1, 3, 4)))
    assert parts == [(range(0, 2), range(0, 2)), (range(2, 4), range(2, 3))]
