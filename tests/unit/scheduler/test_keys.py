"""The group and the prefix of a key."""

from __future__ import annotations

import doctest

import pytest

from dagrpc._common import keys
from dagrpc._common.keys import group_name, prefix_name
from dagrpc_scheduler.core import machine, model
from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.state import SchedulerState

HASH = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    ("key", "group", "prefix"),
    [
        ("x", "x", "x"),
        ("inc-1", "inc", "inc"),
        (f"inc-{HASH}", "inc", "inc"),
        (f"inc-{UUID}", "inc", "inc"),
        (f"inc-{UUID}-12", "inc", "inc"),
        ("inc-550e8400-e29b-41d4-a716-44665544000a", "inc", "inc"),
        (f"read-csv-{HASH}-7", "read-csv", "read-csv"),
        ("hello-world", "hello-world", "hello-world"),
        ("x-defaced", "x-defaced", "x-defaced"),
        ("x-defaced1", "x", "x"),
        (f"('sum-{HASH}', 0, 1)", f"sum-{HASH}", "sum"),
        ('("it\'s-1", 0)', "it's-1", "it's"),
        ("('', 0)", "('', 0)", "('', 0)"),
        ("(1, 2)", "(1, 2)", "(1, 2)"),
        ("('unterminated", "('unterminated", "('unterminated"),
        (HASH, "data", "data"),
        ("-1", "-1", "-1"),
        ("123", "123", "123"),
        ("a-1-2-3", "a", "a"),
        # Twelve characters that are not the end of a UUID.
        ("one-two-three-four-446655440000", "one-two-three-four", "one-two-three-four"),
    ],
)
def test_group_and_prefix(key: str, group: str, prefix: str) -> None:
    assert group_name(key) == group
    assert prefix_name(group_name(key)) == prefix
    assert prefix_name(key) == prefix


@pytest.mark.parametrize("module", [keys, model, machine])
def test_the_examples_in_the_documentation(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_groups_go_with_their_tasks_and_prefixes_are_remembered_for_a_while() -> None:
    state = SchedulerState(CoreConfig(idle_prefixes=2))
    for name in ("a", "b", "c"):
        group = state.group(name)
        group.prefix.duration = 1.0
        state.drop_group(group)
    assert not state.groups
    assert list(state.prefixes) == ["b", "c"]
    assert state.group("b").prefix.duration == 1.0
    assert list(state.idle_prefixes) == ["c"]


def test_configured_durations_are_believed_until_measured() -> None:
    state = SchedulerState(CoreConfig(default_task_durations={"inc": 7.0}))
    assert state.group("inc").prefix.duration == 7.0
    assert state.group("other").prefix.duration < 0
