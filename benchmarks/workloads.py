"""The workloads of the table. Each uses only what both libraries offer, and is run in a contender's environment.

This module is imported by every worker, so it imports nothing heavy itself.
"""

import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import sdk_workloads as sdk
from benchmarks import security_workloads as security
from benchmarks import shuffle_workloads as shuffle
from benchmarks import stealing_workloads as stealing
from benchmarks.measure import Bench, WarmWatch, Watch

MEBIBYTE = 2**20
CLIENTS = 8
# Seconds that the slowest step of any workload may take; a longer step counts as hanging.
PATIENCE_SECONDS = 300
RELEASE_SECONDS = 10
# Sizes in MiB, and how often each is moved. One more time comes first and is not counted: connections are opened then,
# and memory that was never used costs a machine, and a virtual one even more, several times what moving data costs.
LARGE = ((64, 7), (512, 3))


def inc(number: int) -> int:
    """Return the next number, as a trivial task."""
    return number + 1


def add(left: int, right: int) -> int:
    """Return a sum, as a trivial task with two dependencies."""
    return left + right


def nothing(value: object) -> None:
    """Require `value` on the worker, without using it."""


def make_array(mebibytes: int, seed: int) -> Any:
    """Return a new array of the given size in MiB that is not constant."""
    import numpy

    return numpy.arange(seed, seed + mebibytes * MEBIBYTE // 8, dtype="int64")


def submit_latency(bench: Bench) -> None:
    """One task at a time, each from `submit` to `result`."""
    laps: list[float] = []
    for number in bench.fresh(20):
        bench.client.submit(inc, number).result()
    watch = Watch()
    with watch:
        for number in bench.fresh(bench.size(200)):
            start = time.perf_counter()
            bench.client.submit(inc, number).result()
            laps.append(time.perf_counter() - start)
    bench.record("submit_latency", statistics.median(laps) * 1000, watch)


def chain(bench: Bench) -> None:
    """A graph in which each task waits for the one before it."""
    numbers = bench.fresh(bench.size(1_000))
    graph: dict[str, object] = {f"chain-{numbers[0]}": (inc, 0)}
    for number in numbers[1:]:
        graph[f"chain-{number}"] = (inc, f"chain-{number - 1}")
    watch = Watch()
    with watch:
        answer = bench.client.get(graph, f"chain-{numbers[-1]}")
    assert answer == len(numbers)
    bench.record("chain_step", watch.seconds / len(numbers) * 1000, watch)


def map_and_gather(bench: Bench, metric: str, asked: int) -> None:
    """One `map` of trivial tasks, and the `gather` of all results."""
    numbers = bench.fresh(bench.size(asked))
    watch = Watch()
    with watch:
        results = bench.client.gather(bench.client.map(inc, numbers))
    assert results[-1] == numbers[-1] + 1
    bench.record(metric, len(numbers) / watch.seconds, watch)


def map_10k(bench: Bench) -> None:
    """See `map_and_gather`."""
    map_and_gather(bench, "map_10k", 10_000)


def map_100k(bench: Bench) -> None:
    """See `map_and_gather`; ten times as many tasks show whether the rate stays constant."""
    map_and_gather(bench, "map_100k", 100_000)


def submit_tree(bench: Bench) -> None:
    """A reduction, submitted task by task."""
    numbers = bench.fresh(bench.size(2_048))
    watch = Watch()
    with watch:
        level = [bench.client.submit(inc, number) for number in numbers]
        tasks = len(level)
        while len(level) > 1:
            odd = level[-1:] if len(level) % 2 else []
            level = [bench.client.submit(add, *pair) for pair in zip(level[::2], level[1::2], strict=False)]
            tasks += len(level)
            level += odd
        answer = level[0].result()
    assert answer == sum(numbers) + len(numbers)
    bench.record("submit_tree", tasks / watch.seconds, watch)


def as_completed(bench: Bench) -> None:
    """Futures in the order in which they finish."""
    numbers = bench.fresh(bench.size(2_000))
    watch = Watch()
    with watch:
        futures = bench.client.map(inc, numbers)
        count = sum(1 for _ in bench.library.as_completed(futures))
    assert count == len(numbers)
    bench.record("as_completed", count / watch.seconds, watch)


def get_graph(bench: Bench) -> None:
    """A graph of independent tasks, as a plain dict."""
    numbers = bench.fresh(bench.size(5_000))
    graph = {("plain", number): (inc, number) for number in numbers}
    watch = Watch()
    with watch:
        results = bench.client.get(graph, list(graph))
    assert results[-1] == numbers[-1] + 1
    bench.record("get_graph", len(numbers) / watch.seconds, watch)


def delayed(bench: Bench) -> None:
    """`dask.delayed` calls and their sum, including dask's own time to build the graph."""
    from dask.delayed import delayed as lazily

    numbers = bench.fresh(bench.size(5_000))
    watch = Watch()
    with watch:
        parts = [lazily(inc)(number) for number in numbers]
        answer = lazily(sum)(parts).compute(scheduler=bench.client)
    assert answer == sum(numbers) + len(numbers)
    bench.record("delayed", len(numbers) / watch.seconds, watch)


def array_sum(bench: Bench) -> None:
    """A sum over an array plus its transpose, in which each block needs its transposed block."""
    import dask.array

    array: Any = dask.array
    side = 4_000 if bench.divisor == 1 else 1_000
    blocks = array.random.random((side, side), chunks=(100, 100))
    expression = (blocks + blocks.T).sum()
    watch = Watch()
    with watch:
        answer = expression.compute(scheduler=bench.client)
    assert abs(answer / side**2 - 1) < 0.01
    bench.record("array_sum", watch.seconds, watch)


def move_between_workers(bench: Bench, mebibytes: int, laps: int) -> Watch:
    """Time a trivial task that depends on an array on the other worker."""
    holder, taker = bench.worker_addresses()
    watch = WarmWatch()
    for number in bench.fresh(1 + laps):
        array = bench.client.submit(make_array, mebibytes, number, workers=[holder])
        bench.library.wait(array, timeout=PATIENCE_SECONDS)
        with watch:
            bench.client.submit(nothing, array, workers=[taker]).result()
        del array
        bench.drain()
    return watch


def transfer(bench: Bench) -> None:
    """Transfers of arrays of three sizes from one worker to the other, including the round trip of the task."""
    watch = move_between_workers(bench, 1, bench.size(20))
    bench.record("transfer_1mib", statistics.median(watch.laps) * 1000, watch)
    for mebibytes, laps in LARGE:
        watch = move_between_workers(bench, mebibytes, bench.size(laps))
        bench.record(f"transfer_{mebibytes}mib", mebibytes / statistics.median(watch.laps), watch)


def gather_large(bench: Bench) -> None:
    """A transfer of one array from a worker to the client."""
    for mebibytes, laps in LARGE:
        watch = WarmWatch()
        for number in bench.fresh(1 + bench.size(laps)):
            array = bench.client.submit(make_array, mebibytes, number)
            bench.library.wait(array, timeout=PATIENCE_SECONDS)
            with watch:
                value = bench.client.gather(array)
            assert value.nbytes == mebibytes * MEBIBYTE
            del array, value
            bench.drain()
        bench.record(f"gather_{mebibytes}mib", mebibytes / statistics.median(watch.laps), watch)


def scatter_large(bench: Bench) -> None:
    """A transfer of one array from the client to a worker, including the hash for the key, which `scatter` computes."""
    for mebibytes, laps in LARGE:
        watch = WarmWatch()
        for number in bench.fresh(1 + bench.size(laps)):
            value = make_array(mebibytes, number)
            with watch:
                future = bench.client.scatter(value)
            del future, value
            bench.drain()
        bench.record(f"scatter_{mebibytes}mib", mebibytes / statistics.median(watch.laps), watch)


def gather_small(bench: Bench) -> None:
    """A `gather` of many small results that are finished already."""
    numbers = bench.fresh(bench.size(5_000))
    futures = bench.client.map(inc, numbers)
    bench.library.wait(futures, timeout=PATIENCE_SECONDS)
    watch = Watch()
    with watch:
        results = bench.client.gather(futures)
    assert results[-1] == numbers[-1] + 1
    bench.record("gather_small", len(numbers) / watch.seconds, watch)


def eight_clients(bench: Bench) -> None:
    """Eight clients in threads of one process that map and gather concurrently."""
    count = bench.size(500)
    address = bench.cluster.scheduler_address
    clients = [bench.library.Client(address, set_as_default=False) for _ in range(CLIENTS)]
    ready = threading.Barrier(CLIENTS + 1, timeout=PATIENCE_SECONDS)
    answers: list[int] = []

    def work(client: Any, numbers: range) -> None:
        ready.wait()
        answers.append(sum(client.gather(client.map(inc, numbers))) - sum(numbers))

    threads = [threading.Thread(target=work, args=(client, bench.fresh(count))) for client in clients]
    try:
        for thread in threads:
            thread.start()
        watch = Watch()
        with watch:
            ready.wait()
            for thread in threads:
                thread.join(PATIENCE_SECONDS)
        assert answers == [count] * CLIENTS
    finally:
        for client in clients:
            client.close()
    bench.record("eight_clients", CLIENTS * count / watch.seconds, watch)


def startup(bench: Bench) -> None:
    """The start of a cluster of separate processes and a client, up to the first result, without imports."""
    # As `from ... import Client, LocalCluster` does at the top of a program: dagrpc imports what is behind a name when
    # it is first used, distributed when it is itself imported.
    start_cluster, connect = bench.library.LocalCluster, bench.library.Client
    watch = Watch()
    with watch:
        cluster = start_cluster(n_workers=2, threads_per_worker=1)
        client = connect(cluster)
        answer = client.submit(inc, 1).result()
    assert answer == 2
    client.close()
    cluster.close()
    bench.record("startup", watch.seconds, watch)


def scheduler_memory(bench: Bench) -> None:
    """Resident memory of a scheduler process before, while and after it holds many results."""
    import psutil

    cluster = bench.start_cluster()
    with bench.library.Client(cluster) as client:
        scheduler = psutil.Process(client.run_on_scheduler(os.getpid))
        assert scheduler.pid != os.getpid(), "the scheduler shares this process; its memory cannot be told apart"
        # Memory that is allocated once is not memory per result.
        client.gather(client.map(inc, bench.fresh(1_000)))
        time.sleep(1)
        before = scheduler.memory_info().rss
        count = bench.size(10_000)
        watch = Watch()
        with watch:
            futures = client.map(inc, bench.fresh(count))
            bench.library.wait(futures, timeout=PATIENCE_SECONDS)
        per_10k = 10_000 / count / MEBIBYTE
        held = scheduler.memory_info().rss - before
        bench.record("memory_held", held * per_10k, watch)
        del futures
        left = held
        deadline = time.monotonic() + RELEASE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.5)
            left = min(left, scheduler.memory_info().rss - before)
        bench.record("memory_left", left * per_10k, watch)
    cluster.close()


