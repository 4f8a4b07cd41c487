"""dask graphs as tasks: culled, ordered, encoded; and run as a worker would."""

import operator

import dask
import dask.array as da
import pytest
from dask._task_spec import Alias, DataNode, Task, TaskRef
from hypothesis import given
from hypothesis import strategies as st

from dagrpc._codec.run_specs import load_task
from dagrpc._codec.shared_store import SharedStore
from dagrpc._graph.lower import lower, nested_keys
from dagrpc.exceptions import GraphError


def inc(x):
    return x + 1


def run(graph, keys, known=None):
    """Lower a graph, run it as workers would, and return the results of keys."""
    known = known or {}
    lowered, _ = lower(graph, keys, known.__contains__)
    results, store = dict(known), SharedStore()
    orders = []
    for task in lowered.encode():
        for digest in task.shared:
            store.put(digest, lowered.encoder.shared[digest])
        own = {key: results[key] for key in task.dependencies}
        function, args, kwargs = load_task(task.run_spec, task.shared, store, own)
        results[task.wire_key] = function(*args, **kwargs)
        orders.append(task.order)
    assert orders == sorted(orders)
    return [results[lowered.wire_keys[key]] for key in keys]


def test_graphs_of_all_forms():
    graph = {
        "a": 1,
        "b": (inc, "a"),
        ("c", 0): (sum, ["a", "b", (inc, "b")]),
        "d": Task("d", operator.add, TaskRef(("c", 0)), 10),
        "e": DataNode("e", [1, 2]),
        "f": Alias("f", "d"),
        "g": (dict, [["x", "f"]]),
    }
    assert run(graph, ["g", "e", ("c", 0), "d"]) == [{"x": 16}, [1, 2], 6, 16]


def test_collections_and_layers():
    x = da.arange(20, chunks=5)
    key = next(nested_keys((x + 1).sum().__dask_keys__()))
    assert run((x + 1).sum().dask, [key]) == [210]
    [y] = dask.optimize((x + 1).sum())
    assert run(y.dask, list(nested_keys(y.__dask_keys__()))) == [210]


def test_only_what_is_needed():
    lowered, _ = lower({"a": 1, "b": (inc, "a"), "c": (inc, "a")}, ["b"])
    assert set(lowered.nodes) == {"a", "b"}


def test_known_values_are_not_sent():
    graph = {"a": (inc, 1), "b": (inc, "a"), "c": (inc, "b")}
    lowered, _ = lower(graph, ["c"], {"b"}.__contains__)
    assert set(lowered.nodes) == {"c"}
    assert lowered.external == {"b"}
    assert run(graph, ["c"], {"b": 100}) == [101]
    lowered, _ = lower(graph, ["c"], {"c"}.__contains__)
    assert len(lowered) == 0


def test_aliases_give_way():
    lowered, _ = lower({"a": (inc, 1), "b": "a", "c": "b"}, ["c"])
    assert list(lowered.nodes) == ["c"]
    # Where others use what an alias stands for, it stays.
    lowered, _ = lower({"a": (inc, 1), "b": "a", "c": (inc, "a"), "d": (sum, ["b", "c"])}, ["d"])
    assert run({"a": (inc, 1), "b": "a", "c": (inc, "a"), "d": (sum, ["b", "c"])}, ["d"]) == [5]
    # So does one that stands for what is elsewhere.
    assert run({"x": Alias("x", "known")}, ["x"], {"known": 7}) == [7]


@pytest.mark.parametrize(
    ("graph", "keys", "message"),
    [
        ({"a": 1}, ["b"], r"no task for 'b' \(asked for\)"),
        ({"a": Task("a", inc, TaskRef("z"))}, ["a"], r"no task for 'z' \(needed by 'a'\)"),
        ({"a": (inc, "b"), "b": (inc, "a")}, ["a"], "cycle: '[ab]' -> '[ab]' -> '[ab]'"),
        ({("x", 0): (inc, ("x", 0))}, [("x", 0)], r"cycle: \('x', 0\) -> \('x', 0\)"),
    ],
)
def test_impossible_graphs(graph, keys, message):
    with pytest.raises(GraphError, match=message):
        lower(graph, keys)
    assert issubclass(GraphError, ValueError)


def test_many_missing_keys_are_not_all_listed():
    graph = {"a": Task("a", sum, *[TaskRef(f"m{i}") for i in range(20)])}
    with pytest.raises(GraphError, match="and 15 more"):
        lower(graph, ["a"])


def test_not_a_graph():
    with pytest.raises(TypeError, match="graph"):
        lower(5, ["a"])


def test_annotations_of_layers():
    with dask.annotate(priority=lambda key: key[1] + 1, purpose="x"):
        x = da.ones(4, chunks=2)
    name = x.name
    _, annotations = lower(x.dask, list(nested_keys(x.__dask_keys__())))
    assert annotations["priority"] == {(name, 0): 1, (name, 1): 2}
    assert set(annotations["purpose"].values()) == {"x"}
    with dask.annotate(retries=2):
        # What is active holds for all tasks, and is added when they are submitted.
        assert lower({"a": 1, "b": (inc, "a")}, ["b"])[1] == {}


def test_an_argument_that_cannot_be_pickled_is_named():
    generator = (x for x in "ab")
    lowered, _ = lower({"bad": (list, generator)}, ["bad"])
    with pytest.raises(TypeError, match="task 'bad'"):
        list(lowered.encode())


def test_shared_values_are_sent_once():
    table = {i: str(i) for i in range(1_000)}

    class Look:
        def __init__(self):
            self.table = table

        def __call__(self, key):
            return self.table[key]

    look = Look()
    graph = {f"x{i}": (look, i) for i in range(50)}
    lowered, _ = lower(graph, list(graph))
    tasks = list(lowered.encode())
    assert sum(len(task.run_spec) for task in tasks[2:]) < 48 * 300
    assert run(graph, list(graph)) == [str(i) for i in range(50)]


@given(st.integers(1, 25).flatmap(lambda n: st.lists(st.sets(st.integers(0, max(0, n - 1))), min_size=n, max_size=n)))
def test_any_graph_without_cycles_runs(parents):
    graph = {}
    for i, candidates in enumerate(parents):
        refs = [TaskRef(f"k{j}") for j in sorted(candidates) if j < i]
        graph[f"k{i}"] = Task(f"k{i}", lambda *values: 1 + sum(values), *refs)
    expected: dict[str, int] = {}
    for i, candidates in enumerate(parents):
        expected[f"k{i}"] = 1 + sum(expected[f"k{j}"] for j in candidates if j < i)
    keys = list(graph)
    assert run(graph, keys) == [expected[key] for key in keys]
