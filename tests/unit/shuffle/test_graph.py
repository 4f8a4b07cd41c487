"""Graphs with shuffles are prepared for submission, whether their tasks come from dask, distributed or dagrpc."""

from __future__ import annotations

import pickle
from typing import Any

import pandas as pd
import pytest
from dask._task_spec import Alias, GraphNode, Task, TaskRef

from dagrpc._graph.lower import lower
from dagrpc.exceptions import P2PIllegalStateError
from dagrpc.shuffle import shuffle_tasks
from dagrpc.shuffle.array_shuffle import ArraySpec
from dagrpc.shuffle.frames import FrameSpec
from dagrpc.shuffle.graph import DataFrameShuffleSpec, P2PBarrierTask, barrier_key, prepare_shuffles

META = pd.DataFrame({"p": [1], "x": [1.0]}).iloc[:0]


def foreign(name: str, module: str = "distributed.shuffle._shuffle") -> Any:
    """Return a function as `distributed` would have it."""

    def function(*args: Any) -> None:
        raise AssertionError("this is not ours")

    function.__name__, function.__module__ = name, module
    return function


def frames_graph(transfer: Any, unpack: Any, barrier: Any, parts: Any = 3) -> dict[Any, GraphNode]:
    spec = DataFrameShuffleSpec("id", 3, "p", META, parts)  # type: ignore[arg-type]
    key = barrier_key("id")
    graph: dict[Any, GraphNode] = {("in", i): Task(("in", i), dict) for i in range(2)}
    for i in range(2):
        graph["send", i] = Task(("send", i), transfer, TaskRef(("in", i)), "id", i)
    graph[key] = P2PBarrierTask(key, barrier, "id", *(TaskRef(("send", i)) for i in range(2)), spec=spec)
    for i, part in enumerate(range(3) if isinstance(parts, int) else parts):
        graph["out", i] = Task(("out", i), unpack, "id", part, TaskRef(key))
    return graph


def task(graph: dict[Any, GraphNode], key: Any) -> Task:
    node = graph[key]
    assert type(node) is Task
    return node


@pytest.mark.parametrize("ours", [True, False])
def test_every_task_knows_what_the_shuffle_is_about(ours: bool) -> None:
    if ours:
        graph = frames_graph(shuffle_tasks.shuffle_transfer, shuffle_tasks.shuffle_unpack, shuffle_tasks.p2p_barrier)
    else:
        names = ("shuffle_transfer", "shuffle_unpack", "p2p_barrier")
        graph = frames_graph(*map(foreign, names))
    found = prepare_shuffles(graph)
    spec = task(found, ("send", 0)).args[1]
    assert isinstance(spec, FrameSpec)
    assert (spec.id, spec.barrier, spec.partitions, spec.column) == ("id", "shuffle-barrier-id", 3, "p")
    for i in range(2):
        assert task(found, ("send", i)).func is shuffle_tasks.shuffle_transfer
        assert task(found, ("send", i)).args[1] is spec
    barrier = task(found, "shuffle-barrier-id")
    assert barrier.func is shuffle_tasks.p2p_barrier
    assert barrier.args[:2] == (spec, {f"('out', {i})": i for i in range(3)})
    assert barrier.dependencies == {("send", 0), ("send", 1)}
    assert task(found, ("out", 2)).func is shuffle_tasks.shuffle_unpack
    assert task(found, ("out", 2)).args[:2] == (spec, 2)
    # What was handed over is as it was.
    assert task(graph, ("send", 0)).args[1] == "id"


def test_only_some_partitions_are_wanted() -> None:
    graph = frames_graph(
        shuffle_tasks.shuffle_transfer, shuffle_tasks.shuffle_unpack, shuffle_tasks.p2p_barrier, (2, 0)
    )
    found = prepare_shuffles(graph)
    spec, outputs = task(found, "shuffle-barrier-id").args[:2]
    assert (spec.partitions, spec.count) == ((2, 0), 2)
    assert outputs == {"('out', 0)": 0, "('out', 1)": 1}


