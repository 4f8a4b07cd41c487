"""Workloads whose tasks must move to other workers: skewed durations, and workers that join late."""

import time

import dask

from benchmarks.measure import Bench, Watch

_INFINITE = {"distributed.scheduler.worker-saturation": float("inf")}


def uneven(number: int) -> int:
    """Sleep for 50 ms, or for a second in a few tasks that are close to each other."""
    time.sleep(1.0 if number % 10 == 0 and number % 1_000 < 40 else 0.05)
    return number


def even(number: int) -> int:
    """Sleep for 100 ms."""
    time.sleep(0.1)
    return number


def skewed_durations(bench: Bench) -> None:
    """120 tasks, of which four take twenty times as long, submitted at once to four workers."""
    library = bench.library
    watch = Watch()
    with (
        dask.config.set(_INFINITE),
        library.LocalCluster(n_workers=4, threads_per_worker=1) as cluster,
        library.Client(cluster) as client,
    ):
        client.gather(client.map(abs, range(8)))
        with watch:
            client.gather(client.map(uneven, range(120), pure=False))
    bench.record("skewed_durations", watch.seconds, watch)


def late_workers(bench: Bench) -> None:
    """60 tasks on a single worker; three more workers join later."""
    library = bench.library
    watch = Watch()
    with (
        dask.config.set(_INFINITE),
        library.LocalCluster(n_workers=1, threads_per_worker=1) as cluster,
        library.Client(cluster) as client,
    ):
        futures = client.map(even, range(60), pure=False)
        client.submit(abs, 1, priority=1).result()
        with watch:
            cluster.scale(4)
            client.gather(futures)
    bench.record("late_workers", watch.seconds, watch)
