"""Prometheus scrapes a real cluster, and the rules and the board for it name metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagrpc import Client, LocalCluster, wait
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "monitoring"


def tool(name: str) -> str:
    """Return the path of one of Prometheus' programs, or skip the test."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing; it comes with Debian's package prometheus")
    return found


def documented() -> set[str]:
    """Return the documented metrics, which are the real ones: see test_metrics.py."""
    text = (ROOT / "docs" / "monitoring.md").read_text()
    return set(re.findall(r"^\| `(dask_\w+)` \|", text[text.index("## Metrics") :], re.MULTILINE))


def unknown(queries: str) -> set[str]:
    used = {re.sub(r"_(bucket|sum)$", "", name) for name in re.findall(r"\bdask_\w+", queries)}
    assert used
    return used - documented()


def test_the_board_shows_metrics_that_there_are() -> None:
    board = json.loads((RULES / "grafana.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            assert unknown(target["expr"]) == set(), panel["title"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_alerts_are_about_metrics_that_there_are() -> None:
    rules = yaml.safe_load((RULES / "alerts.yaml").read_text())["groups"][0]["rules"]
    assert unknown(" ".join(rule["expr"] for rule in rules)) == set()


def test_alerts_are_raised_when_they_should_be() -> None:
    command = [tool("promtool"), "test", "rules", str(RULES / "alerts_test.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tested = yaml.safe_load((RULES / "alerts_test.yaml").read_text())["tests"][1]["promql_expr_test"][0]["exp_samples"]
    rules = yaml.safe_load((RULES / "alerts.yaml").read_text())["groups"][0]["rules"]
    assert {re.findall('"(.*)"', sample["labels"])[0] for sample in tested} == {rule["alert"] for rule in rules}


@contextmanager
def prometheus(folder: Path, targets: dict[str, list[str]]) -> Iterator[str]:
    """Run Prometheus with these targets by job; yield its address."""
    program = tool("prometheus")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES / "alerts.yaml")],
        "scrape_configs": [{"job_name": job, "static_configs": [{"targets": hosts}]} for job, hosts in targets.items()],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    command = [
        program,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def ask(address: str, path: str, **query: str) -> Any:
    """Return the data of an answer of Prometheus; None while it does not answer."""
    link = f"{address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(link, timeout=60) as answer:
            return json.loads(answer.read())["data"]
    except (urllib.error.URLError, ConnectionError):
        return None


def test_prometheus_scrapes_a_cluster(tmp_path: Path) -> None:
    tool("prometheus")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        held = client.map(str, range(20), pure=False)
        wait(held)
        workers = client.scheduler_info()["workers"].values()
        targets = {
            "dagrpc-scheduler": [urllib.parse.urlsplit(str(client.dashboard_link)).netloc],
            "dagrpc-workers": [f"{info['host']}:{info['services']['dashboard']}" for info in workers],
        }
        with prometheus(tmp_path, targets) as address:

            def value(query: str) -> float | None:
                found = ask(address, "query", query=query)
                return float(found["result"][0]["value"][1]) if found and found["result"] else None

            eventually(lambda: value("sum(up)") == 3)
            eventually(lambda: value('dask_scheduler_tasks{state="memory"}') == 20)
            assert value("sum(dask_worker_threads)") == 2
            eventually(lambda: value('sum(dask_worker_tasks{state="memory"})') == 20)
            assert value('dask_scheduler_prefix_state_totals_total{task_prefix_name="str",state="memory"}') == 20
            for target in ask(address, "targets")["activeTargets"]:
                assert target["lastError"] == ""
            assert len(ask(address, "rules")["groups"][0]["rules"]) == 13
            board = json.loads((RULES / "grafana.json").read_text())
            for panel in board["panels"]:
                for target in panel["targets"]:
                    query = target["expr"].replace("$__rate_interval", "1m").replace("$scheduler", ".*")
                    assert ask(address, "query", query=query) is not None, query
