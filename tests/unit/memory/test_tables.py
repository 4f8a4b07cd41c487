"""Tables that were large once."""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import Any

import pytest

from dagrpc._memory.table_sizes import shrink, shrink_all_of


@pytest.mark.parametrize("kind", [dict.fromkeys, OrderedDict.fromkeys, set])
@pytest.mark.parametrize("left", [0, 1, 500])
def test_remaining_entries_keep_their_order(kind: Any, left: int) -> None:
    table = kind(range(100_000))
    large = sys.getsizeof(table)
    for number in range(left, 100_000):
        table.pop(number, None) if not isinstance(table, set) else table.discard(number)
    assert shrink(table)
    assert list(table) == list(range(left))
    assert sys.getsizeof(table) < large / 20
    assert not shrink(table)


def test_a_table_of_the_right_size_is_left_alone() -> None:
    assert not shrink(dict.fromkeys(range(100_000)))
    assert not shrink({})


class _Slotted:
    __slots__ = ("absent", "number", "table")


class _Owner(_Slotted):
    def __init__(self) -> None:
        self.table = dict.fromkeys(range(100_000))
        self.other = set(range(100_000))
        self.number = 7


def test_all_tables_of_an_object() -> None:
    owner = _Owner()
    assert not shrink_all_of(owner)
    owner.other.difference_update(range(1, 100_000))
    while len(owner.table) > 2:
        owner.table.popitem()
    assert shrink_all_of(owner)
    assert (owner.table, owner.other) == ({0: None, 1: None}, {0})
    assert sys.getsizeof(owner.table) < 1000 > sys.getsizeof(owner.other)
