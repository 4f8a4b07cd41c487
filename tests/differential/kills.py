"""Programs with dask arrays whose workers are killed, and whose cluster is restarted, in between."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.differential import arrays

PREPARATION = arrays.PREPARATION + "\nfirst = list(arrays)\n"

_FAULTS = st.one_of(
    st.builds("kill_worker({})".format, st.integers(0, 1)),
    st.just("kept.clear(); held = None; arrays[:] = first; restart()"),
)

STATEMENTS: SearchStrategy[list[str]] = st.builds(
    lambda before, fault, after: [*before[:-1], fault, *after], arrays.STATEMENTS, _FAULTS, arrays.STATEMENTS
)
