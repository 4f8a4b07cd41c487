"""Tasks of dask inside of tasks: pickled by their parts, and made from templates."""

from __future__ import annotations

import functools
import pickle
from operator import add
from typing import Any

import pytest
from dask._task_spec import DataNode, Dict, List, Set, Task, TaskRef, Tuple

from dagrpc._codec.dask_tasks import PARTS, TaskTemplate
from dagrpc._codec.graphs import GraphEncoder
from dagrpc._codec.run_specs import load_task
from dagrpc._codec.shared_store import SharedStore

LONG = "x" * 300


def keep(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """Return the arguments themselves."""
    return (*args, kwargs)


TASKS = {
    "references": Task("k", add, TaskRef("a"), TaskRef(("b", 1))),
    "keyword arguments": Task("k", keep, 1, name=TaskRef("a"), other=(1, 2)),
    "nothing": Task("k", keep),
    "producer": Task("k", keep, 1, _data_producer=True),
    "nested": Task("k", keep, Task(None, add, TaskRef("a"), 1)),
    "list": Task("k", keep, List(TaskRef("a"), 2)),
    "tuple": Task("k", keep, Tuple(TaskRef("a"), List(2))),
    "set": Task("k", keep, Set(TaskRef("a"), 2)),
    "dict": Task("k", keep, Dict({"a": TaskRef("a"), "b": 2})),
}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_comes_back_from_its_parts(name: str) -> None:
    task = TASKS[name]
    make, parts = PARTS[Task](task)
    assert_same(make(*parts), task)


@pytest.mark.parametrize("kind", [List, Tuple, Set])
def test_a_container_comes_back_from_its_parts(kind: Any) -> None:
    container = kind(TaskRef("a"), 2)
    make, parts = PARTS[kind](container)
    assert_same(make(*parts), container)


def assert_same(made: Any, task: Any) -> None:
    """Check that a task has what another has, and does the same."""
    assert type(made) is type(task)
    # What has been pickled dask's way, to compare with.
    expected = pickle.loads(pickle.dumps(task))
    for name in ("key", "func", "args", "kwargs", "dependencies", "data_producer"):
        assert getattr(made, name) == getattr(expected, name), name
    values = {"a": 1, "b": 3, ("b", 1): 2}
    assert made(values) == task(values)
    assert repr(made) == repr(task)
    assert hash(made) == hash(task)


def test_tasks_that_are_made_from_a_template_have_nothing_of_their_own_in_common() -> None:
    template = TaskTemplate(Task("k", keep, TaskRef("a"), name=TaskRef("b")))
    first, second = template.make(), template.make()
    first.args[0].key = "changed"
    first.kwargs["name"].key = "changed"
    first.kwargs["more"] = 1
    first.func = add
    assert_same(second, Task("k", keep, TaskRef("a"), name=TaskRef("b")))
    assert_same(template.make(), second)


def loaded(node: Any, encoder: GraphEncoder, store: SharedStore) -> Any:
    """Return the arguments of a node as a worker has them."""
    run_spec, digests = encoder.encode(node, None)
    for digest, data in encoder.shared.items():
        store.put(digest, data)
    return load_task(run_spec, digests, store, {})


def test_a_task_that_tasks_share_is_another_one_for_each() -> None:
    inner = Task("inner", add, LONG, "y")
    encoder, store = GraphEncoder(), SharedStore()
    spaces = [loaded(Task(str(n), keep, {"inner": inner}), encoder, store)[1][0] for n in range(4)]
    assert len(encoder.shared) == 1
    spaces[2]["inner"].args = (1, 2)
    assert spaces[3]["inner"]() == LONG + "y"
    assert loaded(Task("last", keep, {"inner": inner}), encoder, store)[1][0]["inner"]() == LONG + "y"


def test_a_shared_task_equals_the_task_without_sharing() -> None:
    lists = [1], [2]
    bound = functools.partial(keep, lists[0], LONG)
    inner = Task("inner", bound, lists[1])
    encoder, store = GraphEncoder(), SharedStore()
    for n in range(4):
        node = Task(str(n), keep, {"inner": inner}, lists[0], lists[1], DataNode("d", bound))
        _, (function, args, kwargs, _), _ = loaded(node, encoder, store)
        assert function is keep
        assert not kwargs
        found, first, second, data = args
        assert found["inner"].func is data.value
        assert found["inner"].func.args[0] is first
        assert found["inner"].args[0] is second
