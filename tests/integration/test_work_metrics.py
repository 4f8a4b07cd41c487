"""The metrics of durations, waits, transfers, shuffles, fair share and workers' ends say what has happened."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import dask
import dask.array as da
import pytest

from dagrpc import Client, LocalCluster, wait
from dagrpc._http.prometheus import MOST_PREFIXES, OTHER
from tests.support.scrape import scheduler_metrics, worker_metrics
from tests.support.waiting import eventually

WAIT = 60


@contextmanager
def cluster_of(workers: int = 1, **options: Any) -> Iterator[Client]:
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=50, **options
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def die() -> None:
    os._exit(3)


def test_durations_and_waits_are_counted_by_prefix() -> None:
    with cluster_of() as client:
        wait([client.submit(nap, 0.2, key=f"nap-{number}") for number in range(3)], timeout=WAIT)
        wait([client.submit(int, key=f"many{chr(97 + n // 26)}{chr(97 + n % 26)}-1") for n in range(60)], timeout=WAIT)
        found = scheduler_metrics(client)
    prefix = {"task_prefix_name": "nap"}
    assert found.sum("dask_scheduler_task_duration_seconds_count", **prefix) == 3
    assert found.sum("dask_scheduler_task_duration_seconds_sum", **prefix) >= 0.6
    assert found.sum("dask_scheduler_task_duration_seconds_bucket", le="0.1", **prefix) == 0
    assert found.sum("dask_scheduler_task_wait_seconds_count", **prefix) == 3
    # One thread: the second waits for the first, and the third for both.
    assert found.sum("dask_scheduler_task_wait_seconds_sum", **prefix) >= 0.5
    for kind in ("duration", "wait"):
        name = f"dask_scheduler_task_{kind}_seconds_count"
        labels = found.labels(name, "task_prefix_name")
        assert OTHER in labels
        assert len(labels) <= MOST_PREFIXES + 1
        assert found.sum(name) == 63


@pytest.mark.parametrize("way", ["same_host", "network"])
def test_transfers_are_counted_by_way(way: str) -> None:
    with dask.config.set({"dagrpc.comm.same-host": way == "same_host"}), cluster_of(2) as client:
        here, there = client.scheduler_info()["workers"]
        part = client.submit(bytes, 3_000_000, workers=[here], pure=False)
        assert client.submit(len, part, workers=[there], pure=False).result(WAIT) == 3_000_000
        found = worker_metrics(client)
        other = "network" if way == "same_host" else "same_host"
        assert found.sum("dask_worker_transfer_incoming_way_count_total", way=way) == 1
        assert found.sum("dask_worker_transfer_incoming_way_bytes_total", way=way) >= 3_000_000
        assert found.sum("dask_worker_transfer_incoming_way_count_total", way=other) == 0
        assert found.sum("dask_worker_transfer_outgoing_way_bytes_total", way=way) >= 3_000_000
        assert found.sum("dask_worker_transfer_outgoing_way_bytes_total", way=other) == 0
        # The same figures travel with the heartbeats.
        name = f"transfers_incoming_{way}_total"
        eventually(lambda: [n for m in metrics(client) if (n := m.get(name, 0))] == [1])


def metrics(client: Client) -> list[dict[str, float]]:
    return [info["metrics"] for info in client.scheduler_info(n_workers=-1)["workers"].values()]


def _counts(client: Client, name: str, number: int) -> bool:
    return scheduler_metrics(client).sum(name) == number


def lose_a_worker(client: Client, task: Callable[[], Any], cause: str) -> None:
    """Lose workers until the end of one is explained: on a busy machine, a nanny may answer too late."""
    for number in range(1, 6):
        wait([client.submit(task, pure=False)], timeout=WAIT)
        for name in ("dask_scheduler_worker_exits_total", "dask_scheduler_nanny_restarts_total"):
            eventually(partial(_counts, client, name, number))
        if scheduler_metrics(client).sum("dask_scheduler_worker_exits_total", cause=cause):
            return
    raise AssertionError(f"no nanny told of {cause}")


def test_ends_of_workers_and_restarts_of_nannies_are_counted_by_reason() -> None:
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), cluster_of() as client:
        lose_a_worker(client, die, "exited")
        before = scheduler_metrics(client)
        assert before.sum("dask_scheduler_nanny_restarts_total", reason="asked") == 0
        client.restart(timeout=WAIT)
        after = scheduler_metrics(client)
        for name in ("dask_scheduler_worker_exits_total", "dask_scheduler_nanny_restarts_total"):
            assert after.sum(name) == before.sum(name) + 1
        assert after.sum("dask_scheduler_worker_exits_total", cause="left") == 1
        assert after.sum("dask_scheduler_nanny_restarts_total", reason="asked") == 1


def test_a_worker_that_its_nanny_kills_for_its_memory_is_counted_as_such() -> None:
    def hoard() -> None:
        hoarded = bytearray(os.urandom(1)) * 400_000_000
        time.sleep(WAIT)
        del hoarded

    limits = {"target": False, "spill": False, "pause": False, "terminate": 0.95, "monitor-interval": "20ms"}
    settings = {f"distributed.worker.memory.{name}": value for name, value in limits.items()}
    settings["distributed.scheduler.allowed-failures"] = 0
    with dask.config.set(settings), cluster_of(memory_limit="300MB") as client:
        lose_a_worker(client, hoard, "memory_limit")


def test_pauses_are_counted_on_both_sides() -> None:
    limits = {"target": False, "spill": False, "pause": 0.001, "terminate": False}
    settings = {f"distributed.worker.memory.{name}": value for name, value in limits.items()}
    with dask.config.set(settings), cluster_of(memory_limit="2GB") as client:
        eventually(lambda: scheduler_metrics(client).sum("dask_scheduler_worker_pauses_total") == 1)
        assert worker_metrics(client).sum("dask_worker_pauses_total") == 1
        assert worker_metrics(client).sum("dask_worker_paused") == 1


def test_shuffles_are_counted_with_their_bytes() -> None:
    with cluster_of(2) as client, dask.config.set({"array.rechunk.method": "p2p"}):
        numbers = da.ones((400, 400), chunks=(40, 400)).rechunk((400, 40))
        assert client.compute(numbers.sum()).result(WAIT) == 160_000
        found = scheduler_metrics(client)
        assert found.sum("dask_scheduler_shuffle_runs_total") == 1
        assert found.sum("dask_scheduler_shuffle_restarts_total") == 0
        assert found.sum("dask_scheduler_shuffle_failures_total") == 0
        eventually(lambda: scheduler_metrics(client).sum("dask_scheduler_shuffles") == 0)
        workers = worker_metrics(client)
        sent = workers.sum("dask_worker_shuffle_sent_bytes_total")
        assert sent > 0
        assert workers.sum("dask_worker_shuffle_received_bytes_total") == sent
        eventually(lambda: worker_metrics(client).sum("dask_worker_shuffle_bytes") == 0)


@pytest.mark.parametrize("by_client", [False, True])
def test_fair_share_is_accounted_for(by_client: bool) -> None:
    settings = {"scheduler.fair-share": True, "dashboard.prometheus.by-client": by_client}
    with (
        dask.config.set({f"dagrpc.{name}": value for name, value in settings.items()}),
        cluster_of() as client,
        Client(client.scheduler.address) as other,
    ):
        wait(client.map(nap, [0.05] * 4, pure=False), timeout=WAIT)
        wait(other.map(nap, [0.05] * 2, pure=False), timeout=WAIT)
        found = scheduler_metrics(client)
        name = "dask_scheduler_fair_share_{}_total".format
        assert found.sum(name("runs")) == 6
        assert found.sum(name("seconds")) >= 0.3
        clients = {client.id, other.id} if by_client else set()
        assert found.labels(name("runs"), "client") == clients | {OTHER}
        if by_client:
            assert found.sum(name("runs"), client=client.id) == 4
            assert found.sum(name("runs"), client=other.id) == 2


def test_without_fair_share_there_are_no_accounts() -> None:
    with cluster_of() as client:
        assert client.submit(int).result(WAIT) == 0
        assert scheduler_metrics(client).labels("dask_scheduler_fair_share_runs_total", "client") == set()
