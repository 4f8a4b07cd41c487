"""The manifests on a real Kubernetes: workers come and go in the middle of work, and nothing is lost."""

from __future__ import annotations

import operator
import subprocess
import time
import uuid
from collections.abc import Iterator

import pytest

from dagrpc import Client, Future
from tests.support.kubernetes import Namespace, applied, image_for_tests, missing_for_kubernetes
from tests.support.waiting import eventually

LIMIT = 180
TASKS = 120

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    if reason := missing_for_kubernetes():
        pytest.skip(reason)
    with image_for_tests() as name:
        yield name


@pytest.fixture(scope="module")
def cluster(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A scheduler with two workers."""
    with applied(image, tmp_path_factory.mktemp("kustomization")) as found:
        yield found


@pytest.fixture
def client(cluster: Namespace) -> Iterator[Client]:
    """A client of the cluster, which has two workers again."""
    cluster.scale(2)
    with Client(cluster.scheduler_address(), timeout=LIMIT) as client:
        await_workers(client, 2)
        yield client


def await_workers(client: Client, count: int) -> None:
    eventually(lambda: len(client.scheduler_info()["workers"]) == count, LIMIT, f"the cluster has not {count} workers")


def squares(client: Client, base: int) -> list[Future]:
    """Submit a graph that takes some seconds, of functions that every Python has."""
    slept = client.map(time.sleep, [0.1 + base * 1e-9] * TASKS, pure=False)
    powers = client.map(pow, range(base, base + TASKS), [2] * TASKS)
    return [client.submit(operator.getitem, pair, 1) for pair in zip(slept, powers, strict=True)]


def expected(base: int) -> list[int]:
    return [number**2 for number in range(base, base + TASKS)]


def await_some(futures: list[Future]) -> None:
    eventually(lambda: any(future.done() for future in futures), LIMIT, "no task is done")


def test_workers_are_those_of_the_pods(cluster: Namespace, client: Client) -> None:
    workers = client.scheduler_info()["workers"].values()
    assert {worker["id"] for worker in workers} == set(cluster.pods("worker"))
    assert {worker["memory_limit"] for worker in workers} == {2 * 2**30}
    assert {worker["nthreads"] for worker in workers} == {1}


def test_results_are_kept_while_workers_are_scaled(cluster: Namespace, client: Client) -> None:
    uploaded = client.scatter(list(range(50)), hash=False)
    before = squares(client, 1000)
    assert client.gather(before) == expected(1000)
    cluster.scale(5)
    await_workers(client, 5)
    during = squares(client, 2000)
    await_some(during)
    cluster.scale(1)
    assert client.gather(during) == expected(2000)
    await_workers(client, 1)
    # What was uploaded cannot be computed again: it has moved.
    assert client.gather(uploaded) == list(range(50))
    assert client.gather(before) == expected(1000)


def test_a_pod_that_is_killed_in_the_middle_of_a_graph_costs_no_result(cluster: Namespace, client: Client) -> None:
    futures = squares(client, 3000)
    await_some(futures)
    cluster.kubectl("delete", "pod", cluster.pods("worker")[0], "--grace-period=0", "--force")
    assert client.gather(futures) == expected(3000)
    await_workers(client, 2)


def test_a_pod_that_is_drained_in_the_middle_of_a_graph_hands_over(cluster: Namespace, client: Client) -> None:
    uploaded = client.scatter(list(range(60)), hash=False)
    futures = squares(client, 4000)
    await_some(futures)
    cluster.kubectl("delete", "pod", cluster.pods("worker")[0])
    assert client.gather(futures) == expected(4000)
    assert client.gather(uploaded) == list(range(60))
    await_workers(client, 2)


def test_an_update_under_load_loses_nothing(image: str, cluster: Namespace, client: Client) -> None:
    another = f"{image.rpartition(':')[0]}:{uuid.uuid4().hex[:8]}"
    subprocess.run(["docker", "tag", image, another], check=True, timeout=60)
    try:
        uploaded = client.scatter(list(range(70)), hash=False)
        before = squares(client, 5000)
        assert client.gather(before) == expected(5000)
        old = set(cluster.pods("worker"))
        during = squares(client, 6000)
        cluster.kubectl("set", "image", "deployment/dagrpc-worker", f"worker={another}")
        cluster.await_rollout("worker")
        assert client.gather(during) == expected(6000)
        eventually(lambda: old.isdisjoint(names_of(client)), LIMIT, "an old worker stays")
        await_workers(client, 2)
        assert client.gather(uploaded) == list(range(70))
        assert client.gather(before) == expected(5000)
        cluster.kubectl("set", "image", "deployment/dagrpc-worker", f"worker={image}")
        cluster.await_rollout("worker")
    finally:
        subprocess.run(["docker", "image", "rm", another], capture_output=True, timeout=60, check=False)


def names_of(client: Client) -> set[str]:
    return {worker["id"] for worker in client.scheduler_info()["workers"].values()}


def test_a_client_goes_on_with_a_new_scheduler(cluster: Namespace, client: Client) -> None:
    lost = client.submit(pow, 2, 10)
    assert lost.result(timeout=LIMIT) == 1024
    cluster.kubectl("delete", "pod", cluster.pods("scheduler")[0])
    cluster.await_rollout("scheduler")
    # A scheduler keeps its state in memory: its results are gone, and the client says so.
    eventually(lambda: lost.status != "finished", LIMIT, "the client has not noticed")
    eventually(lambda: client.status == "running", LIMIT, "the client has not found the new scheduler")
    await_workers(client, 2)
    assert client.submit(pow, 2, 11).result(timeout=LIMIT) == 2048
