"""Section 15 of the API: settings, by their names in distributed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import dask
import pytest

from tests.parity.conftest import BACKEND
from tests.parity.functions import inc


def test_failures_that_are_allowed(lib: Any) -> None:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        lib.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        future = client.submit(os._exit, 1, pure=False)
        with pytest.raises(lib.KilledWorker):
            future.result(timeout=110)


def test_resources_of_workers(lib: Any) -> None:
    with (
        dask.config.set({"distributed.worker.resources": {"GPU": 2}}),
        lib.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        (worker,) = client.scheduler_info()["workers"].values()
        assert worker["resources"] == {"GPU": 2}
        assert client.submit(inc, 1, resources={"GPU": 1}).result(timeout=60) == 2


def test_a_scheduler_address(lib: Any, cluster: Any) -> None:
    with dask.config.set({"scheduler-address": cluster.scheduler_address}), lib.Client() as client:
        assert client.submit(inc, 1).result(timeout=60) == 2
        assert len(client.nthreads()) == 2


def test_variables_of_the_environment() -> None:
    program = f"""
import {BACKEND} as lib, dask
if __name__ == "__main__":
    with lib.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster:
        with lib.Client(cluster) as client:
            print(client.scheduler_info()["workers"].popitem()[1]["resources"])
"""
    environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__RESOURCES__SOMETHING": "3"}
    outcome = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert "{'something': 3" in outcome.stdout, outcome.stderr


def test_unknown_settings_are_left_alone(client: Any) -> None:
    with dask.config.set({"distributed.parity.nobody-knows": 5}):
        assert dask.config.get("distributed.parity.nobody-knows") == 5
        assert client.submit(inc, 5, pure=False).result(timeout=60) == 6
