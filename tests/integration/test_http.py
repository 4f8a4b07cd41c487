"""The HTTP ports of a real cluster report the state of the cluster, to authorized callers only."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dask
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dagrpc import Client, LocalCluster, Security, wait
from tests.support.waiting import eventually

WAIT = 60.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


def get(link: str, **headers: str) -> str:
    request = urllib.request.Request(link, headers=headers)
    with urllib.request.urlopen(request, timeout=WAIT) as answer:
        body: bytes = answer.read()
    return body.decode()


def status_of(link: str, **headers: str) -> int:
    try:
        get(link, **headers)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def root(client: Client) -> str:
    assert client.dashboard_link is not None
    return client.dashboard_link.removesuffix("/status")


def metrics(link: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Return samples by name and values of labels."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(get(link)):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def inc(x: int) -> int:
    return x + 1


def test_links_of_client_and_cluster_lead_to_the_status_page(cluster: LocalCluster, client: Client) -> None:
    assert client.dashboard_link == cluster.dashboard_link
    page = get(str(client.dashboard_link))
    assert "<title>dagrpc: Status</title>" in page
    for name in ("style.css", "dashboard.css", "main.js", "icon.svg"):
        assert get(f"{root(client)}/statics/{name}")
    port = root(client).rpartition(":")[2]
    unknown = {"distributed.dashboard.link": "/user/{USER_OF_HUB}/proxy/{port}/status"}
    with dask.config.set(unknown), pytest.raises(ValueError, match="no environment variable 'USER_OF_HUB'"):
        client.dashboard_link  # noqa: B018
    with dask.config.set({"distributed.dashboard.link": "/proxy/{port}/status"}):
        assert client.dashboard_link == f"/proxy/{port}/status"


def test_metrics_and_counts_are_those_of_the_cluster(client: Client) -> None:
    futures = client.map(inc, range(20), pure=False)
    wait(futures)
    failed = client.submit(lambda: 1 / 0, pure=False)
    wait([failed])
    found = metrics(f"{root(client)}/metrics")
    assert found["dask_scheduler_tasks"]["memory",] == 20
    assert found["dask_scheduler_tasks"]["erred",] == 1
    assert sum(found["dask_scheduler_workers"].values()) == 2
    assert found["dask_scheduler_clients"][()] >= 1
    assert found["dask_scheduler_prefix_tasks"]["memory", "inc"] == 20
    counts = json.loads(get(f"{root(client)}/json/counts.json"))
    assert (counts["memory"], counts["erred"], counts["workers"], counts["cores"]) == (20, 1, 2, 2)


def test_workers_tell_what_they_hold(client: Client) -> None:
    futures = client.map(inc, range(30), pure=False)
    wait(futures)
    total = 0.0
    for info in client.scheduler_info()["workers"].values():
        found = metrics(f"http://{info['host']}:{info['services']['dashboard']}/metrics")
        total += found["dask_worker_tasks"]["memory",]
        assert found["dask_worker_threads"][()] == 1
        assert found["dask_worker_memory_bytes"]["unmanaged",] > 0
    assert total == 30


def test_identity_is_what_the_client_knows(client: Client) -> None:
    told = json.loads(get(f"{root(client)}/json/identity.json"))
    known = client.scheduler_info()
    assert told["id"] == known["id"]
    assert told["services"] == known["services"]
    assert set(told["workers"]) == set(known["workers"])
    for address, worker in told["workers"].items():
        assert worker["nthreads"] == known["workers"][address]["nthreads"]
        assert worker["services"] == known["workers"][address]["services"]


def test_pages_show_workers_tasks_logs_and_failures(client: Client) -> None:
    future = client.submit(lambda: 1 / 0, pure=False, key="<b>odd & key</b>")
    wait([future])
    address = next(iter(client.scheduler_info()["workers"]))
    pages = f"{root(client)}/info"
    listed = get(f"{pages}/main/workers.html")
    assert address in listed
    assert quote(address, safe="") in listed
    failures = get(f"{pages}/main/exceptions.html")
    assert "&lt;b&gt;odd &amp; key" in failures
    assert "<b>odd" not in failures
    task = get(f"{pages}/task/{quote(future.key, safe='')}.html")
    assert "erred" in task
    assert address in get(f"{pages}/worker/{quote(address, safe='')}.html")
    for name in ("logs", "call-stacks"):
        assert address in get(f"{pages}/{name}/{quote(address, safe='')}.html")
    assert get(f"{pages}/main/logs.html")
    assert status_of(f"{pages}/worker/nobody.html") == 404
    assert status_of(f"{pages}/task/nothing.html") == 404


def test_the_call_stack_of_a_task_that_runs_is_shown(client: Client) -> None:
    future = client.submit(time.sleep, 30, pure=False)
    try:
        eventually(lambda: any(client.processing().values()))
        link = f"{root(client)}/info/call-stack/{quote(future.key, safe='')}.html"
        eventually(lambda: "sleep" in get(link) or "does not run" not in get(link))
    finally:
        future.cancel(force=True)


def test_the_stream_follows_the_cluster(client: Client) -> None:
    with urllib.request.urlopen(f"{root(client)}/stream?feeds=workers,prefixes", timeout=WAIT) as stream:
        known: dict[str, dict[str, Any]] = {"workers": {}, "prefixes": {}}

        def follow() -> dict[str, dict[str, Any]]:
            line = stream.readline()
            while not line.startswith(b"data: "):
                line = stream.readline()
            message = json.loads(line[6:])
            for name, table in known.items():
                change = message.get(name, {"set": {}, "gone": []})
                table.update(change["set"])
                for key in change["gone"]:
                    del table[key]
            return known

        assert len(follow()["workers"]) == 2
        futures = client.map(inc, range(7), pure=False)
        wait(futures)
        eventually(lambda: follow()["prefixes"].get("inc", {"counts": [0]})["counts"][0] == 7)
        del futures
        eventually(lambda: "inc" not in follow()["prefixes"])
    assert status_of(f"{root(client)}/stream?feeds=nothing") == 400
    assert status_of(f"{root(client)}/stream") == 400


def test_a_cluster_without_pages_has_no_link() -> None:
    with LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50) as cluster, Client(cluster) as client:
        assert client.dashboard_link is None
        assert cluster.dashboard_link == ""


def test_a_cluster_with_a_token_asks_for_it() -> None:
    security = Security(token="a-token-that-is-long-enough")
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, security=security, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        pages = root(client)
        assert status_of(f"{pages}/health") == 200
        for path in ("status", "metrics", "json/counts.json", "stream", "details/task.json", "individual-progress"):
            assert status_of(f"{pages}/{path}") == 401, path
        assert status_of(f"{pages}/metrics", Authorization="Bearer a-token-that-is-long-enough") == 200
        (info,) = client.scheduler_info()["workers"].values()
        worker = f"http://{info['host']}:{info['services']['dashboard']}/metrics"
        assert status_of(worker) == 401
        assert status_of(worker, Authorization="Bearer a-token-that-is-long-enough") == 200


def test_pages_over_tls(tmp_path: Path) -> None:
    from dagrpc._auth.certificates import temporary_certificates

    made = temporary_certificates(["scheduler"])
    (tmp_path / "cert.pem").write_text(made["tls_scheduler_cert"])
    (tmp_path / "key.pem").write_text(made["tls_scheduler_key"])
    settings = {
        "scheduler.dashboard.tls.cert": str(tmp_path / "cert.pem"),
        "scheduler.dashboard.tls.key": str(tmp_path / "key.pem"),
    }
    with (
        dask.config.set({f"distributed.{name}": value for name, value in settings.items()}),
        LocalCluster(n_workers=0, dashboard_address=":0", processes=False) as cluster,
        Client(cluster) as client,
    ):
        assert client.dashboard_link is not None
        assert client.dashboard_link.startswith("https://")
        trust = ssl.create_default_context(cadata=made["tls_ca_file"])
        trust.check_hostname = False
        link = client.dashboard_link.replace("/status", "/health")
        with urllib.request.urlopen(link, timeout=WAIT, context=trust) as answer:
            assert answer.read() == b"ok"


def test_routes_of_a_user_are_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_pages.py").write_text(
        "from aiohttp import web\n"
        "def routes(server):\n"
        "    async def mine(request):\n"
        "        return web.Response(text=f'{type(server).__name__} {server.address}')\n"
        "    return [web.get('/mine', mine)]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = {"distributed.scheduler.http.routes": ["my_pages"], "distributed.worker.http.routes": ["my_pages"]}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        assert get(f"{root(client)}/mine") == f"Scheduler {cluster.scheduler_address}"
        assert "/mine" in json.loads(get(f"{root(client)}/sitemap.json"))["paths"]
        ((address, info),) = client.scheduler_info()["workers"].items()
        assert get(f"http://{info['host']}:{info['services']['dashboard']}/mine") == f"Worker {address}"


def test_nothing_of_http_is_imported_before_somebody_calls() -> None:
    def imported() -> bool:
        return "aiohttp" in sys.modules

    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        assert set(client.run(imported).values()) == {False}
        assert client.run_on_scheduler(imported) is False
        assert get(f"{root(client)}/health") == "ok"
        assert client.run_on_scheduler(imported) is True


def test_an_address_that_is_none_is_said_so() -> None:
    command = [sys.executable, "-m", "dagrpc.cli", "scheduler", "--port", "0", "--dashboard-address", "localhost:http"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert done.returncode == 1
    assert "'http' is not a port; write host:port, :port or port" in done.stderr
    assert "Traceback" not in done.stderr
