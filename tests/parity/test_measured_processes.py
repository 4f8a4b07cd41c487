"""Workers measure their host under the same names, and schedulers remember failed tasks in the same way."""

from __future__ import annotations

import time
from typing import Any

from tests.parity.conftest import PATIENCE

RATES = {"read_bps", "write_bps"}


def fail_for_history() -> None:
    raise ValueError("remembered")


def test_a_worker_measures_network_and_disks_of_its_host(client: Any) -> None:
    def look(dask_worker: Any) -> set[str]:
        dask_worker.monitor.recent()
        return set(dask_worker.monitor.quantities)

    names = next(iter(client.run(look).values()))
    assert {f"{kind}.{rate}" for kind in ("host_net_io", "host_disk_io") for rate in RATES} <= names
    assert not [name for name in names if name.startswith("host_cpu")]
    deadline = time.monotonic() + PATIENCE
    while True:
        metrics = next(iter(client.scheduler_info()["workers"].values()))["metrics"]
        if "host_net_io" in metrics:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert set(metrics["host_net_io"]) == RATES
    assert metrics["event_loop_interval"] > 0


def test_failed_tasks_are_remembered_after_their_release(client: Any) -> None:
    future = client.submit(fail_for_history, key="remembered-1")
    assert future.exception(timeout=PATIENCE) is not None

    def look(dask_scheduler: Any) -> list[tuple[Any, ...]]:
        return [
            (each.key, each.exception_text, len(each.erred_on), each.timestamp > 1e9)
            for each in dask_scheduler.erred_tasks
            if each.key == "remembered-1"
        ]

    expected = ("remembered-1", "ValueError('remembered')", 1, True)
    assert client.run_on_scheduler(look)[0] == expected
    future.release()
    deadline = time.monotonic() + PATIENCE
    while client.run_on_scheduler(lambda dask_scheduler: "remembered-1" in dask_scheduler.tasks):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert client.run_on_scheduler(look)[0] == expected