def scheduler_core(bench: Bench) -> None:
    """Run the scheduler's core in isolation: events in, instructions out; see scheduler_core.py."""
    import gc

    from benchmarks.scheduler_core import GRAPHS, measure_time

    # As the scheduler's process sets them.
    gc.set_threshold(100_000, 50, 100)
    sizes = (("core", 10_000, 10, 3), ("core_wide", 10_000, 1_000, 3), ("core_long", 1_000_000, 10, 2))
    for metric, tasks, workers, repeats in sizes:
        watch = Watch()
        with watch:
            best = min(measure_time(GRAPHS["fan-out"], bench.size(tasks), workers) for _ in range(repeats))
        bench.record(metric, best, watch)


@dataclass(frozen=True)
class Workload:
    """A workload and its place in the benchmark.

    Attributes
    ----------
    group
        Workloads of one group share a cluster, one after the other; the contenders alternate group by group.
    own_cluster
        The workload starts the clusters that it needs itself.
    slow_for_peer
        It takes minutes with distributed; left out there unless everything is asked for.
    ours_only
        It measures a part of dagrpc that distributed has no counterpart of.
    """

    run: Callable[[Bench], None]
    group: str
    own_cluster: bool = False
    slow_for_peer: bool = False
    ours_only: bool = False

    @property
    def name(self) -> str:
        """The workload's name for the option `--only`."""
        return self.run.__name__


