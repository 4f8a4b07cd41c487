"""Keys on the wire: injective and reversible."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrpc._common.keys import decode_key, encode_key

scalars = st.one_of(
    st.text(min_size=1), st.binary(), st.integers(), st.floats(allow_nan=False), st.sampled_from(["inf", "nan", "-inf"])
)
keys = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=8)


@given(keys)
def test_round_trip(key: object) -> None:
    decoded = decode_key(encode_key(key))
    assert decoded == key
    assert type(decoded) is type(key)


@given(keys, keys)
def test_injective(one: object, other: object) -> None:
    if one != other:
        assert encode_key(one) != encode_key(other)


def test_text_that_looks_like_a_tuple_is_not_the_tuple() -> None:
    assert encode_key("('x', 0)") != encode_key(("x", 0))
    assert decode_key(encode_key("('x', 0)")) == "('x', 0)"


def test_plain_names_travel_as_they_are() -> None:
    assert encode_key("inc-0123") == "inc-0123"
    assert encode_key("été") == "été"


def test_numpy_scalars_are_numbers() -> None:
    assert encode_key(("x", np.int64(3))) == "('x', 3)"


def test_not_a_number() -> None:
    decoded = decode_key(encode_key(float("nan")))
    assert isinstance(decoded, float)
    assert math.isnan(decoded)


@pytest.mark.parametrize("key", [None, ["a"], {"a": 1}, object(), ("x", None)])
def test_other_types_are_refused_by_name(key: object) -> None:
    with pytest.raises(TypeError, match="key must be"):
        encode_key(key)


@pytest.mark.parametrize("text", ["(1).__class__", "('x', open('f'))", "(lambda: 1)", "-'x'", "(1, x)", "(1"])
def test_a_text_that_is_no_key_is_not_evaluated(text: str) -> None:
    with pytest.raises(ValueError, match="text of a key"):
        decode_key(text)
