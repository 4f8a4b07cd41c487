"""A program that was written for distributed finds the names and parameters that it uses."""

from __future__ import annotations

import pytest

from tests.contract.signatures import Item, differences, items, missing

# What differs on purpose, and why. What is missing is listed in docs/api.md, until it is there.
ON_PURPOSE = {
    "Future.__init__": "nobody makes futures; a state that is told from outside could not be trusted",
}

# What is to become the same. Take a name out once it is: the rest is checked.
NOT_YET: set[str] = set()


def test_the_list_is_read() -> None:
    by_name = {item.name: item for item in items()}
    assert len(by_name) == len(items()) > 250
    submit = by_name["Client.submit"].parameters
    assert submit is not None
    assert [each.name for each in submit][:3] == ["func", "args", "key"]
    assert by_name["Client.id"] == Item("Client.id", None)


def test_signatures_are_those_of_distributed() -> None:
    found = {name: wrong for name, wrong in differences().items() if name not in {*ON_PURPOSE, *NOT_YET}}
    assert found == {}, "make them the same, or say in ON_PURPOSE why they differ"


@pytest.mark.parametrize("name", ["Client", "Future", "as_completed", "wait", "LocalCluster", "Lock", "get_worker"])
def test_commonly_used_names_are_there(name: str) -> None:
    assert name not in missing()
