"""Programs with dask dataframes: odd types, and metas that are not quite right, through everything that shuffles."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

PREPARATION = """
import datetime, decimal
import numpy as np
import pandas as pd
import dask
import dask.dataframe as dd

# Else dask itself makes text of all objects.
dask.config.set({"dataframe.convert-string": False})

class Point:
    def __init__(self, x):
        self.x = x
    def __repr__(self):
        return f"Point({self.x})"

N = 23
order = [7 * n % N for n in range(N)]
columns = {
    "int8": pd.Series([n % 5 for n in order], dtype="int8"),
    "uint64": pd.Series([2**63 + n for n in order], dtype="uint64"),
    "float": pd.Series([n / 3 if n % 4 else None for n in order]),
    "nullable": pd.Series([n if n % 3 else None for n in order], dtype="Int64"),
    "boolean": pd.Series([[True, False, None][n % 3] for n in order], dtype="boolean"),
    "text": pd.Series([f"t{n % 6}" for n in order], dtype=object),
    "string": pd.Series([f"s{n % 6}" if n % 5 else None for n in order], dtype="string"),
    "mixed": pd.Series([[n, str(n), None, n / 2][n % 4] for n in order], dtype=object),
    "lists": pd.Series([[n, [n]] for n in order], dtype=object),
    "points": pd.Series([Point(n % 4) for n in order], dtype=object),
    "decimals": pd.Series([decimal.Decimal(n) / 4 for n in order], dtype=object),
    "dates": pd.Series([datetime.date(2020, 1, 1 + n) for n in order], dtype=object),
    "stamps": pd.Series(pd.to_datetime([f"2021-03-{1 + n:02}T12:00:00.123456789" for n in order])),
    "zoned": pd.Series(pd.date_range("2021-03-20", periods=N, freq="D", tz="Europe/Berlin")[order]),
    "deltas": pd.Series(pd.to_timedelta([n * 1001 for n in order], unit="ms")),
    "seconds": pd.Series(np.array(order, dtype="datetime64[s]")),
    "periods": pd.Series(pd.period_range("2020-01", periods=N, freq="M")),
    "intervals": pd.Series(pd.cut(pd.Series(order), 4)),
    "category": pd.Series([f"c{n % 4}" for n in order], dtype="category"),
    "ordered": pd.Series(pd.Categorical([n % 3 for n in order], categories=[2, 1, 0], ordered=True)),
    "complex": pd.Series([complex(n, -n) for n in order]),
    "bytes": pd.Series([bytes([n]) for n in order], dtype=object),
    "none": pd.Series([None] * N, dtype=object),
    "late": pd.Series([None] * 12 + [n / 2 for n in range(N - 12)], dtype=object),
}

def frame_of(names, npartitions, key):
    pandas = pd.DataFrame({"key": [key * n % 7 for n in range(N)], **{name: columns[name] for name in names}})
    return dd.from_pandas(pandas, npartitions=npartitions, sort=False)

def by_parts(names, cuts, key, meta_of):
    # Parts whose meta was taken from the first of them, or is another one still.
    pandas = pd.DataFrame({"key": [key * n % 7 for n in range(N)], **{name: columns[name] for name in names}})
    ranges = zip([0, *cuts], [*cuts, N])
    parts = [dask.delayed(pandas.iloc[start:stop].reset_index(drop=True)) for start, stop in ranges]
    meta = pandas.iloc[:meta_of].infer_objects().iloc[:0]
    return dd.from_delayed(parts, meta=meta, verify_meta=False)

def rows(frame):
    # The order of rows within a partition is nobody's to rely on.
    return sorted(repr([plain(value) for value in row]) for row in frame.itertuples(index=False))

def plain(value):
    # A column that has got a missing value by a merge has floats for integers.
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value) if abs(value) < 2**53 else int(value) if value == value else None
    return None if value is pd.NA or value is pd.NaT or value is None else value

def look(frame):
    show_as(rows, start(frame))

frames = []
"""

_COLUMNS = st.lists(
    st.sampled_from(
        [
            "int8",
            "uint64",
            "float",
            "nullable",
            "boolean",
            "text",
            "string",
            "mixed",
            "lists",
            "points",
            "decimals",
            "dates",
            "stamps",
            "zoned",
            "deltas",
            "seconds",
            "periods",
            "intervals",
            "category",
            "ordered",
            "complex",
            "bytes",
            "none",
            "late",
        ]
    ),
    min_size=1,
    max_size=5,
    unique=True,
)
_HASHABLE = st.sampled_from(
    ["key", "int8", "uint64", "nullable", "text", "string", "stamps", "zoned", "deltas", "category", "boolean"]
)
_FRAME = st.integers(0, 3).map("frames[{} % len(frames)]".format)
_HOW = st.sampled_from(["inner", "left", "right", "outer"])

_MAKE: SearchStrategy[str] = st.one_of(
    st.builds("frames.append(frame_of({}, {}, {}))".format, _COLUMNS, st.integers(1, 5), st.integers(1, 4)),
    st.builds(
        "frames.append(by_parts({}, {}, {}, {}))".format,
        _COLUMNS,
        st.sampled_from([[5, 11], [12], [0, 9], [1, 2, 20]]),
        st.integers(1, 4),
        st.sampled_from([0, 3, 23]),
    ),
)


def _with_column(frame: str, column: str) -> str:
    """Return the name of a column if the frame has it, else of the one that all have."""
    return f"({column!r} if {column!r} in {frame}.columns else 'key')"


_LOOKS: SearchStrategy[str] = st.one_of(
    st.builds(
        lambda f, c, n: f"look({f}.shuffle({_with_column(f, c)}, npartitions={n}))",
        _FRAME,
        _HASHABLE,
        st.integers(1, 6),
    ),
    st.builds(
        lambda a, b, how: f"look({a}.merge({b}[['key']].drop_duplicates(), on='key', how={how!r}))",
        _FRAME,
        _FRAME,
        _HOW,
    ),
    st.builds(lambda a, b, how: f"look({a}.merge({b}, on='key', how={how!r}))", _FRAME, _FRAME, _HOW),
    st.builds(lambda f: f"look({f}.drop_duplicates(subset=['key'], split_out=2)[['key']])", _FRAME),
    st.builds(lambda f: f"look({f}.set_index('key').reset_index())", _FRAME),
    st.builds(lambda f: f"look({f}.sort_values('key'))", _FRAME),
    st.builds(lambda f: f"look({f}.groupby('key').size().reset_index())", _FRAME),
    st.builds(
        lambda f: (
            f"look({f}.groupby('key').apply(lambda part: part.assign(count=len(part)), meta={f}._meta.assign(count=1)))"
        ),
        _FRAME,
    ),
    st.builds(lambda f: f"look({f}.repartition(npartitions=2))", _FRAME),
    st.just("frames[0] = persist(frames[0])"),
)

STATEMENTS: SearchStrategy[list[str]] = st.builds(
    lambda first, rest: [first, *rest], _MAKE, st.lists(st.one_of(_MAKE, _LOOKS, _LOOKS), min_size=1, max_size=5)
)
