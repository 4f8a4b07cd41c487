"""`make up OVERLAYS=...`: certificates and limits of containers, on a real engine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dagrpc import Client, CommClosedError, Security
from dagrpc._cli.certs import certs
from tests.support.compose import Composed, composed, missing_for_compose
from tests.support.docker_engine import run

START_SECONDS = 120

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs")
    outcome = CliRunner().invoke(certs, ["--out", str(folder)])
    assert outcome.exit_code == 0, outcome.output
    return folder


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[Composed]:
    if reason := missing_for_compose():
        pytest.skip(reason)
    environment = {"DAGRPC_CERTS": str(folder), "DAGRPC_USER": f"{os.getuid()}:{os.getgid()}"}
    with composed(1, ("limits", "tls"), environment | {"DAGRPC_WORKER_MEMORY": "512m"}) as cluster:
        yield cluster


def test_only_clients_with_a_certificate_get_in(cluster: Composed, folder: Path) -> None:
    security = Security(
        tls_ca_file=str(folder / "ca.pem"),
        tls_client_cert=str(folder / "client.pem"),
        tls_client_key=str(folder / "client.key"),
        extra_conn_args={"server_hostname": "cluster.dagrpc.internal"},
    )
    with Client(cluster.address, security=security, timeout=START_SECONDS) as client:
        client.wait_for_workers(1, timeout=START_SECONDS)
        assert client.submit(sum, [1, 2, 3]).result(timeout=60) == 6
        (worker,) = client.scheduler_info()["workers"].values()
        assert worker["memory_limit"] == 512 * 2**20, "that of the container"
    with pytest.raises((CommClosedError, OSError)):
        Client(cluster.address, timeout=20)


def test_every_container_is_healthy(cluster: Composed) -> None:
    label = f"label=com.docker.compose.project={cluster.project}"
    for container in run("docker", "ps", "--quiet", "--filter", label).split():
        (found,) = json.loads(run("docker", "inspect", container))
        assert found["State"]["Health"]["Status"] in ("healthy", "starting"), found["State"]["Health"]
        assert found["HostConfig"]["Memory"]
