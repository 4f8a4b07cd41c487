"""Futures that travel: into tasks and out of them, from worker to worker, from one client to another."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dagrpc import Client, Future, FutureCancelledError, LocalCluster, get_client, wait, worker_client

WAIT = 60.0


@pytest.fixture(scope="module", params=["processes", "in process"])
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """A cluster with a single thread."""
    processes = request.param == "processes"
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=processes, memory_limit=0) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


def run(client: Client, function: Callable[..., Any], *args: Any) -> Any:
    return client.submit(function, *args, pure=False).result(WAIT)


def inc(x: int) -> int:
    return x + 1


class Box:
    def __init__(self, content: Any) -> None:
        self.content = content


def open_box(box: Box) -> tuple[bool, int]:
    future = box.content
    with worker_client() as client:
        return future.client is client, future.result(WAIT) + client.submit(inc, future).result(WAIT)


def test_a_future_in_an_opaque_object_is_the_worker_s(client: Client) -> None:
    future = client.submit(inc, 1)
    assert run(client, open_box, Box(future)) == (True, 5)


def test_futures_at_any_depth_are_results(client: Client) -> None:
    future = client.submit(inc, 1)
    nested = {"a": [future, (future, {"b": {3}}), [[[future]]]], "c": future}
    assert run(client, repr, nested) == "{'a': [2, (2, {'b': {3}}), [[[2]]]], 'c': 2}"


def start_one(x: int) -> Any:
    return get_client().submit(inc, x)


def start_many(x: int) -> dict[str, Any]:
    return {"all": get_client().map(inc, range(x, x + 3)), "blob": b"x" * 200_000}


def read_all(found: dict[str, Any]) -> list[int]:
    with worker_client() as client:
        return list(client.gather(found["all"]))


def test_a_task_can_return_futures(cluster: LocalCluster, client: Client) -> None:
    future = run(client, start_one, 40)
    assert isinstance(future, Future)
    assert future.client is client
    assert future.result(WAIT) == 41
    with Client(cluster, set_as_default=False) as other:
        future = run(other, start_one, 41)
        assert future.client is other
        assert future.result(WAIT) == 42
        many = other.submit(start_many, 50)
        assert {future.client for future in many.result(WAIT)["all"]} == {other}
        assert run(other, read_all, many) == [51, 52, 53]


def test_futures_travel_between_workers() -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, memory_limit=0) as cluster:
        first, second = Client(cluster), Client(cluster, set_as_default=False)
        with first, second:
            here, there = first.scheduler_info()["workers"]
            many = first.submit(start_many, 60, workers=here)
            read = first.submit(read_all, many, workers=there)
            assert read.result(WAIT) == [61, 62, 63]
            assert first.submit(read_all, many, workers=here, pure=False).result(WAIT) == [61, 62, 63]


def slow_inc(x: int) -> int:
    time.sleep(0.1)
    return x + 1


def test_a_future_of_one_client_is_an_argument_for_another(cluster: LocalCluster, client: Client) -> None:
    with Client(cluster, set_as_default=False) as other:
        for number in range(20):
            # Let go of at once, and not there yet.
            assert other.submit(inc, client.submit(inc, number, pure=False)).result(WAIT) == number + 2
        future = client.submit(slow_inc, 1, pure=False)
        mapped = other.map(inc, [future, future])
        del future
        assert other.gather(mapped) == [3, 3]
        copy = client.submit(inc, 5)
        wait(copy, WAIT)
        with other.as_current():
            moved = pickle.loads(pickle.dumps(copy))
        assert moved.client is other
        assert other.gather([moved]) == [6]
        with pytest.raises(ValueError, match="another client"):
            other.gather(copy)


def test_a_future_of_another_cluster_is_refused(client: Client) -> None:
    elsewhere = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, memory_limit=0)
    with elsewhere, Client(elsewhere, set_as_default=False) as other:
        future = client.submit(inc, 1)
        with pytest.raises(ValueError, match="another cluster"):
            other.submit(inc, future)


def test_a_future_can_arrive_before_its_submission(client: Client, cluster: LocalCluster) -> None:
    with Client(cluster, set_as_default=False) as other:
        early = Future("arrives-later", other)
        assert other.who_has([early]) == {"arrives-later": []} or early.status == "pending"
        client_future = client.submit(inc, 1, key="arrives-later")
        assert early.result(WAIT) == 2
        assert client_future.result(WAIT) == 2


def test_a_future_of_what_nobody_submits_is_cancelled(client: Client) -> None:
    with pytest.raises(FutureCancelledError, match="does not know"):
        Future("never-submitted", client).result(WAIT)