WORKLOADS = (
    Workload(submit_latency, "tasks"),
    Workload(map_10k, "tasks"),
    Workload(as_completed, "tasks"),
    Workload(submit_tree, "tasks"),
    Workload(eight_clients, "tasks"),
    Workload(map_100k, "many tasks", slow_for_peer=True),
    Workload(chain, "graphs"),
    Workload(get_graph, "graphs"),
    Workload(delayed, "graphs"),
    Workload(array_sum, "graphs"),
    Workload(transfer, "data"),
    Workload(gather_large, "data"),
    Workload(scatter_large, "data"),
    Workload(gather_small, "data"),
    Workload(sdk.actor_call, "actors"),
    Workload(sdk.actor_calls, "actors"),
    Workload(sdk.coordination, "coordination"),
    Workload(sdk.async_burst, "asynchronous"),
    Workload(sdk.embedded_data, "embedded"),
    Workload(shuffle.shuffle_tasks, "shuffles"),
    Workload(shuffle.shuffle_p2p, "shuffles"),
    Workload(shuffle.merge_tasks, "shuffles"),
    Workload(shuffle.merge_p2p, "shuffles"),
    Workload(shuffle.set_index_tasks, "shuffles"),
    Workload(shuffle.set_index_p2p, "shuffles"),
    Workload(shuffle.rechunk_tasks, "shuffles"),
    Workload(shuffle.rechunk_p2p, "shuffles"),
    Workload(security.secured, "security", own_cluster=True, ours_only=True),
    Workload(stealing.skewed_durations, "stealing", own_cluster=True),
    Workload(stealing.late_workers, "stealing", own_cluster=True),
    Workload(startup, "start", own_cluster=True),
    Workload(scheduler_memory, "memory", own_cluster=True),
    Workload(scheduler_core, "core", own_cluster=True, ours_only=True),
)

BY_NAME = {workload.name: workload for workload in WORKLOADS}
