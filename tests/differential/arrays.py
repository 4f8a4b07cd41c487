"""Programs with dask arrays: random expressions, computed whole, in part, and persisted, by two clients."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

PREPARATION = """
import dask.array as da
import numpy as np

numbers = np.arange(144.0).reshape(12, 12) % 31
arrays = [da.from_array(numbers, chunks=(4, 4)), da.from_array(numbers[::-1] / 7, chunks=(5, 12))]
kept = []
"""

_ARRAY = st.integers(0, 6).map("arrays[{} % len(arrays)]".format)
_AXIS = st.sampled_from([0, 1])

_UNARY = st.sampled_from(
    [
        "{a} - {a}.mean(axis={axis})",
        "{a} - {a}.mean(axis={axis}, keepdims=True)",
        "({a} - {a}.mean()) / ({a}.std() + 1)",
        "{a}.cumsum(axis={axis})",
        "{a}.rechunk(({n} + 2, 12 - {n}))",
        "{a}.rechunk({{{axis}: 3}})",
        "{a}.reshape(144).reshape(12, 12)",
        "{a}.T",
        "{a}[::-1]",
        "da.roll({a}, {n}, axis={axis})",
        "{a}.map_overlap(lambda block: block + block.mean() * 0, depth=1, boundary='reflect')",
        "{a}.map_blocks(lambda block, n={n}: block + n)",
        "da.gradient({a}, axis={axis})",
        "da.pad(da.diff({a}, axis=0), ((0, 1), (0, 0)))",
        "da.where({a} > {n}, {a}, {a}.mean())",
        "da.concatenate([{a}[:6], {a}[6:]])",
        "da.stack([{a}, {a} * 2]).sum(axis=0)",
        "{a}.astype('float32')",
        "da.sqrt(abs({a}))",
        "da.flip({a}, {axis})",
        "{a}.clip({n}, 20)",
        "da.maximum({a}, {a}.T)",
    ]
)
_BINARY = st.sampled_from(
    ["{a} + {b}", "{a} * {b} % 17", "({a} @ {b}) % 101", "da.where({a} > {b}, {a}, {b})", "{a} - {b}.T"]
)


@st.composite
def _expression(draw: st.DrawFn) -> str:
    template = draw(st.one_of(_UNARY, _UNARY, _BINARY))
    made = template.format(a=draw(_ARRAY), b=draw(_ARRAY), axis=draw(_AXIS), n=draw(st.integers(0, 4)))
    return f"arrays.append({made})"


_PARTS = st.sampled_from(
    [
        "[0]",
        "[:, 3]",
        "[2:7]",
        "[1::3, ::2]",
        "[-1]",
        "[[1, 5, 2]]",
        ".blocks[0, 0]",
        ".sum()",
        ".mean(axis=0)",
        ".max(axis=1)",
        "",
        "[5, 5]",
    ]
)

_STEPS: SearchStrategy[str] = st.one_of(
    _expression(),
    _expression(),
    st.builds("kept.append(start({}{}))".format, _ARRAY, _PARTS),
    st.builds("kept.append(start({}{}, {}{}))".format, _ARRAY, _PARTS, _ARRAY, _PARTS),
    st.builds("kept.append(start_elsewhere({}{}))".format, _ARRAY, _PARTS),
    st.builds("show(start({}{}))".format, _ARRAY, _PARTS),
    st.builds("held = persist({}{})".format, _ARRAY, _PARTS),
    st.integers(0, 6).map("arrays[{0} % len(arrays)] = persist(arrays[{0} % len(arrays)])".format),
    st.just("del kept[:1]"),
    st.just("kept and show(kept[0])"),
)

STATEMENTS: SearchStrategy[list[str]] = st.lists(_STEPS, min_size=3, max_size=14).map(
    lambda statements: [*statements, "show(kept)"]
)
