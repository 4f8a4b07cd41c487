"""Random graphs whose tasks share objects: in each task, shared objects stay shared, and distinct ones distinct."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from dask._task_spec import Task
from hypothesis import given, settings
from hypothesis import strategies as st

from dagrpc._codec.graphs import GraphEncoder
from dagrpc._codec.run_specs import load_task
from dagrpc._codec.shared_store import SharedStore

LONG = "x" * 300
"""Makes a shared value of what it is in."""


class Box:
    """An instance with attributes."""

    def __init__(self, *content: Any) -> None:
        self.content = content


class Bare:
    """An instance that is pickled without a dictionary or a list."""

    def __init__(self, *content: Any) -> None:
        self.content = content

    def __reduce__(self) -> Any:
        return Bare, self.content


KINDS = (("list", "dict", "box", "bare", "partial", "task", "tuple"), ("bare", "task", "tuple"))


def keep(*args: Any, **kwargs: Any) -> Any:
    """Return the arguments."""
    return args, kwargs


@st.composite
def objects(draw: st.DrawFn) -> list[Any]:
    """Objects that consist of earlier ones."""
    found: list[Any] = []
    kinds = draw(st.sampled_from(KINDS))
    for number in range(draw(st.integers(2, 7))):
        parts = draw(st.lists(st.sampled_from(found), max_size=3)) if found else []
        text = draw(st.sampled_from((LONG, "short", "")))
        made: Any = {
            "list": lambda: [*parts, text],  # noqa: B023 - called at once
            "dict": lambda: {"parts": parts, "text": text},  # noqa: B023
            "box": lambda: Box(*parts, text),  # noqa: B023
            "partial": lambda: functools.partial(keep, *parts, text),  # noqa: B023
            "task": lambda: Task(f"inner-{number}", keep, *parts, text=text),  # noqa: B023
            "tuple": lambda: (*parts, text),  # noqa: B023
            "bare": lambda: Bare(*parts, text),  # noqa: B023
        }[draw(st.sampled_from(kinds))]()
        found.append(made)
    return found


@st.composite
def graphs(draw: st.DrawFn) -> list[Any]:
    """Draw the arguments of a graph's tasks, each wrapped in a list, whose contents dask does not inspect."""
    pool = draw(objects())
    return draw(st.lists(st.lists(st.sampled_from(pool), min_size=1, max_size=4), min_size=2, max_size=8))


def walk(value: Any) -> Iterator[Any]:
    """Yield the objects in a value that have an identity, in a fixed order, each as often as it occurs."""
    if not isinstance(value, (str, tuple)):
        yield value
    for part in parts_of(value):
        yield from walk(part)


def parts_of(value: Any) -> list[Any]:
    """Return the direct parts of a value."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (Box, Bare)):
        return list(value.content)
    if isinstance(value, functools.partial):
        return [*value.args, *value.keywords.values()]
    if isinstance(value, Task):
        return [*value.args, *value.kwargs.values()]
    return []


def pattern(value: Any) -> list[tuple[str, int]]:
    """Return for each thing in a value its type and which of them it is."""
    numbers: dict[int, int] = {}
    return [(type(thing).__name__, numbers.setdefault(id(thing), len(numbers))) for thing in walk(value)]


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_one_object_stays_one_object(contents: list[Any]) -> None:
    encoder, store = GraphEncoder(), SharedStore()
    things: set[int] = set()
    kept: list[Any] = []
    for number, content in enumerate(contents):
        run_spec, digests = encoder.encode(Task(str(number), keep, {"content": content}), None)
        for digest, data in encoder.shared.items():
            store.put(digest, data)
        _, args, _ = load_task(run_spec, digests, store, {})
        loaded = args[0]["content"]
        assert pattern(loaded) == pattern(content)
        # Nor does one task get what another has, as far as it could tell.
        mine = [thing for thing in walk(loaded) if not isinstance(thing, functools.partial)]
        assert things.isdisjoint(map(id, mine))
        things.update(map(id, mine))
        kept.append(mine)


def test_two_objects_of_the_same_content_stay_two_objects() -> None:
    # The content is one that tasks may share, since nobody changes it.
    first, second = functools.partial(keep, LONG), functools.partial(keep, LONG)
    encoder, store = GraphEncoder(), SharedStore()
    for number, content in enumerate(([first, second], [first], [second], [first, second, first])):
        run_spec, digests = encoder.encode(Task(str(number), keep, {"content": content}), None)
        for digest, data in encoder.shared.items():
            store.put(digest, data)
        _, args, _ = load_task(run_spec, digests, store, {})
        assert pattern(args[0]["content"]) == pattern(content)
