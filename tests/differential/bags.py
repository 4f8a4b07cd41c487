"""Programs with dask bags."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

PREPARATION = """
import dask.bag as db
from collections import Counter

words = ["ant", "bee", "cat", "dog", "eel", "ant", "bee", "ant"] * 3
bags = [db.from_sequence(words, npartitions=4), db.range(20, npartitions=3).map(lambda n: f"w{n % 5}")]
kept = []
"""

_BAG = st.integers(0, 5).map("bags[{} % len(bags)]".format)

_MAKE = st.builds(
    lambda bag, made: f"bags.append({bag}.{made})",
    _BAG,
    st.sampled_from(
        [
            "map(str.upper)",
            "filter(lambda word: len(word) > 2)",
            "map(lambda word, n=[]: (n.append(word), word * len(n))[1])",
            "map_partitions(lambda part: [word + '!' for word in part])",
            "distinct()",
            "repartition(npartitions=2)",
            "map(lambda word: word[::-1])",
        ]
    ),
)
_LOOK = st.sampled_from(
    [
        "count()",
        "frequencies().map(repr).fold(max)",
        "groupby(len).map(lambda pair: (pair[0], sorted(pair[1])))",
        "foldby(len, lambda total, word: total + len(word), 0, lambda a, b: a + b, 0)",
        "topk(3)",
        "map(len).sum()",
        "map(lambda word: 1 // (len(word) - 3))",
    ]
)

_STEPS: SearchStrategy[str] = st.one_of(
    _MAKE,
    st.builds(
        "show_as(lambda value: sorted(map(repr, value)) if isinstance(value, list) else value, start({}.{}))".format,
        _BAG,
        _LOOK,
    ),
    st.builds("kept.append(start({}))".format, _BAG),
    st.builds("kept.append(start_elsewhere({}))".format, _BAG),
    st.integers(0, 5).map("bags[{0} % len(bags)] = persist(bags[{0} % len(bags)])".format),
    st.just("del kept[:1]"),
)

STATEMENTS: SearchStrategy[list[str]] = st.lists(_STEPS, min_size=2, max_size=10).map(
    lambda statements: [*statements, "for handle in kept: show_as(sorted, handle)"]
)
