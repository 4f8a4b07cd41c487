"""P2P shuffles of dask.dataframe and dask.array give the same values as task-based shuffles on one machine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from dagrpc import Client
from tests.property.odd_columns import KINDS

# For a long search: DAGRPC_SHUFFLE_EXAMPLES=500.
EXAMPLES = int(os.environ.get("DAGRPC_SHUFFLE_EXAMPLES", "15"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="DAGRPC_SHUFFLE_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.timeout(240 + 10 * EXAMPLES)

KEYS = ["int64", "str", "datetime64[ns]", "float64", "Int64", "category, few", "objects, text", "datetime, UTC"]
# pandas makes no categories of a column with tuples and numbers, which dask's merge may want.
kinds = st.sampled_from(sorted(set(KINDS) - {"category, tuples"}))


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    config = {"dataframe.convert-string": False}
    with dask.config.set(config), Client(processes=False, n_workers=2, threads_per_worker=1) as client:
        yield client


@st.composite
def two_frames(draw: st.DrawFn) -> Any:
    """Return two dataframes whose partitions need not be like their meta. Their keys are of one kind."""
    key = draw(st.sampled_from(KEYS))
    return make_frame(draw, key, "x"), make_frame(draw, key, "y")


def make_frame(draw: st.DrawFn, key: str, name: str) -> Any:
    usual = draw(kinds)
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(0, 5))
        numbers = st.lists(st.integers(0, 7), min_size=rows, max_size=rows)
        kind = draw(st.just(usual) | st.just(usual) | kinds)
        parts.append(pd.DataFrame({"k": KINDS[key](draw(numbers)), name: KINDS[kind](draw(numbers))}))
    announced = draw(st.just(usual) | kinds)
    meta = pd.DataFrame({"k": KINDS[key]([]), name: KINDS[announced]([])})
    note(f"{key}: {[part[name].dtype for part in parts]}, meta {meta[name].dtype}")
    return dd.from_delayed([dask.delayed(part) for part in parts], meta=meta, verify_meta=False)


def rows_of(found: Any) -> Counter[tuple[str, ...]]:
    """Return the rows of a dataframe in no order, each value as a text: numbers are the same whatever their type."""
    frame = found.to_frame() if isinstance(found, pd.Series) else found
    frame = frame.reset_index() if frame.index.name else frame
    return Counter(tuple(map(text_of, row)) for row in zip(*(frame[name] for name in frame), strict=True))


def text_of(value: Any) -> str:
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return "missing"
    if isinstance(value, bool | np.bool_ | int | np.integer | float | np.floating | complex | np.complexfloating):
        number = complex(value)
        return f"{number:.12g}" if number.imag else f"{number.real:.12g}"
    return str(value.tolist() if isinstance(value, np.ndarray) else value)


def merged(one: Any, other: Any, method: str, how: str) -> Any:
    return one.merge(other, on="k", how=how, shuffle_method=method, broadcast=False)


OPERATIONS: dict[str, Callable[[Any, Any, str], Any]] = {
    "shuffle": lambda a, b, method: a.shuffle("k", npartitions=3, shuffle_method=method),
    "shuffle by value": lambda a, b, method: a.shuffle(["k", "x"], shuffle_method=method),
    "set_index": lambda a, b, method: a.set_index("k", shuffle_method=method),
    "sort_values": lambda a, b, method: a.sort_values("k", shuffle_method=method),
    "drop_duplicates": lambda a, b, method: a[["k"]].drop_duplicates(split_out=2, shuffle_method=method),
    "groupby.apply": lambda a, b, method: a.groupby("k").apply(lambda g: g[["x"]], meta=a._meta[["x"]]),
    "merge, inner": lambda a, b, method: merged(a, b, method, "inner"),
    "merge, left": lambda a, b, method: merged(a, b, method, "left"),
    "merge, right": lambda a, b, method: merged(a, b, method, "right"),
    "merge, outer": lambda a, b, method: merged(a, b, method, "outer"),
}


def outcome_of(operation: str, one: Any, other: Any, method: str, scheduler: str | None) -> Any:
    """Return the rows that an operation gives, or its error."""
    with dask.config.set({"dataframe.shuffle.method": method}):
        try:
            lazy = OPERATIONS[operation](one, other, method)
            return rows_of(lazy.compute(scheduler=scheduler) if scheduler else lazy.compute())
        except Exception as error:
            return error


@SETTINGS
@given(two_frames(), st.sampled_from(sorted(OPERATIONS)))
def test_dataframes(client: Client, both: Any, operation: str) -> None:
    one, other = both
    expected = outcome_of(operation, one, other, "tasks", "sync")
    assume(not isinstance(expected, Exception))
    found = outcome_of(operation, one, other, "p2p", None)
    if isinstance(found, Exception) and "values change" in str(found):
        return
    # dask joins partitions as categories if the first one has categories, whatever the others have. Which one is first
    # with rows depends on the order of rows, which a shuffle does not promise.
    if isinstance(found, AttributeError) and "has no attribute 'categories'" in str(found):
        return
    note(f"{operation}: {found!r}, {expected!r}")
    if isinstance(found, Exception):
        raise found
    assert found == expected


@st.composite
def axes(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Return the sizes of an axis' chunks, before and after."""
    total = draw(st.integers(1, 8))
    borders = st.lists(st.integers(0, total), max_size=5).map(sorted)
    return [tuple(np.diff([0, *draw(borders), total]).tolist()) for _ in range(2)]


@SETTINGS
@given(st.lists(axes(), min_size=1, max_size=3), st.booleans())
def test_arrays(client: Client, cut: Any, filtered: bool) -> None:
    old, new = zip(*cut, strict=True)
    values = np.arange(np.prod([sum(axis) for axis in old])).reshape([sum(axis) for axis in old])
    x = da.from_array(values, chunks=old)
    if filtered:
        # The sizes of the chunks along the first axis are not known any more, and stay as they are.
        x = x[da.from_array(np.arange(len(values)) % 3 != 1, chunks=(old[0],))]
        new = (x.chunks[0], *new[1:])
    found, expected = (x.rechunk(new, method=method) for method in ("p2p", "tasks"))
    try:
        wanted = dask.compute(*expected.to_delayed().ravel(), scheduler="sync")
    except Exception:
        # dask cannot do everything with chunks without values.
        assume(False)
    blocks = dask.compute(*found.to_delayed().ravel())
    for block, want in zip(blocks, wanted, strict=True):
        assert block.dtype == want.dtype
        np.testing.assert_array_equal(block, want)
