"""Annotations around computations: the tasks that they apply to, and the options that override them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import dask.bag as db
import dask.dataframe as dd
import pandas as pd
import pytest

from tests.parity.functions import inc
from tests.support.waiting import eventually

PATIENCE = 60
COLLECTIONS: dict[str, Callable[[], Any]] = {
    "array": lambda: (da.ones(6, chunks=3) + 1).sum(),
    "delayed": lambda: dask.delayed(inc)(dask.delayed(inc)(1)),
    "frame": lambda: dd.from_pandas(pd.DataFrame({"a": range(6)}), npartitions=2).a.sum(),
    "bag": lambda: db.from_sequence(range(6), npartitions=2).map(inc).sum(),
}


def _look(dask_scheduler: Any) -> list[tuple[Any, ...]]:
    return [
        (
            task.retries,
            float(task.priority[0]),
            len(task.worker_restrictions or ()),
            bool(task.loose_restrictions),
            dict(task.resource_restrictions or {}),
            (task.annotations or {}).get("mine"),
        )
        for task in dask_scheduler.tasks.values()
    ]


def wait_for_options(client: Any, *expected: Any) -> None:
    """Wait until tasks are run like that: retries, priority, workers, others, resources, annotation."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = set(map(repr, client.run_on_scheduler(_look)))
        if found == {repr(expected)}:
            return
        # Graphs arrive when they do, and so does the news that nobody wants the tasks of the test before.
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def wait_for_nothing(client: Any) -> None:
    """Wait until there are no tasks."""
    eventually(lambda: not client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)), PATIENCE)


@pytest.mark.parametrize("kind", COLLECTIONS)
@pytest.mark.parametrize("how", ["compute", "persist", "its own persist", "get"])
def test_annotations_around_a_computation_hold_for_all_of_it(kind: str, how: str, client: Any) -> None:
    worker = sorted(client.nthreads())[0]
    lazy = COLLECTIONS[kind]()
    annotations = {"workers": [worker], "allow_other_workers": True, "retries": 5, "priority": 7, "mine": "yes"}
    with dask.annotate(**annotations):
        if how == "compute":
            held: Any = client.compute(lazy)
        elif how == "persist":
            held = client.persist(lazy)
        elif how == "its own persist":
            held = lazy.persist()
        else:
            held = client.get(lazy.__dask_graph__(), lazy.__dask_keys__(), sync=False)
    wait_for_options(client, 5, -7.0, 1, True, {}, "yes")
    del held


def test_layers_go_before_arguments_and_those_before_what_is_around(client: Any) -> None:
    with dask.annotate(priority=3, mine="inner"):
        lazy = dask.delayed(inc)(1)
    with dask.annotate(priority=9, retries=4):
        held = client.compute(lazy)
    wait_for_options(client, 4, -3.0, 0, False, {}, "inner")
    del held
    plain = dask.delayed(inc)(2)
    with dask.annotate(priority=9, retries=4, mine="around"):
        held = client.compute(plain, priority=1)
    wait_for_options(client, 4, -1.0, 0, False, {}, "around")
    del held
    held = client.compute(lazy, priority=1, retries=2)
    wait_for_options(client, 2, -3.0, 0, False, {}, "inner")
    del held
    with dask.annotate(priority=lambda key: 5, retries=lambda key: len(key)):
        held = client.get({"abc": (inc, 1)}, "abc", sync=False)
    wait_for_options(client, 3, -5.0, 0, False, {}, None)
    del held


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_tasks_of_an_annotated_computation_run_where_they_are_told_to(kind: str, client: Any) -> None:
    wait_for_nothing(client)
    for worker in client.nthreads():
        with dask.annotate(workers=[worker]):
            kept = client.persist(COLLECTIONS[kind]())
        assert client.compute(kept, sync=True) is not None
        holders = {holder for holders in client.who_has(kept).values() for holder in holders}
        assert holders == {worker}
        del kept
        wait_for_nothing(client)


def test_retries_around_the_computation_of_a_frame(client: Any, tmp_path: Any) -> None:
    mark = tmp_path / "failed"

    def fail_once(part: Any, mark: str) -> Any:
        import os

        if not os.path.exists(mark) and len(part):
            with open(mark, "w"):
                raise ValueError("once")
        return part

    frame = dd.from_pandas(pd.DataFrame({"a": range(6)}), npartitions=1)
    lazy = frame.map_partitions(fail_once, str(mark), meta=frame)
    with dask.annotate(retries=1):
        assert len(lazy.compute()) == 6
