"""Tasks that run to completion without any future, even after their client has left."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from dagrpc import Client, LocalCluster, fire_and_forget
from tests.support.waiting import eventually


def write_later(path: str, delay: float) -> None:
    time.sleep(delay)
    Path(path).write_text("done")


def fail(path: str) -> None:
    Path(path).write_text("failed")
    raise RuntimeError("on purpose")


def count_tasks(dask_scheduler: Any) -> int:
    return len(dask_scheduler.tasks)


@pytest.mark.parametrize("task", [lambda path: write_later(path, 0.3), fail])
def test_runs_to_its_end_and_is_forgotten(task: Any, tmp_path: Path) -> None:
    target = tmp_path / "target"
    with LocalCluster(n_workers=1, processes=False) as cluster, Client(cluster) as client:
        fire_and_forget(client.submit(task, str(target)))
        eventually(target.exists)
        eventually(lambda: client.run_on_scheduler(count_tasks) == 0)


def test_outlives_its_client(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with LocalCluster(n_workers=1, processes=False) as cluster:
        with Client(cluster) as client:
            fire_and_forget(client.submit(write_later, str(target), 0.5))
            forgotten = client.submit(write_later, str(tmp_path / "other"), 0.0)
            del forgotten
        eventually(target.exists)
        with Client(cluster) as client:
            eventually(lambda: client.run_on_scheduler(count_tasks) == 0)
