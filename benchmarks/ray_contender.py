"""Runs the workloads of README.md with Ray, in an environment that has it. Started by ray_comparison.py.

Prints the same lines as contender.py. Ray runs on this machine with two processors, thus up to two tasks at once, which
is its counterpart of two workers with one thread each.
"""

import argparse
import importlib
import importlib.metadata
import os
import platform
import statistics
import sys
import time
from typing import Any

import psutil

from benchmarks.contender import say
from benchmarks.measure import Bench, WarmWatch, Watch
from benchmarks.shuffle_workloads import KEYS, PARTITIONS, ROWS, counted, make_frames
from benchmarks.workloads import MEBIBYTE, inc, make_array, nothing

CONTROL_PROCESSES = ("gcs_server", "raylet")
"""The processes of Ray that do the work of a scheduler."""


class Holder:
    """An actor: a process of its own, which makes arrays or uses them."""

    def make(self, mebibytes: int, seed: int) -> Any:
        """Return an array."""
        return make_array(mebibytes, seed)

    def use(self, value: Any) -> None:
        """Require an array."""
        nothing(value)


def submit_latency(bench: Bench, ray: Any) -> None:
    """One task at a time, each from `remote` to `get`."""
    task = ray.remote(inc)
    for number in bench.fresh(20):
        ray.get(task.remote(number))
    laps: list[float] = []
    watch = Watch()
    with watch:
        for number in bench.fresh(bench.size(200)):
            start = time.perf_counter()
            ray.get(task.remote(number))
            laps.append(time.perf_counter() - start)
    bench.record("submit_latency", statistics.median(laps) * 1000, watch)


def map_10k(bench: Bench, ray: Any) -> None:
    """Many trivial tasks, and one `get` of all results."""
    task = ray.remote(inc)
    numbers = bench.fresh(bench.size(10_000))
    watch = Watch()
    with watch:
        results = ray.get([task.remote(number) for number in numbers])
    assert results[-1] == numbers[-1] + 1
    bench.record("map_10k", len(numbers) / watch.seconds, watch)


def transfer(bench: Bench, ray: Any) -> None:
    """A call of one actor with an array that another actor made, which both read in Ray's shared memory."""
    maker, user = (ray.remote(Holder).options(num_cpus=0).remote() for _ in range(2))
    mebibytes, laps = 64, 7
    watch = WarmWatch()
    for number in bench.fresh(1 + bench.size(laps)):
        array = maker.make.remote(mebibytes, number)
        ray.wait([array], fetch_local=False)
        with watch:
            ray.get(user.use.remote(array))
        del array
    for actor in (maker, user):
        ray.kill(actor)
    bench.record("transfer_64mib", mebibytes / statistics.median(watch.laps), watch)


def merge_tasks(bench: Bench, _: Any) -> None:
    """The same merge of dask dataframes, whose tasks Ray runs ("Dask on Ray")."""
    get = importlib.import_module("ray.util.dask").ray_dask_get
    counted(make_frames(bench, 4).shuffle("key", shuffle_method="tasks")).compute(scheduler=get)
    left, right = make_frames(bench, PARTITIONS), make_frames(bench, PARTITIONS // 2)[["key", "x"]]
    watch = Watch()
    with watch:
        merged = left.merge(right, on="key", shuffle_method="tasks", broadcast=False)
        answer = counted(merged).compute(scheduler=get)
    # Each key is as frequent as any other.
    expected = PARTITIONS * PARTITIONS // 2 * (ROWS // bench.divisor) ** 2 / KEYS
    assert abs(answer / expected - 1) < 0.1
    bench.record("merge_tasks", watch.seconds, watch)


def control_memory() -> int:
    """Return the resident bytes of Ray's control processes."""
    found = [each for each in psutil.Process().children(recursive=True) if each.name() in CONTROL_PROCESSES]
    assert {each.name() for each in found} == set(CONTROL_PROCESSES)
    return sum(each.memory_info().rss for each in found)


def scheduler_memory(bench: Bench, ray: Any) -> None:
    """Growth of the control processes, and of this process, while it holds many results."""
    task = ray.remote(inc)
    ray.get([task.remote(number) for number in bench.fresh(1_000)])
    time.sleep(1)
    own = psutil.Process()
    before, own_before = control_memory(), own.memory_info().rss
    count = bench.size(10_000)
    watch = Watch()
    with watch:
        results = [task.remote(number) for number in bench.fresh(count)]
        ray.wait(results, num_returns=count, timeout=300)
    per_10k = 10_000 / count / MEBIBYTE
    bench.record("memory_held", (control_memory() - before) * per_10k, watch)
    bench.record("driver_memory_held", (own.memory_info().rss - own_before) * per_10k, watch)


WORKLOADS = {each.__name__: each for each in (submit_latency, map_10k, transfer, merge_tasks, scheduler_memory)}


def main() -> int:
    """Run the workloads that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--library", choices=("ray",), required=True)
    parser.add_argument("--divisor", type=int, default=1)
    parser.add_argument("workloads", nargs="+", choices=sorted(WORKLOADS))
    options = parser.parse_args()
    # A cluster on the loopback interface, like the others: without a token and without usage statistics.
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    ray = importlib.import_module("ray")
    versions = {name: importlib.metadata.version(name) for name in ("ray", "dask", "numpy", "pandas")}
    say(versions={"Python": platform.python_version(), **versions})

    bench = Bench(ray, lambda: None, lambda sample: say(sample=sample.as_json()), options.divisor)
    succeeded = True
    for name in options.workloads:
        # As with the other contenders, a small number of tasks comes first, and each leg has a cluster of its own.
        ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
        task = ray.remote(inc)
        ray.get([task.remote(number) for number in bench.fresh(200)])
        try:
            WORKLOADS[name](bench, ray)
        except Exception as error:
            say(workload=name, error=f"{type(error).__name__}: {error}"[:500])
            succeeded = False
        ray.shutdown()
    return 0 if succeeded else 1


if __name__ == "__main__":
    sys.exit(main())