def test_dasks_own_functions_call_ours() -> None:
    merge_transfer = foreign("merge_transfer", "distributed.shuffle._merge")

    def assign_and_transfer(data: Any, id: Any, number: int) -> Any:
        return merge_transfer(data, id, number)

    assign_and_transfer.__module__ = "dask.dataframe.dask_expr._merge"
    shuffle_transfer = foreign("_shuffle_transfer", "dask.dataframe.dask_expr._shuffle")
    for function in (assign_and_transfer, shuffle_transfer):
        found = prepare_shuffles(frames_graph(function, shuffle_tasks.shuffle_unpack, shuffle_tasks.p2p_barrier))
        sender = task(found, ("send", 1))
        # It is ours that says so.
        with pytest.raises(P2PIllegalStateError, match="cluster"):
            sender.func(META, *sender.args[1:])


def test_fused_tasks_are_found_under_the_key_that_stands_for_them() -> None:
    graph = frames_graph(foreign("shuffle_transfer"), shuffle_tasks.shuffle_unpack, shuffle_tasks.p2p_barrier)
    graph["fused", 1] = Task.fuse(graph.pop(("in", 1)), graph["send", 1], key=("fused", 1))
    graph["send", 1] = Alias(("send", 1), ("fused", 1))
    graph["last"] = Task.fuse(graph.pop(("out", 2)), Task("last", len, TaskRef(("out", 2))))
    found = prepare_shuffles(graph)
    inner = task(found, ("fused", 1)).args[0]["send", 1]
    assert inner.func is shuffle_tasks.shuffle_transfer
    assert isinstance(inner.args[1], FrameSpec)
    assert task(found, "shuffle-barrier-id").args[1]["last"] == 2


def test_arrays_of_distributed() -> None:
    class Spec:
        id, new, old = "id", ((1, 1),), ((2,),)

    key = barrier_key("id")
    graph: dict[Any, GraphNode] = {
        "in": Task("in", dict),
        "send": Task("send", foreign("rechunk_transfer", "distributed.shuffle._rechunk"), TaskRef("in"), "id", (0,)),
        key: P2PBarrierTask(key, foreign("p2p_barrier", "distributed.shuffle._core"), "id", TaskRef("send"), spec=Spec),
        "out": Task("out", foreign("rechunk_unpack", "distributed.shuffle._rechunk"), "id", (1,), TaskRef(key)),
    }
    found = prepare_shuffles(graph)
    assert task(found, key).args[:2] == (ArraySpec("id", key, ((2,),), ((1, 1),)), {"out": 1})
    assert task(found, "send").func is shuffle_tasks.rechunk_transfer


def test_lowering_prepares_shuffles_and_sends_what_they_are_about_once() -> None:
    graph = frames_graph(shuffle_tasks.shuffle_transfer, shuffle_tasks.shuffle_unpack, shuffle_tasks.p2p_barrier)
    lowered, _ = lower(graph, [("out", i) for i in range(3)])
    sizes = {encoded.key: len(encoded.run_spec) for encoded in lowered.encode()}
    assert all(sizes["out", i] < 500 for i in (1, 2))
    assert len([value for value in lowered.encoder.shared.values() if b"FrameSpec" in value]) == 1


def test_barriers_can_be_pickled_and_renamed() -> None:
    barrier = frames_graph(shuffle_tasks.shuffle_transfer, shuffle_tasks.shuffle_unpack, shuffle_tasks.p2p_barrier)[
        "shuffle-barrier-id"
    ]
    again = pickle.loads(pickle.dumps(barrier))
    assert (again.key, again.spec.id, again.block_fusion) == ("shuffle-barrier-id", "id", True)
    renamed = barrier.substitute({("send", 0): "other"})
    assert renamed.dependencies == {"other", ("send", 1)}
    assert type(barrier.copy()) is P2PBarrierTask
