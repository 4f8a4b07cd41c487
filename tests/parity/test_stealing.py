"""Visible effects of work stealing: the places where tasks run, and the number of runs."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from tests.parity.conftest import PATIENCE


def here(folder: str, number: int, data: Any = None) -> str:
    """Take a while, leave a mark, and return where."""
    import importlib
    import os

    time.sleep(0.1)
    with open(f"{folder}/{number}", "a") as file:
        file.write(".")
    lib = importlib.import_module(os.environ.get("PARITY_BACKEND", "dagrpc"))
    return str(lib.get_worker().address)


@pytest.fixture
def marks(tmp_path: Any) -> Any:
    """Return a function that counts the runs of each task."""
    return lambda: Counter({path.name: len(path.read_text()) for path in tmp_path.iterdir()})


def test_tasks_beside_their_data_spread_and_run_once(own_client: Any, tmp_path: Any, marks: Any) -> None:
    first, second = own_client.scheduler_info()["workers"]
    (data,) = own_client.scatter([b"x" * 1000], workers=[first])
    futures = [own_client.submit(here, str(tmp_path), n, data, pure=False) for n in range(40)]
    places = Counter(own_client.gather(futures))
    assert set(places) == {first, second}
    assert min(places.values()) >= 8
    assert marks() == Counter({str(n): 1 for n in range(40)})


def test_tasks_for_one_worker_stay(own_client: Any, tmp_path: Any, marks: Any) -> None:
    first, _ = own_client.scheduler_info()["workers"]
    futures = [own_client.submit(here, str(tmp_path), n, workers=[first], pure=False) for n in range(15)]
    assert set(own_client.gather(futures)) == {first}
    assert marks() == Counter({str(n): 1 for n in range(15)})


def test_a_late_worker_gets_a_share(lib: Any, tmp_path: Any, marks: Any) -> None:
    import dask

    with (
        dask.config.set({"distributed.scheduler.worker-saturation": float("inf")}),
        lib.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        futures = client.map(here, [str(tmp_path)] * 80, range(80), pure=False)
        cluster.scale(2)
        client.wait_for_workers(2, timeout=PATIENCE)
        places = Counter(client.gather(futures))
        assert len(places) == 2
        assert set(marks().values()) == {1}
