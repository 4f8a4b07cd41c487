"""Futures among the arguments of calls, in containers of any kind."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import pytest

from tests.parity.functions import add, identity, inc


class Items(list):  # type: ignore[type-arg]
    """A list of its own kind."""


class Names(dict):  # type: ignore[type-arg]
    """A dictionary of its own kind, whose constructor takes something else."""

    def __init__(self, name: str, value: Any) -> None:
        super().__init__({name: value})


class Both(tuple):  # type: ignore[type-arg]
    """A tuple of its own kind."""


class Point(NamedTuple):
    x: Any
    y: Any


class FromBoth(Point):
    """A named tuple that is made of one argument."""

    def __new__(cls, both: Any) -> FromBoth:
        return super().__new__(cls, both[0], both[1])

    def __getnewargs__(self) -> Any:
        return ((self.x, self.y),)


class ByName(Point):
    """A named tuple that is made by name."""

    def __new__(cls, *, first: Any, second: Any) -> ByName:
        return super().__new__(cls, first, second)

    def __getnewargs_ex__(self) -> Any:
        return (), {"first": self.x, "second": self.y}


def containers(future: Any) -> dict[str, Any]:
    kept: defaultdict[str, Any] = defaultdict(list)
    kept["a"] = future
    return {
        "OrderedDict": OrderedDict(a=future, b=2),
        "defaultdict": kept,
        "list": Items([future, 2]),
        "dictionary": Names("a", future),
        "tuple": Both((future, 2)),
        "named tuple": Point(future, 2),
        "made of one": FromBoth((future, 2)),
        "made by name": ByName(first=future, second=2),
        "nested": {"a": [Items([Point(future, OrderedDict(b=future))])]},
    }


def plain(value: Any) -> Any:
    """Return a value with its containers as built-in ones."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


@pytest.mark.parametrize("kind", containers(None))
def test_futures_in_containers_of_any_kind(client: Any, kind: str) -> None:
    value, expected = containers(client.submit(inc, 1))[kind], plain(containers(2)[kind])
    assert client.submit(plain, value).result(timeout=60) == expected
    assert client.submit(plain, value=value).result(timeout=60) == expected
    assert client.gather(client.map(plain, [value, 1])) == [expected, 1]
    assert client.gather(client.map(lambda _, value: plain(value), [1], value=value)) == [expected]


def test_named_tuples_are_what_they_were(client: Any) -> None:
    for value in (FromBoth((client.submit(inc, 1), 2)), ByName(first=client.submit(inc, 1), second=2)):
        got = client.submit(identity, value).result(timeout=60)
        assert type(got) is type(value)
        assert got == (2, 2)


def test_futures_in_sets(client: Any) -> None:
    assert client.submit(sum, {client.submit(inc, 1), client.submit(add, 1, 4)}).result(timeout=60) == 7
