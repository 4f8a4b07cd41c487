"""Records are dataclasses in all that matters."""

import copy
import pickle
from dataclasses import field, fields, replace
from typing import Any

import pytest

from dagrpc._common.cheap_dataclass import record


@record
class Place:
    row: int
    column: int = 0
    notes: list[str] = field(default_factory=list)


@record
class Other:
    row: int
    column: int = 0
    notes: list[str] = field(default_factory=list)


def test_cheap_dataclasses_are_made_compared_and_shown_as_dataclasses() -> None:
    assert Place(1) == Place(1, 0, [])
    assert Place(1) != Place(1, notes=["here"])
    other: Any = Other(1)
    assert Place(1) != other
    assert repr(Place(1, notes=["here"])) == "Place(row=1, column=0, notes=['here'])"
    with pytest.raises(TypeError):
        Place()  # type: ignore[call-arg]


def test_cheap_dataclasses_have_slots_and_no_hash() -> None:
    place: Any = Place(1)
    with pytest.raises(AttributeError):
        place.colunm = 2
    with pytest.raises(TypeError):
        hash(place)


def test_tools_for_dataclasses_take_them() -> None:
    place: Any = Place(1, 2, ["here"])
    assert [each.name for each in fields(place)] == ["row", "column", "notes"]
    assert replace(place, row=3) == Place(3, 2, ["here"])
    assert copy.deepcopy(place) == place
    assert pickle.loads(pickle.dumps(place)) == place
    match place:
        case Place(row, column, _):
            assert (row, column) == (1, 2)
