"""Graphs that share keys with other graphs, while workers die and data is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import dask
import dask.array as da
import numpy as np
import pytest

from dagrpc import Client, LocalCluster
from tests.support.waiting import eventually

NUMBERS = np.arange(144.0).reshape(12, 12)


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_results_that_are_lost_are_computed_again_as_they_were_before(process_cluster: LocalCluster) -> None:
    x = da.from_array(NUMBERS, chunks=4)
    y = (x - x.mean(axis=0)) / x.std(axis=0)
    expected = y.compute(scheduler="sync")
    with Client(process_cluster) as client:
        kept = client.persist(y)
        client.compute(kept.sum()).result(timeout=60)
        rows = client.persist([y[0], (y * 2)[3:5], y.cumsum(axis=0)])
        for pid in client.run(os.getpid).values():
            close(client.compute(rows[1], sync=True), expected[3:5] * 2)
            os.kill(pid, signal.SIGKILL)
            close(client.compute(y[:, 3], sync=True), expected[:, 3])
        close(client.compute(kept, sync=True), expected)
        close(client.compute(rows[0], sync=True), expected[0])
        close(client.compute(rows[2], sync=True), expected.cumsum(axis=0))


def test_a_collection_that_another_client_has_persisted(client: Client, shared_cluster: LocalCluster) -> None:
    with Client(shared_cluster, set_as_default=False) as other:
        _use_what_another_has(client, other)


def _use_what_another_has(client: Client, other: Client) -> None:
    kept = other.persist(da.from_array(NUMBERS, chunks=4) + 1)
    close(client.compute(kept, sync=True), NUMBERS + 1)
    assert client.compute(kept.sum(), sync=True) == (NUMBERS + 1).sum()
    again = client.persist(kept * 2)
    del kept
    close(client.compute(again, sync=True), (NUMBERS + 1) * 2)
    future = other.submit(sum, [1, 2])
    assert client.get({"x": (sum, [3, future])}, "x") == 6
    assert client.compute(dask.delayed(sum)([future, 4]), sync=True) == 7


def _ran(name: str, value: int, *needs: int) -> int:
    with open(name, "a") as file:
        file.write("x")
    return value + len(needs)


def test_dependencies_of_another_definition_only_are_not_computed(client: Client, tmp_path: object) -> None:
    def task(name: str, *needs: object) -> tuple[object, ...]:
        return (_ran, f"{tmp_path}/{name}", len(name), *needs)

    first = client.get({"a": task("a"), ("b-0a1b2c3d", 0): task("b", "a")}, ("b-0a1b2c3d", 0), sync=False)
    assert first.result(timeout=60) == 2
    # In many parts, so that the first ones come long before those that the scheduler knows the tasks of.
    many: dict[object, object] = {("many-0a1b2c3d", number): task("many") for number in range(5_000)}
    graph: dict[object, object] = {**many, ("b-0a1b2c3d", 0): task("b", *many), "end": task("end", ("b-0a1b2c3d", 0))}
    with Client(client.scheduler_info()["address"], set_as_default=False) as other:
        assert other.get(graph, "end") == 4
    assert sorted(os.listdir(str(tmp_path))) == ["a", "b", "end"]
    assert os.path.getsize(f"{tmp_path}/b") == 1


def _fail() -> None:
    raise ZeroDivisionError


@pytest.fixture
def own_client() -> Iterator[Client]:
    """A client of a cluster of its own, which has the tasks of nobody else."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster, Client(cluster) as client:
        yield client


def _wait_for_nothing(client: Client) -> None:
    eventually(lambda: not client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))
    assert not any(client.has_what().values())


def test_nothing_is_left_of_a_computation_that_failed(own_client: Client) -> None:
    with pytest.raises(ZeroDivisionError) as kept:
        own_client.compute([dask.delayed(_fail)(), dask.delayed(abs)(-1)], sync=True)
    _wait_for_nothing(own_client)
    assert kept.value.__traceback__ is not None


def test_nothing_is_left_of_graphs_that_share_keys(own_client: Client) -> None:
    x = da.from_array(NUMBERS, chunks=4)
    y = x - x.mean(axis=0)
    kept = [
        own_client.persist(y),
        own_client.compute(y.sum()),
        own_client.compute(y[0]),
        own_client.persist(y.cumsum(axis=1)),
    ]
    assert dask.compute(y[3, 4])[0] == NUMBERS[3, 4] - NUMBERS.mean(axis=0)[4]
    del kept
    _wait_for_nothing(own_client)
