"""The metrics of a real cluster: documented one by one, bounded, and equal to what has happened."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dagrpc import Client, LocalCluster, Semaphore, wait
from dagrpc._http.prometheus import MOST_PREFIXES, OTHER
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
LINTED_NAMES_OF_DISTRIBUTED = {
    "dask_semaphore_average_pending_lease_time_s",
    "dask_worker_transfer_incoming_count",
    "dask_worker_transfer_outgoing_count",
}
"""Names that promtool dislikes, and that boards for distributed's metrics use."""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        yield client


def read(link: str) -> str:
    with urllib.request.urlopen(link, timeout=60) as answer:
        return str(answer.read().decode())


def scheduler_page(client: Client) -> str:
    return read(str(client.dashboard_link).replace("/status", "/metrics"))


def worker_pages(client: Client) -> list[str]:
    return [
        read(f"http://{info['host']}:{info['services']['dashboard']}/metrics")
        for info in client.scheduler_info()["workers"].values()
    ]


def names(page: str) -> set[str]:
    """Return the names as queries use them; a histogram's without the endings of its parts."""
    found = re.findall(r"^# TYPE (\S+) \S+$", page, re.MULTILINE)
    return {name for name in found if not name.startswith(("python_", "process_")) and not name.endswith("_created")}


def value(page: str, name: str, /, **labels: str) -> float:
    """Return the sum of all samples with these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_all_metrics_and_no_others_are_documented(client: Client) -> None:
    with Semaphore(max_leases=1, name="documented"):
        page = scheduler_page(client)
    text = (ROOT / "docs" / "monitoring.md").read_text()
    own, differences = text.index("## Metrics"), text.index("### Differences from distributed")
    documented = set(re.findall(r"^\| `(dask_\w+)` \|", text[own:differences], re.MULTILINE))
    found = names(page)
    for page in worker_pages(client):
        found |= names(page)
    assert found == documented


def test_many_prefixes_are_added_up(client: Client) -> None:
    futures = [
        client.submit(int, key=f"prefix{chr(97 + number // 26)}{chr(97 + number % 26)}-1") for number in range(80)
    ]
    wait(futures)
    page = scheduler_page(client)
    labels = set(re.findall(r'task_prefix_name="(\w+)"', page))
    assert len(labels) <= MOST_PREFIXES + 1
    assert OTHER in labels
    entered = value(page, "dask_scheduler_prefix_state_totals_total", state="memory")
    assert entered >= 80


def test_calls_and_sessions_are_counted(client: Client) -> None:
    future = client.submit(int, pure=False)
    wait(future)
    before = scheduler_page(client)
    for _ in range(5):
        client.who_has([future])
    client.submit(int, pure=False).result()
    after = scheduler_page(client)

    def risen(name: str, /, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert risen("dask_scheduler_grpc_calls_total", method="WhoHas", code="OK") == 5
    assert risen("dask_scheduler_grpc_call_duration_seconds_count", method="WhoHas") == 5
    assert risen("dask_scheduler_grpc_call_duration_seconds_bucket", method="WhoHas", le="+Inf") == 5
    for peer in ("client", "worker"):
        for what in ("messages_sent", "bytes_sent", "messages_received"):
            assert risen(f"dask_scheduler_session_{what}_total", peer=peer) > 0, (peer, what)


def test_failed_calls_are_counted_by_their_code(client: Client) -> None:
    before = value(scheduler_page(client), "dask_scheduler_grpc_calls_total", code="INVALID_ARGUMENT")
    with grpc.insecure_channel(client.scheduler.address.removeprefix("tcp://")) as channel:
        call = channel.unary_unary("/dagrpc.v1.SchedulerService/WhoHas", lambda data: data, lambda data: data)
        with pytest.raises(grpc.RpcError):
            call(b"\xff", timeout=60)
    after = value(scheduler_page(client), "dask_scheduler_grpc_calls_total", code="INVALID_ARGUMENT")
    assert after == before + 1


def test_transfers_are_counted_on_both_sides(client: Client) -> None:
    def totals() -> dict[str, float]:
        kinds = ("incoming_count", "incoming_bytes", "outgoing_count", "outgoing_bytes")
        pages = worker_pages(client)
        return {kind: sum(value(page, f"dask_worker_transfer_{kind}_total") for page in pages) for kind in kinds}

    before = totals()
    here, there = client.scheduler_info()["workers"]
    part = client.submit(bytes, 3_000_000, workers=[here], pure=False)
    assert client.submit(len, part, workers=[there], pure=False).result() == 3_000_000
    eventually(lambda: all(totals()[kind] > before[kind] for kind in before))
    risen = {kind: totals()[kind] - before[kind] for kind in before}
    assert risen["incoming_bytes"] >= 3_000_000
    assert risen["outgoing_bytes"] >= 3_000_000


def test_lost_workers_and_killed_tasks_are_counted() -> None:
    def die() -> None:
        import os

        os._exit(1)

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        wait([client.submit(die, pure=False)])
        page = scheduler_page(client)
        assert value(page, "dask_scheduler_workers_lost_total") == 1
        assert value(page, "dask_scheduler_tasks_killed_total") == 1
        assert value(page, "dask_scheduler_tasks_suspicious_total", task_prefix_name="die") == 1


def test_waits_for_semaphores_are_measured(client: Client) -> None:
    other = Semaphore(max_leases=1, name="waited")
    with ThreadPoolExecutor(1) as pool:
        with Semaphore(max_leases=1, name="waited"):
            waiting = pool.submit(other.acquire, timeout=60)
            eventually(lambda: value(scheduler_page(client), "dask_semaphore_pending_leases", name="waited") == 1)
            time.sleep(0.3)
        assert waiting.result(60)
    other.release()
    page = scheduler_page(client)
    assert value(page, "dask_semaphore_acquire_total", name="waited") == 2
    assert value(page, "dask_semaphore_release_total", name="waited") == 2
    assert value(page, "dask_semaphore_average_pending_lease_time_s", name="waited") > 0.05


def test_promtool_finds_nothing_wrong_but_names_of_distributed(client: Client) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing; it comes with Debian's package prometheus")
    with Semaphore(max_leases=1, name="checked"):
        pages = [scheduler_page(client), *worker_pages(client)]
    for page in pages:
        done = subprocess.run(
            [promtool, "check", "metrics"], input=page, capture_output=True, text=True, timeout=60, check=False
        )
        complaints = (done.stdout + done.stderr).strip().splitlines()
        assert {line.split()[0] for line in complaints} <= LINTED_NAMES_OF_DISTRIBUTED, complaints
