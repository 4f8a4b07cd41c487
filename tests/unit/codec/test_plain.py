"""Plain data: what goes in comes out, and what is something else is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrpc._codec.plain import decode_plain, encode_plain, topic_names

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
)
keys = scalars | st.tuples(scalars, scalars)
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner),
    max_leaves=20,
)


def same(one: Any, other: Any) -> bool:
    """Equal, with equal types: 1 and True are not the same."""
    return repr(one) == repr(other)


@given(plain)
def test_values_survive_the_round_trip(value: Any) -> None:
    assert same(decode_plain(encode_plain(value)), value)


def test_scalars_of_numpy_become_python_s() -> None:
    value = {"a": np.int64(3), "b": [np.float32(0.5), np.bool_(True), np.str_("text")]}
    assert same(decode_plain(encode_plain(value)), {"a": 3, "b": [0.5, True, "text"]})


@pytest.mark.parametrize("value", [{1, 2}, object(), [lambda: 1], {"a": {"b": 1j}}, np.ones(3), "\ud800", print])
def test_values_that_are_not_plain_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="Message must be plain data"):
        encode_plain(value)


def test_integers_have_64_bits() -> None:
    with pytest.raises(OverflowError, match="64 bits"):
        encode_plain([2**63])


def test_nesting_is_limited() -> None:
    deep: list[Any] = []
    for _ in range(39):
        deep = [deep]
    assert decode_plain(encode_plain(deep)) == deep
    with pytest.raises(TypeError, match="40 levels"):
        encode_plain([deep])
    deep.append(deep)
    with pytest.raises(TypeError, match="40 levels"):
        encode_plain(deep)


@pytest.mark.parametrize("data", [b"\xff", b"\x3a\x06\x0a\x04\x0a\x02\x32\x00"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not plain data"):
        decode_plain(data)


def test_topics() -> None:
    assert topic_names("a") == ["a"]
    assert topic_names(["a", "b"]) == ["a", "b"]
    assert topic_names(("a", "b")) == ["a", "b"]
    with pytest.raises(ValueError, match="needs a topic"):
        topic_names("")
    with pytest.raises(ValueError, match="needs a topic"):
        topic_names([])
    for topic in (None, 1, {"a": 1}, ["a", 1]):
        with pytest.raises(TypeError, match="must be a str"):
            topic_names(topic)  # type: ignore[arg-type]
