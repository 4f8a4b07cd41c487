"""Tasks as bytes: calls, dask graph nodes, shared values."""

from __future__ import annotations

import functools
import operator
import pickle
from typing import Any

import dask.array as da
import numpy as np
import pytest
from dask._task_spec import Alias, DataNode, List, Task, TaskRef, convert_legacy_graph

from dagrpc._codec.functions import FunctionCache, PickledFunction, encode_call
from dagrpc._codec.graphs import GraphEncoder
from dagrpc._codec.references import DependencyRef, digest_of
from dagrpc._codec.run_specs import load_task
from dagrpc._codec.shared_store import SharedStore


def add(x: int, y: int = 1) -> int:
    return x + y


def run_call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], results: dict[str, Any]) -> Any:
    store = SharedStore()
    pickled = FunctionCache().pickled(function)
    store.put(pickled.digest, pickled.data)
    run_spec, _ = encode_call(pickled, args, kwargs)
    loaded, loaded_args, loaded_kwargs = load_task(run_spec, [pickled.digest], store, results)
    return loaded(*loaded_args, **loaded_kwargs)


def test_call() -> None:
    assert run_call(add, (1,), {"y": 2}, {}) == 3


def test_call_of_lambda_and_closure() -> None:
    offset = 10
    assert run_call(lambda x: x + offset, (1,), {}, {}) == 11


def test_dependencies_are_filled_in_at_any_depth() -> None:
    ref = DependencyRef("a")
    args = ([ref, {"deep": (ref, 1)}],)
    assert run_call(lambda x: x, args, {}, {"a": 5}) == [5, {"deep": (5, 1)}]


def test_functions_are_pickled_once() -> None:
    cache = FunctionCache()
    first = cache.pickled(add)
    assert cache.pickled(add) is first
    assert first.digest == digest_of(first.data)


def test_least_recently_used_function_is_evicted() -> None:
    cache = FunctionCache(limit=2)
    first, second = cache.pickled(add), cache.pickled(operator.mul)
    cache.pickled(add)
    cache.pickled(operator.sub)
    assert cache.pickled(add) is first
    assert cache.pickled(operator.mul) is not second


def run_node(node: Any, results: dict[Any, Any]) -> Any:
    encoder = GraphEncoder()
    original = tuple(results) or None
    data, digests = encoder.encode(node, original)
    store = SharedStore()
    for digest in digests:
        store.put(digest, encoder.shared[digest])
    wire = {str(key): value for key, value in results.items()}
    function, args, kwargs = load_task(data, digests, store, wire)
    return function(*args, **kwargs)


@pytest.mark.parametrize(
    ("node", "results", "expected"),
    [
        (Task("k", add, 1), {}, 2),
        (Task("k", add, TaskRef("a"), y=TaskRef("b")), {"a": 1, "b": 2}, 3),
        (Task("k", add, TaskRef(("a", 0))), {("a", 0): 1}, 2),
        (Task("k", sum, List(TaskRef("a"), 3)), {"a": 4}, 7),
        (Task("k", add, Task("inner", add, TaskRef("a"))), {"a": 4}, 6),
        (Alias("k", "a"), {"a": 4}, 4),
        (DataNode("k", [1, 2]), {}, [1, 2]),
        (List(TaskRef("a"), 1), {"a": 0}, [0, 1]),
    ],
)
def test_graph_nodes(node: Any, results: dict[Any, Any], expected: Any) -> None:
    assert run_node(node, results) == expected


def test_common_parts_of_tasks_are_stored_once() -> None:
    heavy = functools.partial(add, y=2)
    heavy.ballast = "x" * 1000  # type: ignore[attr-defined]
    encoder = GraphEncoder()
    specs = [encoder.encode(Task(f"k{i}", heavy, i), None) for i in range(10)]
    assert len(encoder.shared) == 1
    # The first to come carries it itself.
    assert all(len(data) < 300 for data, _ in specs[1:])
    assert all(digests == tuple(encoder.shared) for _, digests in specs[1:])


def test_array_graph_is_small() -> None:
    x = da.ones((1000, 1000), chunks=(100, 100))
    graph = convert_legacy_graph(dict((x + x.T).sum().__dask_graph__()))
    encoder = GraphEncoder()
    sizes = [len(encoder.encode(node, tuple(node.dependencies) or None)[0]) for node in graph.values()]
    whole = len(pickle.dumps(graph))
    assert sum(sizes) + sum(map(len, encoder.shared.values())) < 4 * whole


def test_functions_of_main_travel_by_value() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def double(x):\n    return 2 * x\n", namespace)
    encoder = GraphEncoder()
    data, digests = encoder.encode(Task("k", namespace["double"], 4), None)
    assert digests
    assert b"__main__" not in data


def test_mutable_shared_values_are_loaded_again() -> None:
    store = SharedStore()
    data = pickle.dumps([1, 2])
    store.put(digest_of(data), data)
    first = store.load(digest_of(data))
    first.append(3)
    assert store.load(digest_of(data)) == [1, 2]


def test_large_shared_array() -> None:
    array = np.arange(1000)
    encoder = GraphEncoder()
    for i in range(3):
        data, digests = encoder.encode(Task(f"k{i}", operator.getitem, array, i), None)
    assert len(digests) == 1
    assert len(data) < 300


def test_unpicklable_argument_raises() -> None:
    import threading

    with pytest.raises(TypeError, match="lock"):
        encode_call(PickledFunction(add), (threading.Lock(),), {})
    with pytest.raises(TypeError, match="lock"):
        GraphEncoder().encode(Task("k", add, threading.Lock()), None)
