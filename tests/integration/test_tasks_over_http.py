"""Calls by name as JSON over HTTP, with curl and without."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import dask
import pytest

from dagrpc import Client, LocalCluster, Security
from dagrpc._common.default_settings import DEFAULTS

CALLER, REST = "callers-secret-of-this-cluster", "the-secret-of-all-the-others"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    settings = {"dagrpc.scheduler.http.tasks": True, "dagrpc.worker.allowed-calls": ["math:*", "time:sleep"]}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            dashboard_address=":0",
            security=Security(token=REST, caller_token=CALLER),
        ) as cluster,
        Client(cluster) as client,
    ):
        port = client.scheduler_info()["services"]["dashboard"]
        yield f"http://127.0.0.1:{port}"


def post(url: str, body: Any, token: str = CALLER, kind: str = "application/json") -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    try:
        with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        text = error.read().decode()
        return error.code, json.loads(text) if text.startswith("{") else text


def calls(*named: Any, **more: Any) -> dict[str, Any]:
    return {"calls": list(named), "wait": "30s", "inlineLimit": 1000, **more}


HYPOT = {"key": "http-1", "call": {"entrypoint": "math:hypot", "arguments": [{"json": 3}, {"json": 4}]}}


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl_submits_and_waits(url: str) -> None:
    command = ["curl", "-sS", "-H", f"Authorization: Bearer {CALLER}", "-H", "Content-Type: application/json"]
    body = json.dumps(calls(HYPOT, lease="by-curl"))
    done = subprocess.run([*command, f"{url}/v1/tasks:submit", "-d", body], capture_output=True, timeout=60, check=True)
    answer = json.loads(done.stdout)
    assert answer["lease"] == "by-curl"
    assert answer["tasks"][0]["state"] == "LEASED_STATE_DONE"
    assert answer["tasks"][0]["value"] == {"encoding": "json", "json": 5.0}


def test_the_methods_of_the_service(url: str) -> None:
    chained = {"key": "http-2", "call": {"entrypoint": "math:sqrt", "arguments": [{"task": "http-1"}]}}
    status, answer = post(f"{url}/v1/tasks:submit", calls(HYPOT, chained, lease="methods"))
    assert (status, answer["tasks"][1]["value"]["json"]) == (200, 5**0.5)
    assert post(f"{url}/v1/tasks:wait", {"lease": "methods", "inlineLimit": 100})[1]["tasks"][0]["value"]["json"] == 5
    assert post(f"{url}/v1/tasks:result", {"key": "http-2"}) == (200, 5**0.5)
    assert post(f"{url}/v1/functions:list", {})[1]["patterns"] == ["math:*", "time:sleep"]
    nap = {"key": "http-nap", "call": {"entrypoint": "time:sleep", "arguments": [{"json": 30}]}}
    post(f"{url}/v1/tasks:submit", calls(nap, lease="methods", wait="0s"))
    assert post(f"{url}/v1/tasks:result", {"key": "http-nap"})[0] == 409
    _, cancelled = post(f"{url}/v1/tasks:cancel", {"lease": "methods", "keys": ["http-nap"], "interrupt": True})
    assert cancelled["tasks"][0]["state"] == "LEASED_STATE_CANCELLED"
    assert post(f"{url}/v1/leases:renew", {"lease": "methods", "end": True}) == (200, {})


def test_refusals_have_the_reason_of_the_contract(url: str) -> None:
    status, answer = post(f"{url}/v1/tasks:wait", {"lease": "nobody"})
    assert (status, answer["error"]["reason"]) == (404, "UNKNOWN_SESSION")
    status, answer = post(f"{url}/v1/tasks:submit", {"cals": []})
    assert status == 400
    assert "cals" in answer["error"]["message"]


def test_tokens_of_callers_and_clients_open_the_routes(url: str) -> None:
    assert post(f"{url}/v1/functions:list", {}, token="wrong")[0] == 401
    assert post(f"{url}/v1/functions:list", {}, token=REST)[0] == 200
    # What a page of another site can send without being asked is no request.
    assert post(f"{url}/v1/functions:list", {}, kind="text/plain")[0] == 400
    # The other pages are for clients.
    assert post(f"{url}/json/counts.json", {})[0] == 401


def test_the_routes_are_off_by_default() -> None:
    default = {"dagrpc.scheduler.http.tasks": DEFAULTS["scheduler.http.tasks"]}
    with (
        dask.config.set(default),
        LocalCluster(n_workers=0, dashboard_address=":0", processes=False) as cluster,
        Client(cluster) as client,
    ):
        port = client.scheduler_info()["services"]["dashboard"]
        assert post(f"http://127.0.0.1:{port}/v1/functions:list", {})[0] == 404


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_the_command_of_the_documentation_runs(url: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tasks-by-name.md").read_text(encoding="utf-8")
    command = page.partition("```sh\n")[2].partition("```")[0].replace("http://127.0.0.1:8787", url)
    command = command.replace("curl -sS", f"curl -sS -H 'Authorization: Bearer {CALLER}'")
    done = subprocess.run(command, shell=True, capture_output=True, timeout=60, check=True)
    assert [task["value"]["json"] for task in json.loads(done.stdout)["tasks"]] == [5.0, 5**0.5]
