"""`make image`, `make up`, a job through the published port, `make down`: what an operator does, on a real engine."""

import os
import urllib.request
from collections.abc import Iterator

import dask.array as da
import pytest

from dagrpc import Client
from tests.support.compose import Composed, composed, missing_for_compose
from tests.support.docker_engine import run
from tests.support.waiting import eventually

WORKERS = 2
START_SECONDS = 120
TASKS = 1_000

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Composed]:
    """A scheduler with two workers, all in containers."""
    if reason := missing_for_compose():
        pytest.skip(reason)
    with composed(WORKERS) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(cluster: Composed) -> Iterator[Client]:
    """A client on this machine of the cluster in the containers."""
    with Client(cluster.address, timeout=START_SECONDS) as client:
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


def test_the_dashboard_and_the_metrics_are_published(cluster: Composed, client: Client) -> None:
    with urllib.request.urlopen(f"{cluster.dashboard}/metrics", timeout=30) as answer:
        assert "dask_scheduler_workers" in answer.read().decode()
    with urllib.request.urlopen(f"{cluster.dashboard}/status", timeout=30) as answer:
        assert answer.status == 200


def worker_containers(cluster: Composed) -> list[str]:
    label = "label=com.docker.compose"
    filters = ("--filter", f"{label}.project={cluster.project}", "--filter", f"{label}.service=worker")
    return run("docker", "ps", "--quiet", *filters).split()


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_a_worker_that_ends_is_started_again_and_nothing_is_lost(
    cluster: Composed, client: Client, signal: str
) -> None:
    client.wait_for_workers(WORKERS, timeout=START_SECONDS)
    squares = client.map(pow, range(200), [3] * 200)
    client.gather(squares)
    # From within: the engine does not start a container again that an operator has killed.
    run("docker", "exec", worker_containers(cluster)[0], "sh", "-c", f"kill -{signal} -1")
    more = client.map(pow, range(200), [4] * 200)
    assert client.gather(more) == [number**4 for number in range(200)]
    assert client.gather(squares) == [number**3 for number in range(200)]
    eventually(lambda: len(client.scheduler_info()["workers"]) == WORKERS, START_SECONDS)


def test_a_container_that_stands_still_does_not_lose_results(cluster: Composed, client: Client) -> None:
    client.wait_for_workers(WORKERS, timeout=START_SECONDS)
    container = worker_containers(cluster)[0]
    run("docker", "pause", container)
    try:
        squares = client.map(pow, range(200), [5] * 200)
    finally:
        run("docker", "unpause", container)
    assert client.gather(squares) == [number**5 for number in range(200)]
