"""Keys, options and arguments of calls."""

import string
from collections import OrderedDict, namedtuple
from datetime import timedelta
from typing import Any

import dask
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrpc._client.arguments import encode_arguments, warn_if_large
from dagrpc._client.call_tokens import call_token, data_key, function_name, unique_key
from dagrpc._client.key_table import KeyState
from dagrpc._client.replace_futures import replace_futures
from dagrpc._client.submission_options import (
    explicit_options,
    fifo_seconds,
    submission_options,
    task_options,
    worker_names,
)
from dagrpc._codec.functions import PickledFunction
from dagrpc._codec.references import DependencyRef
from dagrpc.future import Future, find_type

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner),
    max_leaves=8,
)
Point = namedtuple("Point", ["x", "y"])


def described(value):
    """Return a value with the types of all its parts, so that 1 and True and 1.0 differ."""
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, tuple(described(item) for item in value))
    return (type(value).__name__, repr(value))


# --- keys --------------------------------------------------------------------------------------------------------


@given(st.lists(PLAIN, max_size=3), st.lists(PLAIN, max_size=3))
def test_tokens_differ_exactly_where_arguments_do(first, second):
    same = described(first) == described(second)
    assert (call_token(b"f", first, None) == call_token(b"f", second, None)) is same


@given(st.dictionaries(st.text(string.ascii_letters, min_size=1), PLAIN, max_size=3))
def test_keyword_arguments_count_but_not_their_order(kwargs):
    token = call_token(b"f", (), kwargs)
    assert call_token(b"f", (), dict(reversed(kwargs.items()))) == token
    if kwargs:
        assert call_token(b"f", (), None) != token
        assert call_token(b"f", tuple(kwargs.values()), None) != token


def test_tokens_of_other_values():
    tokens = {
        call_token(b"f", (value,), None)
        for value in (
            DependencyRef("1"),
            "1",
            1,
            True,
            1.0,
            np.int64(1),
            {1},
            {1: 1},
            np.ones(2),
            np.zeros(2),
            10**5000,
        )
    }
    assert len(tokens) == 11
    assert call_token(b"f", (np.ones(2),), None) == call_token(b"f", (np.ones(2),), None)
    assert call_token(b"f", (1,), None) != call_token(b"g", (1,), None)
    nested: list[Any] = [1]
    for _ in range(5_000):
        nested = [nested]
    assert len(call_token(b"f", (nested,), None)) == 32
    assert len(call_token(b"f", ("\ud800",), None)) == 32


def test_names():
    assert function_name(len) == "len"
    assert function_name(lambda: 0) == "lambda"
    assert unique_key("f") != unique_key("f")
    assert data_key(np.ones(2)).startswith("ndarray-")


# --- options -----------------------------------------------------------------------------------------------------


def test_workers():
    assert worker_names(None) == []
    assert worker_names("a") == ["a"]
    assert worker_names(3) == ["3"]
    assert worker_names(["tcp://h:1", 0, "b"]) == ["h:1", "0", "b"]
    assert worker_names({"a"}) == ["a"]


def test_options_as_messages():
    assert task_options({}) is None
    assert task_options(explicit_options()) is None
    options = task_options(
        explicit_options(workers="a", allow_other_workers=True, resources={"GPU": 1}, retries=2, priority=3, actor=True)
    )
    assert options is not None
    assert list(options.workers) == ["a"]
    assert options.allow_other_workers
    assert dict(options.resources) == {"GPU": 1.0}
    assert (options.retries, options.priority, options.actor) == (2, 3.0, True)
    assert options.annotations == ""
    options = task_options({"executor": "gpu", "purpose": "test", "size": {"a": 1}})
    assert options is not None
    assert options.executor == "gpu"
    assert options.annotations == '{"purpose": "test", "size": {"a": 1}}'
    assert task_options({"retries": -1}) is None


@pytest.mark.parametrize(
    ("given_options", "error"),
    [
        ({"priority": "high"}, TypeError),
        ({"priority": float("inf")}, ValueError),
        ({"retries": "many"}, TypeError),
        ({"resources": {"GPU": "1"}}, TypeError),
    ],
)
def test_options_that_make_no_sense(given_options, error):
    with pytest.raises(error, match=next(iter(given_options))):
        task_options(given_options)


def test_own_options_come_before_annotations():
    assert submission_options({}) is None
    with dask.annotate(priority=7, retries=3, purpose="x"):
        options = submission_options({"priority": 1})
    assert options is not None
    assert (options.priority, options.retries, options.annotations) == (1.0, 3, '{"purpose": "x"}')


def test_durations():
    assert fifo_seconds("100 ms") == 0.1
    assert fifo_seconds("60s") == 60
    assert fifo_seconds(2) == 2
    assert fifo_seconds(None) == 0
    assert fifo_seconds(timedelta(seconds=3)) == 3


def test_workers_may_be_an_iterator():
    options = task_options(explicit_options(workers=iter(["a", "b"])))
    assert options is not None
    assert list(options.workers) == ["a", "b"]


# --- arguments ---------------------------------------------------------------------------------------------------


class StateOnly:
    """A client with as much of a core as a future needs."""

    class _core:
        @staticmethod
        def want(key):
            return KeyState(key, key)

        class session:
            @staticmethod
            def send(command):
                pass


def test_futures_are_found_and_the_rest_is_left_alone():
    connection: Any = StateOnly()
    future: Future[Any] = Future("k", connection)
    found: dict[str, Any]
    for untouched in (1, "s", [1, (2, {3})], {"a": [1]}, Point(1, 2), np.ones(2), object()):
        found = {}
        assert replace_futures(untouched, found) is untouched
        assert found == {}
    found = {}
    replaced = replace_futures({"a": [future, 1], "b": Point(future, 2), "c": (3,)}, found)
    assert found == {"k": future}
    assert isinstance(replaced["a"][0], DependencyRef)
    assert replaced["a"][0].key == "k"
    point = replaced["b"]
    assert (point.cls, point.args[1]) == (Point, 2)
    assert isinstance(point.args[0], DependencyRef)
    assert replaced["c"] == (3,)


def test_the_culprit_is_named():
    unpicklable = (x for x in "ab")
    with pytest.raises(TypeError, match=r"argument 1, a builtins\.generator, of task 'key'"):
        encode_arguments("key", PickledFunction(print), (1, unpicklable), {})
    with pytest.raises(TypeError, match="argument 'end'"):
        encode_arguments("key", PickledFunction(print), (1,), {"end": unpicklable})


def test_warnings_point_at_the_user():
    with pytest.warns(UserWarning, match="Scatter") as record:
        warn_if_large(11_000_000, "The graph")
    assert record[0].filename == __file__


def test_types_by_name():
    assert find_type("builtins.int") is int
    assert find_type("numpy.ndarray") is np.ndarray
    assert find_type("collections.OrderedDict") is OrderedDict
    assert find_type("not_imported.Thing") is None
    assert find_type("numpy.NoSuchThing") is None
    assert find_type("") is None
