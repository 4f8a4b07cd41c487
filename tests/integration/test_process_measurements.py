"""The measurements of schedulers and workers of themselves follow ``admin.tick.*`` and ``admin.system-monitor.*``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask

from dagrpc import Client, LocalCluster
from tests.support.scrape import scheduler_metrics, worker_metrics
from tests.support.waiting import eventually

WAIT = 60


@contextmanager
def cluster_with(**settings: Any) -> Iterator[Client]:
    named = {f"distributed.admin.{name.replace('__', '.').replace('_', '-')}": each for name, each in settings.items()}
    with (
        dask.config.set(named),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        yield client


async def block(dask_worker: Any) -> None:
    # On the event loop, which must not be blocked.
    time.sleep(0.6)  # noqa: ASYNC251


def late_lines(client: Client) -> list[str]:
    found = client.get_worker_logs(n=1000)
    return [text for lines in found.values() for _, text in lines if "did not run for" in text]


def test_an_event_loop_that_is_late_is_told_in_the_log() -> None:
    with cluster_with(tick__limit="500ms", tick__cycle="10ms") as client:
        client.run(block, wait=True)
        lines = eventually(lambda: late_lines(client))
        assert "The event loop of Worker" in lines[0]


def test_a_delay_below_the_limit_is_not_told() -> None:
    with cluster_with(tick__limit="1h", tick__interval="5ms") as client:
        client.run(block)
        before = worker_metrics(client).sum("dask_worker_tick_count_total")
        eventually(lambda: worker_metrics(client).sum("dask_worker_tick_count_total") > before + 10)
        assert late_lines(client) == []


def test_ticks_come_at_the_interval() -> None:
    with cluster_with(tick__interval="1h") as client:
        assert client.submit(int).result(WAIT) == 0
        assert scheduler_metrics(client).sum("dask_scheduler_tick_count_total") == 0
        assert worker_metrics(client).sum("dask_worker_tick_count_total") == 0


def look(dask_worker: Any) -> tuple[int, int, set[str]]:
    monitor = dask_worker.monitor
    return monitor.count, max(map(len, monitor.quantities.values()), default=0), set(monitor.quantities)


def looked(client: Client) -> tuple[int, int, set[str]]:
    return next(iter(client.run(look).values()))


def test_a_worker_measures_at_the_interval_and_forgets() -> None:
    with cluster_with(system_monitor__interval="10ms", system_monitor__log_length=5) as client:
        eventually(lambda: looked(client)[0] > 20)
        assert looked(client)[1] == 5


def test_the_host_is_measured_as_configured() -> None:
    with cluster_with(
        system_monitor__disk=True, system_monitor__host_cpu=True, system_monitor__interval="20ms"
    ) as client:
        eventually(lambda: looked(client)[0] > 1)
        names = looked(client)[2]
        assert {"cpu", "memory", "host_net_io.read_bps", "host_net_io.write_bps"} <= names
        assert {"host_cpu.user", "host_cpu.idle"} <= names

        def metrics() -> dict[str, Any]:
            return dict(next(iter(client.scheduler_info()["workers"].values()))["metrics"])

        eventually(lambda: "host_net_io" in metrics())
        assert set(metrics()["host_net_io"]) == {"read_bps", "write_bps"}
        assert metrics()["host_cpu"]["idle"] >= 0
        assert metrics()["event_loop_interval"] > 0


def test_the_disks_are_not_measured_if_that_is_switched_off() -> None:
    with cluster_with(system_monitor__disk=False, system_monitor__interval="20ms") as client:
        eventually(lambda: looked(client)[0] > 1)
        names = looked(client)[2]
        assert "host_net_io.read_bps" in names
        assert [name for name in names if name.startswith(("host_disk_io", "host_cpu"))] == []
