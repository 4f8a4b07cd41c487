"""Workloads of what the SDK offers beside graphs: actors, coordination, asynchronous clients, data in graphs.

As in workloads.py, each uses only what both libraries offer, and nothing heavy is imported.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.measure import Bench, Watch

MEBIBYTE = 2**20
EMBEDDED = 50


def inc(number: int) -> int:
    """Return the next number, as a trivial task."""
    return number + 1


def size_of(data: bytes) -> int:
    """Return a result that depends on all of `data`."""
    return len(data)


class Counter:
    """An actor whose method is trivial."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, number: int) -> int:
        """Increment the count."""
        self.count += number
        return self.count


def median_lap(bench: Bench, metric: str, laps: int, lap: Callable[[], object]) -> None:
    """Record the median lap in milliseconds, after a few laps that are not counted."""
    for _ in range(20):
        lap()
    seconds: list[float] = []
    watch = Watch()
    with watch:
        for _ in range(bench.size(laps)):
            start = time.perf_counter()
            lap()
            seconds.append(time.perf_counter() - start)
    bench.record(metric, statistics.median(seconds) * 1000, watch)


def actor_call(bench: Bench) -> None:
    """Calls of an actor's method, each after the return of the previous call."""
    future = bench.client.submit(Counter, actor=True)
    counter = future.result()
    median_lap(bench, "actor_call", 1_000, lambda: counter.add(1).result())
    # distributed does not release an actor whose proxy is gone.
    future.cancel()


def actor_calls(bench: Bench) -> None:
    """Concurrent calls of an actor's method."""
    future = bench.client.submit(Counter, actor=True)
    counter = future.result()
    counter.add(0).result()
    count = bench.size(2_000)
    watch = Watch()
    with watch:
        calls = [counter.add(1) for _ in range(count)]
        answers = [call.result() for call in calls]
    assert sorted(answers) == list(range(1, count + 1))
    bench.record("actor_calls", count / watch.seconds, watch)
    future.cancel()


def coordination(bench: Bench) -> None:
    """Pairs of operations on a queue, a variable and a lock, each after the return of the previous operation."""
    queue, variable, lock = bench.library.Queue(), bench.library.Variable(), bench.library.Lock()

    def put_and_get() -> None:
        queue.put(1)
        assert queue.get() == 1

    def set_and_get() -> None:
        variable.set(1)
        assert variable.get() == 1

    def acquire_and_release() -> None:
        assert lock.acquire()
        lock.release()

    median_lap(bench, "queue_pair", 300, put_and_get)
    median_lap(bench, "variable_pair", 300, set_and_get)
    median_lap(bench, "lock_pair", 300, acquire_and_release)


def async_burst(bench: Bench) -> None:
    """Tasks of an asynchronous client, awaited concurrently, each by a coroutine of its own."""
    numbers = bench.fresh(bench.size(2_000))
    watch = Watch()

    async def one(client: Any, number: int) -> int:
        answer: int = await client.submit(inc, number)
        return answer

    async def burst() -> list[int]:
        address = bench.cluster.scheduler_address
        async with bench.library.Client(address, asynchronous=True, set_as_default=False) as client:
            await one(client, -1)
            with watch:
                return await asyncio.gather(*(one(client, number) for number in numbers))

    assert asyncio.run(burst()) == [number + 1 for number in numbers]
    bench.record("async_burst", len(numbers) / watch.seconds, watch)


def embedded_data(bench: Bench) -> None:
    """A graph with embedded data, 50 MiB in 50 tasks."""
    number = bench.fresh(1)[0]
    count = bench.size(EMBEDDED)
    parts = [bytes([number % 256, part]) * (MEBIBYTE // 2) for part in range(count)]
    graph = {f"embedded-{number}-{part}": (size_of, data) for part, data in enumerate(parts)}
    watch = Watch()
    with watch:
        sizes = bench.client.get(graph, list(graph))
    assert list(sizes) == [MEBIBYTE] * count
    bench.record("embedded_data", count / watch.seconds, watch)
