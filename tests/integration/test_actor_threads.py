"""Methods of actors run in order on the threads of their worker, beyond the guarantees of distributed."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dagrpc import Client, LocalCluster, get_client


class Counter:
    """Is not safe for several threads."""

    def __init__(self) -> None:
        self.n = 0

    def increment(self) -> int:
        seen = self.n
        time.sleep(0.01)
        self.n = seen + 1
        return self.n

    def relay(self, depth: int, others: list[Any]) -> int:
        """Wait for another actor through the client, which waits for the next."""
        if depth == 0:
            return self.increment()
        return int(get_client().sync(others[0].relay, depth - 1, others))

    def many(self, other: Any) -> list[int]:
        async def gathered() -> list[int]:
            return list(await asyncio.gather(*(other.increment() for _ in range(10))))

        return list(get_client().sync(gathered))

    def thread(self) -> str:
        return threading.current_thread().name


def actors(client: Client, count: int) -> list[Any]:
    worker = next(iter(client.scheduler_info()["workers"]))
    return [client.submit(Counter, actor=True, workers=[worker]).result(timeout=60) for _ in range(count)]


def test_methods_that_wait_for_others_wait_one_behind_the_other(client: Client) -> None:
    first, second = actors(client, 2)
    assert first.relay(5, [second, first]).result(timeout=60) == 1


def test_calls_awaited_together_run_one_by_one_and_in_order(client: Client) -> None:
    first, second = actors(client, 2)
    assert first.many(second).result(timeout=60) == list(range(1, 11))


def test_no_threads_stay_behind(client: Client) -> None:
    first, second = actors(client, 2)
    first.many(second).result(timeout=60)

    def asides() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.endswith("aside-1")]

    deadline = time.monotonic() + 30
    while any(client.run(asides).values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(client.run(asides).values())


def test_attributes_of_objects_can_be_read_by_asynchronous_clients(client: Client) -> None:
    async def body() -> None:
        assert client.scheduler is not None
        async with Client(client.scheduler.address, asynchronous=True) as other:
            counter = await other.submit(Counter, actor=True)
            assert await counter.increment() == 1
            # Only the object has it, not its class.
            assert await counter.n == 1
            assert hasattr(counter, "n")
            assert not hasattr(counter, "m")

    asyncio.run(asyncio.wait_for(body(), 60))


def test_the_executor_of_actors_can_be_replaced(fresh_cluster: LocalCluster) -> None:
    def replace(dask_worker: Any) -> None:
        dask_worker.executors["actor"] = ThreadPoolExecutor(1, thread_name_prefix="mine")

    with Client(fresh_cluster) as client:
        client.run(replace)
        first, second = actors(client, 2)
        assert first.thread().result(timeout=60).startswith("mine")
        assert first.relay(3, [second, first]).result(timeout=60) == 1
