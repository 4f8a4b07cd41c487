"""The link to the pages of a scheduler that serves them below a path."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import dask
import pytest

from dagrpc import Client, LocalCluster
from dagrpc._common.dashboard_link import dashboard_link

WAIT = 60


@pytest.mark.parametrize("prefix", ["/some/where", "some/where/"])
def test_the_links_of_client_and_cluster_have_the_prefix(prefix: str, tmp_path: Path) -> None:
    path = tmp_path / "scheduler.json"
    options = {"http_prefix": prefix, "scheduler_file": str(path)}
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", scheduler_kwargs=options, silence_logs=50) as cluster,
        Client(cluster) as inside,
        Client(scheduler_file=str(path)) as outside,
    ):
        port = json.loads(path.read_text())["services"]["dashboard"]
        expected = f"http://127.0.0.1:{port}/some/where/status"
        assert cluster.dashboard_link == expected
        assert inside.dashboard_link == expected
        assert outside.dashboard_link == expected
        assert expected in inside._repr_html_()
        with urllib.request.urlopen(expected, timeout=WAIT) as answer:
            assert b"<title>dagrpc: Status</title>" in answer.read()


def test_a_cluster_without_a_prefix_has_the_link_of_old() -> None:
    options = {"http_prefix": "/"}
    with LocalCluster(n_workers=0, dashboard_address=":0", scheduler_kwargs=options, silence_logs=50) as cluster:
        assert cluster.dashboard_link.count("/") == 3
        assert cluster.dashboard_link.endswith("/status")


def test_a_template_of_the_user_has_the_prefix_where_it_names_it() -> None:
    with dask.config.set({"distributed.dashboard.link": "https://proxy.example{prefix}/status"}):
        assert dashboard_link("10.0.0.1:8786", 8787, "/one") == "https://proxy.example/one/status"
    with dask.config.set({"distributed.dashboard.link": "https://proxy.example/one/status"}):
        assert dashboard_link("10.0.0.1:8786", 8787, "/one") == "https://proxy.example/one/status"
