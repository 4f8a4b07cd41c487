"""Schedulers and workers expose the same Prometheus metrics, by name, type and labels."""

from __future__ import annotations

import re
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.parity.conftest import BACKEND

PREFIX = frozenset(["task_prefix_name"])
NOTHING: frozenset[str] = frozenset()

SCHEDULER = {
    "dask_scheduler_clients": ("gauge", NOTHING),
    "dask_scheduler_client_connections_added_total": ("counter", NOTHING),
    "dask_scheduler_client_connections_removed_total": ("counter", NOTHING),
    "dask_scheduler_desired_workers": ("gauge", NOTHING),
    "dask_scheduler_workers": ("gauge", frozenset(["state"])),
    "dask_scheduler_workers_added_total": ("counter", NOTHING),
    "dask_scheduler_workers_removed_total": ("counter", NOTHING),
    "dask_scheduler_gc_collection_seconds_total": ("counter", NOTHING),
    "dask_scheduler_tasks_suspicious_total": ("counter", PREFIX),
    "dask_scheduler_tasks_forgotten_total": ("counter", NOTHING),
    "dask_scheduler_tasks": ("gauge", frozenset(["state"])),
    "dask_scheduler_task_groups": ("gauge", NOTHING),
    "dask_scheduler_tasks_compute_seconds_total": ("counter", PREFIX),
    "dask_scheduler_tasks_output_bytes": ("gauge", PREFIX),
    "dask_scheduler_prefix_state_totals_total": ("counter", PREFIX | {"state"}),
    "dask_scheduler_tick_duration_maximum_seconds": ("gauge", NOTHING),
    "dask_scheduler_tick_count_total": ("counter", NOTHING),
    "dask_semaphore_max_leases": ("gauge", frozenset(["name"])),
    "dask_semaphore_active_leases": ("gauge", frozenset(["name"])),
    "dask_semaphore_pending_leases": ("gauge", frozenset(["name"])),
    "dask_semaphore_acquire_total": ("counter", frozenset(["name"])),
    "dask_semaphore_release_total": ("counter", frozenset(["name"])),
    "dask_semaphore_average_pending_lease_time_s": ("gauge", frozenset(["name"])),
    "dask_stealing_request_count_total": ("counter", None),
    "dask_stealing_request_cost_total": ("counter", None),
}
"""Names with types and labels; None: the labels differ."""
SCHEDULER_OF_DISTRIBUTED = {"dask_scheduler_last_time_total", "dask_scheduler_tasks_transfer_seconds_total"}
WORKER = {
    "dask_worker_tasks": ("gauge", frozenset(["state"])),
    "dask_worker_gc_collection_seconds_total": ("counter", NOTHING),
    "dask_worker_threads": ("gauge", NOTHING),
    "dask_worker_latency_seconds": ("gauge", NOTHING),
    "dask_worker_memory_bytes": ("gauge", frozenset(["type"])),
    "dask_worker_transfer_incoming_bytes": ("gauge", NOTHING),
    "dask_worker_transfer_incoming_count": ("gauge", NOTHING),
    "dask_worker_transfer_incoming_count_total": ("counter", NOTHING),
    "dask_worker_transfer_outgoing_bytes": ("gauge", NOTHING),
    "dask_worker_transfer_outgoing_count": ("gauge", NOTHING),
    "dask_worker_transfer_outgoing_bytes_total": ("counter", NOTHING),
    "dask_worker_transfer_outgoing_count_total": ("counter", NOTHING),
    "dask_worker_spill_bytes_total": ("counter", frozenset(["activity"])),
    "dask_worker_spill_count_total": ("counter", frozenset(["activity"])),
    "dask_worker_spill_time_seconds_total": ("counter", None),
    "dask_worker_tick_duration_maximum_seconds": ("gauge", NOTHING),
    "dask_worker_tick_count_total": ("counter", NOTHING),
}
PROCESS = {
    "python_gc_objects_collected_total",
    "python_gc_collections_total",
    "python_info",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
}


