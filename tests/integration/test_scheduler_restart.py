"""Clients survive the end of their scheduler if another one answers at its address in time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dask
import pytest

from dagrpc import (
    Client,
    CommClosedError,
    Event,
    FutureCancelledError,
    FuturesCancelledError,
    LocalCluster,
    Lock,
    Queue,
    Variable,
    as_completed,
    wait,
)
from dagrpc.exceptions import ClosedClientError
from tests.support.clusters import ROOT, inc
from tests.support.ports import free_port
from tests.support.waiting import eventually

LOST = "connection to the scheduler at .* was lost, since"


class Place:
    """An address at which one scheduler follows another, with workers that look for it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.others: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start a scheduler."""
        self.scheduler = self._run("scheduler", "--host", "127.0.0.1", "--port", str(self.port))

    def start_worker(self) -> None:
        """Start a worker."""
        self.others.append(self._run("worker", self.address, "--nthreads", "1", "--host", "127.0.0.1"))

    def end(self, number: signal.Signals) -> None:
        """End the scheduler."""
        assert self.scheduler is not None
        self.scheduler.send_signal(number)
        self.scheduler.wait(timeout=60)

    def close(self) -> None:
        """End all processes."""
        for process in (*self.others, self.scheduler):
            if process is not None and process.poll() is None:
                process.terminate()
        for process in (*self.others, self.scheduler):
            if process is not None:
                try:
                    process.wait(timeout=60)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", "from dagrpc.cli import main; main()", *arguments]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    place.start()
    try:
        yield place
    finally:
        place.close()


def outcome(call: Callable[[], Any]) -> Any:
    """Return the result of a call, or the exception that the call raises."""
    try:
        return call()
    except Exception as error:
        return error


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("number", "pause"), [(signal.SIGKILL, 0.0), (signal.SIGTERM, 0.0), (signal.SIGKILL, 2.0)])
def test_a_client_goes_on_with_the_next_scheduler(place: Place, number: signal.Signals, pause: float) -> None:
    place.start_worker()
    with Client(place.address) as client:
        done = client.submit(inc, 1)
        assert done.result(timeout=60) == 2
        place.end(number)
        eventually(lambda: client.status == "connecting")
        eventually(lambda: done.status == "cancelled")
        meanwhile = client.submit(inc, 41)
        time.sleep(pause)
        place.start()
        eventually(lambda: client.status == "running")
        place.start_worker()
        # With functions and keys that the scheduler before knew, too.
        assert client.gather([client.submit(inc, 1), client.submit(inc, 2), meanwhile]) == [2, 3, 42]
        with pytest.raises(FutureCancelledError, match=LOST):
            done.result(timeout=10)
        with pytest.raises(FutureCancelledError, match="lost dependencies"):
            client.submit(inc, done).result(timeout=60)


@pytest.mark.timeout(120)
def test_all_waiters_learn_that_the_connection_is_lost(place: Place) -> None:
    with Client(place.address) as client, ThreadPoolExecutor(20) as pool:
        futures = client.map(inc, range(2))
        names = iter("abcdef")
        waiting: dict[str, Any] = {
            "result": futures[0].result,
            "gather": lambda: client.gather(futures),
            "skip": lambda: client.gather(futures, errors="skip"),
            "wait": lambda: wait(futures),
            "completed": lambda: [future.status for future in as_completed(futures)],
            "with results": lambda: [
                result for _, result in as_completed(futures, with_results=True, raise_errors=False)
            ],
            "awaited": lambda: asyncio.run(awaited(futures[0])),
            "queue": Queue(next(names), client=client).get,
            "variable": Variable(next(names), client=client).get,
            "event": Event(next(names), client=client).wait,
        }
        ends = {name: pool.submit(outcome, call) for name, call in waiting.items()}
        time.sleep(0.3)
        place.end(signal.SIGKILL)
        found = {name: end.result(timeout=30) for name, end in ends.items()}
        for name in ("result", "gather", "awaited"):
            assert type(found[name]) is FutureCancelledError, (name, found[name])
            assert found[name].reason == "scheduler-connection-lost"
        assert type(found["wait"]) is FuturesCancelledError
        assert found["skip"] == []
        assert found["completed"] == ["cancelled", "cancelled"]
        assert {type(error) for error in found["with results"]} == {FutureCancelledError}
        for name in ("queue", "variable", "event"):
            assert type(found[name]) is CommClosedError, (name, found[name])
        for name in ("result", "gather", "awaited", "wait", "queue", "variable", "event"):
            assert "the connection to the scheduler at" in str(found[name]).lower(), (name, found[name])
        # That does not change while there is none.
        with pytest.raises(FutureCancelledError, match=LOST):
            client.gather(futures)


async def awaited(future: Any) -> Any:
    return await future


@pytest.mark.timeout(120)
def test_locks_queues_and_variables_can_be_used_with_the_next_scheduler(place: Place) -> None:
    with Client(place.address) as client:
        future = client.submit(inc, 1)
        lock, queue = Lock("lock", client=client), Queue("queue", client=client)
        variable, event = Variable("variable", client=client), Event("event", client=client)
        assert lock.acquire(timeout=30)
        variable.set(5)
        place.end(signal.SIGKILL)
        eventually(lambda: future.status == "cancelled")
        place.start()
        queue.put(3, timeout=30)
        assert queue.get(timeout=30) == 3
        assert Lock("lock", client=client).acquire(timeout=30), "nobody holds it any more"
        with pytest.raises(TimeoutError):
            variable.get(timeout=0.1)
        variable.set(6)
        assert variable.get(timeout=30) == 6
        event.set()
        assert event.wait(timeout=30)


@pytest.mark.timeout(120)
def test_an_asynchronous_client_goes_on_with_the_next_scheduler(place: Place) -> None:
    async def main() -> None:
        async with Client(place.address, asynchronous=True) as client:
            future = client.submit(inc, 1)
            await asyncio.to_thread(place.end, signal.SIGKILL)
            with pytest.raises(FutureCancelledError, match=LOST):
                await future
            late = client.submit(inc, 2)
            place.start()
            place.start_worker()
            assert await asyncio.wait_for(late.result(), 60) == 3
            assert client.status == "running"

    asyncio.run(main())


@pytest.mark.timeout(120)
def test_a_client_that_finds_no_other_scheduler_is_closed_and_says_why(place: Place) -> None:
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        client = Client(place.address, timeout="60s")
        future = client.submit(inc, 0)
        place.end(signal.SIGKILL)
        eventually(lambda: future.status == "cancelled")
        meanwhile = client.submit(inc, 1)
        with pytest.raises(FutureCancelledError, match="none has answered there for"):
            client.gather([meanwhile])
        eventually(lambda: client.status == "closed")
        place.start()
        with pytest.raises(ClosedClientError, match=r"connection to the scheduler .* was lost.* Make a new one"):
            client.submit(inc, 2)
        client.close()
        with Client(place.address, timeout="60s") as other:
            assert other.status == "running"


@pytest.mark.timeout(60)
def test_a_cluster_that_closes_is_not_waited_for() -> None:
    cluster = LocalCluster(n_workers=0)
    client = Client(cluster)
    future = client.submit(inc, 1)
    threading.Timer(0.2, cluster.close).start()
    with pytest.raises(FutureCancelledError, match=r"was lost, since it has stopped \(its cluster closes\)"):
        client.gather([future])
    eventually(lambda: client.status == "closed")
