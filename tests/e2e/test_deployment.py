"""`make image`, `make up`, a job through the published port, `make down`: what an operator does, on a real engine."""

import os
import subprocess
import uuid
from collections.abc import Iterator

import dask.array as da
import pytest

from dagrpc import Client
from tests.support.docker_engine import BASE_IMAGE, missing_for_image, run, succeeds
from tests.support.ports import free_port

WORKERS = 2
START_SECONDS = 120
TASKS = 1_000

pytestmark = pytest.mark.timeout(900)


def missing() -> str:
    """Return what this machine lacks for a deployment; nothing if it has all."""
    if reason := missing_for_image():
        return reason
    if not succeeds("docker-compose", "version") and not succeeds("docker", "compose", "version"):
        return "there is a Docker engine, but neither `docker compose` nor `docker-compose`"
    return ""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address, on this machine, of a scheduler with two workers, all in containers."""
    if reason := missing():
        pytest.skip(reason)
    port = free_port()
    project = f"dagrpc-test-{uuid.uuid4().hex[:8]}"
    image = f"{project}:latest"
    environment = {"DAGRPC_PORT": str(port), "COMPOSE_PROJECT_NAME": project}
    make = ("make", f"IMAGE={image}", f"BASE_IMAGE={BASE_IMAGE}")
    try:
        run(*make, f"WORKERS={WORKERS}", "up", environment=environment)
        yield f"127.0.0.1:{port}"
    finally:
        run(*make, "down", environment=environment)
        subprocess.run(["docker", "image", "rm", "--force", image], capture_output=True, timeout=60, check=False)
    left = run("docker", "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project}")
    assert left == "", "make down left containers behind"


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[Client]:
    """A client on this machine of the cluster in the containers."""
    with Client(address, timeout=START_SECONDS) as client:
        client.wait_for_workers(WORKERS, timeout=START_SECONDS)
        yield client


def test_every_container_has_a_worker(client: Client) -> None:
    hosts = {worker["host"] for worker in client.scheduler_info()["workers"].values()}
    assert len(hosts) == WORKERS


def test_a_job_runs_on_all_of_them(client: Client) -> None:
    # Functions that every Python has: the image need not have the one that runs the tests.
    squares = client.map(pow, range(TASKS), [2] * TASKS)
    assert client.submit(sum, squares).result(timeout=60) == sum(number**2 for number in range(TASKS))
    assert client.gather(squares[:10]) == [number**2 for number in range(10)]
    busy = [address for address, keys in client.has_what().items() if keys]
    assert len(busy) == WORKERS


def test_results_move_between_containers(client: Client) -> None:
    one, other = sorted(client.nthreads())
    parts = [client.submit(bytes, 2**20, workers=[one], pure=False), client.submit(bytes, 2**20, workers=[other])]
    both = client.submit(b"".join, parts, workers=[other])
    assert client.submit(len, both).result(timeout=60) == 2 * 2**20


def test_large_data_comes_and_goes_through_the_published_port(client: Client) -> None:
    data = os.urandom(8 * 2**20)
    future = client.scatter(data)
    assert client.gather(future) == data
    assert client.submit(len, future).result(timeout=60) == len(data)


def test_collections_run(client: Client) -> None:
    ones = da.ones((400, 400), chunks=(100, 100))
    assert (ones + ones.T).sum().compute() == 2 * 400 * 400
