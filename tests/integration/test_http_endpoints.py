"""Questions of other programs over HTTP: ``/api/v1``, the list of panels, worker's pages through the scheduler."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pytest

from dagrpc import Client, LocalCluster, Security
from dagrpc._auth.certificates import temporary_certificates
from tests.support.waiting import eventually

SWITCH = {"distributed.scheduler.http.routes": ["distributed.http.scheduler.api"]}


@pytest.fixture(scope="module")
def root() -> Iterator[str]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        yield cluster.dashboard_link.removesuffix("/status")


def call(link: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    """Return status and text of an answer."""
    request = urllib.request.Request(link, data=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def post(link: str, data: Any) -> tuple[int, str]:
    return call(link, json.dumps(data).encode(), Content_Type="application/json")


def test_workers_and_the_target_are_told(root: str) -> None:
    assert call(f"{root}/api/v1") == (200, "API V1")
    told = json.loads(call(f"{root}/api/v1/get_workers")[1])
    assert told["num_workers"] == 2
    assert {frozenset(worker) for worker in told["workers"]} == {frozenset(("name", "address"))}
    assert set(json.loads(call(f"{root}/api/v1/adaptive_target")[1])) == {"workers"}


def test_nothing_changes_unless_it_is_switched_on(root: str) -> None:
    status, text = post(f"{root}/api/v1/retire_workers", {"n": 1})
    assert status == 403
    assert "scheduler.http.routes" in text
    assert json.loads(call(f"{root}/api/v1/get_workers")[1])["num_workers"] == 2


def test_workers_are_retired_where_it_is_switched_on() -> None:
    with (
        dask.config.set(SWITCH),
        LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(3)
        path = f"{cluster.dashboard_link.removesuffix('/status')}/api/v1/retire_workers"
        first = next(iter(client.scheduler_info()["workers"]))
        for body, part in (
            (b"garbage", "no JSON"),
            (b"[]", "an object"),
            (b'{"nope": 1}', "nope"),
            (b'{"workers": "all"}', "a list"),
            (b'{"workers": ["nobody"]}', "nobody"),
            (b'{"n": -1}', "-1"),
            (b'{"n": true}', "True"),
        ):
            status, text = call(path, body, Content_Type="application/json")
            assert (status, part in text) == (400, True), (body, text)
        assert call(path, b'{"n": 1}', Content_Type="text/plain")[0] == 415
        assert len(client.scheduler_info()["workers"]) == 3
        status, text = post(path, {"workers": [first]})
        assert status == 200
        told = json.loads(text)
        assert set(told) == {first}
        assert told[first]["status"] == "closed"
        status, text = post(path, {"n": 1})
        assert (status, len(json.loads(text))) == (200, 1)
        eventually(lambda: len(client.scheduler_info()["workers"]) == 1)


def test_each_listed_panel_has_a_page(root: str) -> None:
    plots = json.loads(call(f"{root}/individual-plots.json")[1])
    assert plots["Individual Task Stream"] == "/individual-task-stream"
    assert {"Individual Cluster Memory", "Individual Progress", "Individual Workers"} <= set(plots)
    for title, path in plots.items():
        assert title.startswith("Individual ")
        assert call(root + path)[0] == 200, path


def test_pages_of_workers_come_through_the_scheduler(root: str) -> None:
    for worker in json.loads(call(f"{root}/json/identity.json")[1])["workers"].values():
        place = f"{worker['services']['dashboard']}/{worker['host']}"
        assert call(f"{root}/proxy/{place}/health") == (200, "ok")
        status, text = call(f"{root}/proxy/{place}/metrics")
        assert status == 200
        assert "dask_worker_threads 1.0" in text
        assert json.loads(call(f"{root}/proxy/{place}/json/identity.json")[1])["type"] == "Worker"
        assert call(f"{root}/proxy/{place}/nothing")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "80/example.org/",
        "{own}/127.0.0.1/health",
        "{worker}/localhost/health",
        "{worker}/127.0.0.1@example.org/health",
        "x/127.0.0.1/health",
        "0/127.0.0.1/health",
        "-1/127.0.0.1/health",
        "{worker}%23/127.0.0.1/health",
    ],
)
def test_the_scheduler_is_no_open_proxy(root: str, path: str) -> None:
    worker = next(iter(json.loads(call(f"{root}/json/identity.json")[1])["workers"].values()))
    wanted = path.format(own=root.rpartition(":")[2], worker=worker["services"]["dashboard"])
    status, text = call(f"{root}/proxy/{wanted}")
    assert (status, "no worker serves HTTP" in text) == (404, True), text


def test_measurements_have_the_shape_of_distributed(root: str) -> None:
    def measured() -> list[dict[str, Any]]:
        workers = json.loads(call(f"{root}/json/identity.json")[1])["workers"].values()
        return [worker["metrics"] for worker in workers]

    eventually(lambda: all(measured()))
    for metrics in measured():
        assert set(metrics["spilled_bytes"]) == {"memory", "disk"}
        assert metrics["transfer"]["incoming_count_total"] == 0
        assert isinstance(metrics["task_counts"], dict)


def test_a_certificate_of_a_client_opens_the_pages_of_a_cluster_without_tokens(tmp_path: Path) -> None:
    roles = ("scheduler", "worker", "client", "caller")
    made = temporary_certificates(roles)
    for name in ("tls_ca_file", *(f"tls_{role}_{part}" for role in roles for part in ("cert", "key"))):
        (tmp_path / name).write_text(made[name])
    settings = {
        "distributed.scheduler.dashboard.tls.cert": str(tmp_path / "tls_scheduler_cert"),
        "distributed.scheduler.dashboard.tls.key": str(tmp_path / "tls_scheduler_key"),
        "distributed.scheduler.dashboard.tls.ca-file": str(tmp_path / "tls_ca_file"),
    }
    security = Security(require_encryption=True, **{name: text for name, text in made.items() if "caller" not in name})

    def ask(role: str) -> int:
        trust = ssl.create_default_context(cadata=made["tls_ca_file"])
        trust.check_hostname = False
        trust.load_cert_chain(tmp_path / f"tls_{role}_cert", tmp_path / f"tls_{role}_key")
        try:
            with urllib.request.urlopen(f"{root}/json/counts.json", timeout=60, context=trust) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    with (
        dask.config.set(settings),
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0", security=security) as cluster,
    ):
        root = cluster.dashboard_link.removesuffix("/status")
        assert root.startswith("https://")
        assert ask("client") == 200
        assert ask("worker") == 401
        assert ask("caller") == 401
        bare = ssl.create_default_context(cadata=made["tls_ca_file"])
        bare.check_hostname = False
        with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
            urllib.request.urlopen(f"{root}/json/counts.json", timeout=60, context=bare)
