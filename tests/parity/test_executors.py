"""Sections 1.1 and 10 of the API: a cluster as an executor, and executors of workers."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import dask
import pytest


def draw(_: int = 0) -> float:
    return random.random()


def with_options(x: int, **others: int) -> tuple[int, dict[str, int]]:
    return x, others


def thread_name(_: int = 0) -> str:
    return threading.current_thread().name


# --- Client.get_executor ---


def test_calls_take_what_submit_takes(client: Any) -> None:
    address = next(iter(client.scheduler_info()["workers"]))
    with client.get_executor() as executor:
        call = executor.submit(with_options, 1, key="parity-key", retries=2, priority=3, workers=[address], mine=4)
        assert call.result(timeout=60) == (1, {"mine": 4})


def test_calls_are_pure_unless_told_otherwise(client: Any) -> None:
    with client.get_executor() as executor:
        first, second = executor.submit(draw), executor.submit(draw)
        assert first.result(timeout=60) == second.result(timeout=60)
        assert len({executor.submit(draw, pure=False).result(timeout=60) for _ in range(3)}) == 3
        assert len(set(executor.map(draw, [1, 1, 1]))) == 1
    with client.get_executor(pure=False) as executor:
        assert len(set(executor.map(draw, [2, 2, 2]))) == 3
        first, second = (executor.submit(draw, 3, pure=True) for _ in range(2))
        assert first.result(timeout=60) == second.result(timeout=60)


def test_a_shutdown_that_does_not_wait_cancels(client: Any) -> None:
    executor = client.get_executor(pure=False)
    calls = [executor.submit(time.sleep, 3) for _ in range(8)]
    executor.shutdown(wait=False)
    for call in calls:
        with pytest.raises(CancelledError):
            call.result(timeout=60)
    assert all(call.cancelled() for call in calls)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(draw)


# --- Worker.executors ---


def test_a_plugin_can_add_an_executor(lib: Any) -> None:
    class Adds(lib.WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            worker.executors["parity-io"] = ThreadPoolExecutor(2, thread_name_prefix="parity-io")

        def teardown(self, worker: Any) -> None:
            worker.executors.pop("parity-io").shutdown(wait=False)

    with (
        lib.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        client.register_plugin(Adds(), name="adds")
        names = set(client.run(lambda dask_worker: list(dask_worker.executors)).popitem()[1])
        assert names == {"default", "offload", "actor", "parity-io"}
        with dask.annotate(executor="parity-io"):
            found = client.gather(client.map(thread_name, range(20), pure=False))
        assert {name.split("_")[0] for name in found} == {"parity-io"}
        cluster.scale(2)
        client.wait_for_workers(2, timeout=60)
        with dask.annotate(executor="parity-io"):
            calls = [client.submit(thread_name, workers=[w], pure=False) for w in client.scheduler_info()["workers"]]
        assert all(name.startswith("parity-io") for name in client.gather(calls))
        client.unregister_worker_plugin("adds")
        with dask.annotate(executor="parity-io"), pytest.raises(ValueError, match="Invalid executor 'parity-io'"):
            client.submit(thread_name, pure=False).result(timeout=60)


def test_the_default_executor_can_be_replaced(lib: Any) -> None:
    def replace(dask_worker: Any) -> None:
        dask_worker.parity_former = dask_worker.executors["default"]
        dask_worker.executors["default"] = ThreadPoolExecutor(1, thread_name_prefix="parity-default")

    def put_back(dask_worker: Any) -> None:
        dask_worker.executors["default"].shutdown(wait=False)
        dask_worker.executors["default"] = dask_worker.parity_former

    with lib.Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as client:
        client.run(replace)
        assert client.submit(thread_name, pure=False).result(timeout=60).startswith("parity-default")
        client.run(put_back)
        assert not client.submit(thread_name, pure=False).result(timeout=60).startswith("parity-default")