@pytest.fixture
def pages(lib: Any, client: Any) -> tuple[str, str]:
    """The metrics of the scheduler and of a worker that has seen each kind of work."""
    semaphore = lib.Semaphore(max_leases=2, name="measured")
    with semaphore:
        pass
    parts = client.map(bytes, [1_000_000] * 8, pure=False)
    assert client.submit(len, parts, pure=False).result() == 8
    client.gather(parts)
    lib.wait([client.submit(divmod, 1, 0, pure=False)])
    scheduler = f"http://{urlsplit(client.dashboard_link).netloc}/metrics"
    info = next(iter(client.scheduler_info()["workers"].values()))
    worker = f"http://{info['host']}:{info['services']['dashboard']}/metrics"
    return read(scheduler), read(worker)


def read(link: str) -> str:
    with urllib.request.urlopen(link, timeout=60) as answer:
        return str(answer.read().decode())


def described(page: str) -> dict[str, tuple[str, frozenset[str] | None]]:
    """Return the type of each metric, and the labels of its samples; None if it has no samples."""
    found: dict[str, tuple[str, frozenset[str] | None]] = {}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE):
        sample = re.search(rf"^{name}(?:\{{(.*)\}})? ", page, re.MULTILINE)
        labels = frozenset(re.findall(r'(\w+)="', sample[1] or "")) if sample is not None else None
        found[name] = (kind, labels)
    return found


def compare(found: dict[str, tuple[str, frozenset[str] | None]], expected: dict[str, Any]) -> None:
    for name, (kind, labels) in expected.items():
        assert name in found, name
        assert found[name][0] == kind, name
        if labels is not None and found[name][1] is not None:
            assert found[name][1] == labels, name


def test_the_scheduler_exposes_the_same_metrics(pages: tuple[str, str]) -> None:
    found = described(pages[0])
    compare(found, SCHEDULER)
    assert set(found) >= PROCESS
    if BACKEND == "distributed":
        theirs = {name for name in found if name.startswith("dask_")}
        assert theirs <= set(SCHEDULER) | SCHEDULER_OF_DISTRIBUTED


def test_a_worker_exposes_the_same_metrics(pages: tuple[str, str]) -> None:
    found = described(pages[1])
    compare(found, WORKER)
    assert set(found) >= PROCESS
    if BACKEND == "distributed":
        assert {name for name in found if name.startswith("dask_")} <= set(WORKER)


def test_tasks_are_counted_by_prefix_in_the_same_way(lib: Any) -> None:
    def measured_by_prefix(x: int) -> bytes:
        return b"x" * x

    # A cluster of its own: only the largest prefixes have labels of their own.
    with (
        lib.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        lib.wait(client.map(measured_by_prefix, [1000] * 5, pure=False))
        held = client.map(measured_by_prefix, [1000] * 5, pure=False)
        lib.wait(held)
        page = read(f"http://{urlsplit(client.dashboard_link).netloc}/metrics")

    def value(name: str, **labels: str) -> float:
        for found, number in re.findall(rf"^{name}\{{(.*)\}} (\S+)$", page, re.MULTILINE):
            if dict(re.findall(r'(\w+)="([^"]*)"', found)) == labels:
                return float(number)
        raise AssertionError((name, labels))

    prefix = "measured_by_prefix"
    for state in ("waiting", "processing", "memory"):
        assert value("dask_scheduler_prefix_state_totals_total", task_prefix_name=prefix, state=state) == 10
    assert value("dask_scheduler_tasks_suspicious_total", task_prefix_name=prefix) == 0
    assert value("dask_scheduler_tasks_compute_seconds_total", task_prefix_name=prefix) > 0
    assert 5_000 <= value("dask_scheduler_tasks_output_bytes", task_prefix_name=prefix) <= 12_000
