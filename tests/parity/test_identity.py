"""An object that a task refers to twice is one object on the worker, on every path that it takes there."""

from __future__ import annotations

import functools
from typing import Any

import dask
import numpy as np
import pytest

from tests.parity.functions import identity
from tests.parity.notebooks import TIMES, Notebook, repeated


class Node:
    """Has attributes; large enough to be worth sharing."""

    def __init__(self, **attributes: Any) -> None:
        self.ballast = "x" * 1_000
        self.__dict__.update(attributes)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def is_me(self, other: Any) -> bool:
        return other is self

    def __dask_tokenize__(self) -> Any:
        return "node", id(self)


def same(first: Any, second: Any) -> bool:
    return first is second


def in_order(first: Any, second: Any) -> bool:
    return second.other is first


def each_other(first: Any, second: Any) -> bool:
    return second.other is first and first.other is second


def same_parts(first: Any, second: Any) -> bool:
    return first.part is second.part


def is_part(part: Any, whole: Any) -> bool:
    return whole.part is part


def seen_through(part: Any, whole: Any) -> bool:
    part["new"] = 1
    return "new" in whole.part


PART = {"a": 1}
ARRAY = np.arange(1_000)
FIRST = Node()
LIST = [1, 2]
CYCLE: Any = Node()
CYCLE.other = Node(other=CYCLE)
PAIRS: dict[str, tuple[Any, Any, Any]] = {
    "an object twice": (same, FIRST, FIRST),
    "a list twice": (same, LIST, LIST),
    "an array twice": (same, ARRAY, ARRAY),
    "one inside of the other": (in_order, FIRST, Node(other=FIRST)),
    "each inside of the other": (each_other, CYCLE, CYCLE.other),
    "with a part in common": (same_parts, Node(part=PART), Node(part=PART)),
    "with an array in common": (same_parts, Node(part=ARRAY), Node(part=ARRAY)),
    "a dictionary and what has it": (is_part, PART, Node(part=PART)),
    "an array and what has it": (is_part, ARRAY, Node(part=ARRAY)),
    "changed by one reference": (seen_through, PART, Node(part=PART)),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_two_references_to_one_object(client: Any, pair: str) -> None:
    function, first, second = PAIRS[pair]
    assert repeated(client, function, first, second) == {True}
    # Half of it with the function.
    assert repeated(client, functools.partial(function, first), second) == {True}
    assert client.gather(client.map(functools.partial(function, first), [second] * TIMES, pure=False)) == [True] * TIMES
    named = client.map(lambda second, first: function(first, second), [second] * TIMES, first=first, pure=False)
    assert client.gather(named) == [True] * TIMES


def test_the_object_of_a_bound_method_is_the_argument(client: Any) -> None:
    node = Node()
    assert repeated(client, node.is_me, node) == {True}
    assert client.gather(client.map(node.is_me, [node] * TIMES, pure=False)) == [True] * TIMES


def test_equal_objects_stay_two(client: Any) -> None:
    assert repeated(client, same, Node(), Node()) == {False}


def test_the_closure_holds_the_argument(client: Any) -> None:
    values: list[Any] = [[], {}, Node(), ARRAY]
    for value in values:
        assert repeated(client, lambda given, kept=value: given is kept, value) == {True}
        assert repeated(client, lambda given: given is value, value) == {True}  # noqa: B023


def test_functions_among_the_arguments_are_those_that_the_function_uses(client: Any) -> None:
    notebook = Notebook()
    notebook.run("def helper(): pass\ndef f(g): return g is helper")
    assert repeated(client, notebook.f, notebook.helper) == {True}


def test_functions_of_a_task_share_their_global_variables(client: Any) -> None:
    notebook = Notebook()
    notebook.run(
        "n = 0\ndef read(): return n\ndef f(g):\n    global n\n    n = 5\n    return g()\n"
        "def write():\n    global n\n    n = 5\ndef h(g):\n    g()\n    return n"
    )
    assert repeated(client, notebook.f, notebook.read) == {5}
    assert repeated(client, notebook.h, notebook.write) == {5}


def test_objects_are_as_they_were_elsewhere(client: Any) -> None:
    """Sharing an object with one task does not give it to another."""
    part, tasks = {"a": 1}, []
    for _ in range(TIMES):
        tasks += [dask.delayed(seen_through)(part, Node(part=part)), dask.delayed(identity)(part)]
    results = dask.compute(*tasks)
    assert results[::2] == (True,) * TIMES
    assert results[1::2] == ({"a": 1},) * TIMES
