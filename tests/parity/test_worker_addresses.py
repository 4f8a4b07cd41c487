"""Workers as they are named: addresses as pairs, addresses of nobody; functions on the scheduler that nobody awaits."""

from __future__ import annotations

import time
from typing import Any

import dask
import pytest

from tests.parity.functions import inc

PATIENCE = 60


def pair(address: str) -> tuple[str, int]:
    host, port = address.rpartition("://")[2].rsplit(":", 1)
    return host, int(port)


@pytest.fixture
def worker(client: Any) -> str:
    return str(next(iter(client.nthreads())))


def test_an_address_may_be_a_pair(client: Any, worker: str) -> None:
    given = [pair(worker)]
    futures = client.scatter([1, 2], workers=given)
    assert client.who_has(futures) == {future.key: (worker,) for future in futures}
    future = client.submit(inc, 1, workers=given, pure=False)
    assert future.result(timeout=PATIENCE) == 2
    mapped = client.map(inc, range(3), workers=given, pure=False)
    assert client.gather(mapped) == [1, 2, 3]
    computed = client.compute(dask.delayed(inc)(1), workers=given)
    assert computed.result(timeout=PATIENCE) == 2
    for one in (future, *mapped, computed):
        assert client.who_has(one) == {one.key: (worker,)}
    assert client.nthreads(workers=given) == {worker: 2}
    assert client.has_what(workers=given).keys() == {worker}
    assert client.processing(workers=given) == {worker: ()}


def test_keys_of_workers_come_in_tuples(client: Any, worker: str) -> None:
    future = client.submit(inc, 10, workers=[worker], pure=False)
    future.result(timeout=PATIENCE)
    assert client.who_has([future]) == {future.key: (worker,)}
    assert future.key in client.has_what(workers=[worker])[worker]
    assert all(isinstance(keys, tuple) for keys in client.has_what().values())
    assert all(isinstance(keys, tuple) for keys in client.processing().values())


def test_nobody_holds_nothing(client: Any) -> None:
    (keys,) = client.has_what(workers=["127.0.0.1:1"]).values()
    assert keys == ()
    assert client.nthreads(workers=["127.0.0.1:1"]) == {}


def test_functions_on_the_scheduler_need_not_be_waited_for(client: Any) -> None:
    async def mark(dask_scheduler: Any, topic: str) -> str:
        dask_scheduler.log_event(topic, "done")
        return "not told"

    assert client.run_on_scheduler(mark, topic="unattended", wait=False) is None
    deadline = time.monotonic() + PATIENCE
    while not client.get_events("unattended") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [message for _, message in client.get_events("unattended")] == ["done"]
    assert client.run_on_scheduler(mark, topic="attended", wait=True) == "not told"
