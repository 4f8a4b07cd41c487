"""DockerCluster on a real engine: start, scale, lost containers, memory limits, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagrpc import Client, DockerCluster
from dagrpc_deploy.docker_process import CLUSTER_LABEL
from dagrpc_deploy.spec import SpecCluster
from tests.support.docker_engine import BASE_IMAGE, missing_for_image, run
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The project's image, built from the checkout."""
    if reason := missing_for_image():
        pytest.skip(reason)
    name = f"dagrpc-test-{uuid.uuid4().hex[:8]}:latest"
    run("make", f"IMAGE={name}", f"BASE_IMAGE={BASE_IMAGE}", "image")
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True, timeout=60, check=False)


@pytest.fixture
def cluster(image: str) -> Iterator[SpecCluster]:
    with DockerCluster(n_workers=2, image=image, pull="never", scheduler_sync_interval=0.1) as cluster:
        yield cluster
    assert left_of(cluster.name) == []


def left_of(name: str) -> list[str]:
    """Return the containers and networks of a cluster."""
    label = f"label={CLUSTER_LABEL}={name}"
    return run("docker", "ps", "--all", "--quiet", "--filter", label).split() + (
        run("docker", "network", "ls", "--quiet", "--filter", label).split()
    )


def container_of(cluster: SpecCluster, worker: int) -> str:
    return str(cluster.workers[worker].container_name)


def test_a_job_runs_while_the_cluster_is_scaled(cluster: SpecCluster) -> None:
    # Functions that every Python has: the image need not have the one that runs the tests.
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        squares = client.map(pow, range(500), [2] * 500)
        assert client.submit(sum, squares).result(timeout=60) == sum(number**2 for number in range(500))
        cluster.scale(3)
        client.wait_for_workers(3, timeout=60)
        hosts = {worker["host"] for worker in client.scheduler_info()["workers"].values()}
        assert len(hosts) == 3
        cluster.scale(1)
        eventually(lambda: len(client.scheduler_info()["workers"]) == 1)
        # Results of workers that were retired are still there.
        assert client.gather(squares) == [number**2 for number in range(500)]


def test_containers_have_no_more_rights_than_they_need(cluster: SpecCluster) -> None:
    (found,) = json.loads(run("docker", "inspect", container_of(cluster, 0)))
    host = found["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["Memory"] == 2 * 2**30
    assert host["NanoCpus"] == 10**9
    assert found["Config"]["User"] == "10001:10001"


def test_a_container_that_is_killed_is_replaced(cluster: SpecCluster) -> None:
    with Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        held = client.map(pow, range(100), [3] * 100)
        client.gather(held)
        before = cluster.workers[0]
        run("docker", "kill", container_of(cluster, 0))
        eventually(lambda: cluster.workers.get(0) not in (None, before))
        client.wait_for_workers(2, timeout=60)
        assert client.gather(held) == [number**3 for number in range(100)]


def test_all_ends_with_a_program_that_is_killed(image: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import time\n"
        "from dagrpc import DockerCluster\n"
        "if __name__ == '__main__':\n"
        f"    cluster = DockerCluster(n_workers=1, image={image!r}, pull='never')\n"
        "    print(cluster.name, flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    name = parent.stdout.readline().strip()
    label = f"label={CLUSTER_LABEL}={name}"
    assert len(run("docker", "ps", "--quiet", "--filter", label).split()) == 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(timeout=30)
    eventually(lambda: not run("docker", "ps", "--all", "--quiet", "--filter", label).split(), seconds=60)
    # The network of a killed program stays until a later cluster finds it unused; here it is new.
    run("docker", "network", "rm", name)


def test_certificates_travel_to_the_containers(image: str) -> None:
    with (
        DockerCluster(n_workers=1, image=image, pull="never", security=True) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(sum, [1, 2, 3]).result(timeout=60) == 6
        found = run("docker", "inspect", container_of(cluster, 0))
    assert "PRIVATE KEY" not in found


def test_an_image_that_is_missing_is_named(image: str) -> None:
    with pytest.raises(RuntimeError, match="no image 'dagrpc-no-such-image:1'"):
        DockerCluster(image="dagrpc-no-such-image:1", pull="never")


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(image: str) -> None:
    name = f"dagrpc-{uuid.uuid4().hex[:8]}"
    with pytest.raises(RuntimeError, match="colour"):
        DockerCluster(n_workers=1, image=image, pull="never", name=name, worker_options={"colour": 1})
    eventually(lambda: left_of(name) == [], seconds=60)


def test_a_network_that_is_missing_is_named(image: str) -> None:
    with pytest.raises(RuntimeError, match="no-such-network"):
        DockerCluster(image=image, pull="never", network="no-such-network")


def test_engines_that_do_not_answer_are_named() -> None:
    with pytest.raises(RuntimeError, match=r"No Docker engine answers \(tcp://127\.0\.0\.1:1\)"):
        DockerCluster(engine={"base_url": "tcp://127.0.0.1:1"})


def test_when_to_pull_is_checked() -> None:
    with pytest.raises(ValueError, match="pull must be one of 'missing', 'always', 'never'; got 'sometimes'"):
        DockerCluster(pull="sometimes")
