"""Measures the cost per task of the scheduler's core, without any network.

Simulated workers answer immediately, in batches as large as on a busy cluster. The core's clock stands still; only
the durations that the workers report vary.

    python benchmarks/scheduler_core.py --quick
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from dagrpc_scheduler.core.events import (
    ClientAdded,
    Event,
    GraphSubmitted,
    KeysReleased,
    NewTask,
    TaskFinished,
    WorkerAdded,
)
from dagrpc_scheduler.core.instructions import ComputeTask, Instruction
from dagrpc_scheduler.core.machine import SchedulerCore

PART = 4_000
"""Number of tasks in a message of a graph, which is about 1 MiB."""
BATCH = 32
"""Number of reports in a batch."""
DURATION = 50e-6
WORK = b"work"

Graph = Callable[[int], Iterator[NewTask]]


def fan_out(count: int) -> Iterator[NewTask]:
    """Yield independent tasks, like those of `client.map(inc, range(count))`."""
    for number in range(count):
        yield NewTask(f"inc-{number:032x}", (), WORK, order=number, wanted=True)


def chains(count: int) -> Iterator[NewTask]:
    """Yield chains of 100 tasks, whose last tasks are wanted."""
    length = 100
    for number in range(count):
        dependencies = (f"inc-{number - 1:032x}",) if number % length else ()
        last = number % length == length - 1 or number == count - 1
        yield NewTask(f"inc-{number:032x}", dependencies, WORK, order=number, wanted=last)


def tree(count: int) -> Iterator[NewTask]:
    """Yield a reduction: leaves and a binary tree of sums."""
    level = [f"('leaf-0a1b2c3d', {number})" for number in range((count + 1) // 2)]
    for number, key in enumerate(level):
        yield NewTask(key, (), WORK, order=number)
    made, depth = len(level), 0
    while len(level) > 1:
        depth += 1
        parents = [f"('sum-{depth}-0a1b2c3d', {number})" for number in range((len(level) + 1) // 2)]
        for number, key in enumerate(parents):
            pair = tuple(level[2 * number : 2 * number + 2])
            yield NewTask(key, pair, WORK, order=made, wanted=len(parents) == 1)
            made += 1
        level = parents


GRAPHS: dict[str, Graph] = {"fan-out": fan_out, "chains": chains, "tree": tree}


def parts(tasks: Iterator[NewTask]) -> Iterator[GraphSubmitted]:
    """Split a graph into messages as a client would; a message is freed after it has been handled."""
    part = list(islice(tasks, PART))
    while part:
        coming = list(islice(tasks, PART))
        yield GraphSubmitted("client", "graph", part, not coming, stimulus="s")
        part = coming


class Cluster:
    """Simulated workers that finish every task immediately."""

    def __init__(self, workers: int, nthreads: int = 1) -> None:
        """Start a scheduler with this many workers and one client."""
        self.core = SchedulerCore()
        self.seconds = 0.0
        self.finished = 0
        self.pending: list[ComputeTask] = []
        self.handle([ClientAdded("client")])
        self.handle([WorkerAdded(f"10.0.{n // 250}.{n % 250}:4000", f"w{n}", nthreads) for n in range(workers)])

    def handle(self, events: Iterable[Event]) -> None:
        """Let the core handle a batch, and add up its CPU time, which other processes disturb less than wall time."""
        start = time.process_time()
        instructions: list[Instruction] = self.core.handle_batch(events, 0.0)
        self.seconds += time.process_time() - start
        self.pending += [instruction for instruction in instructions if type(instruction) is ComputeTask]

    def answer(self, limit: int = BATCH) -> None:
        """Finish the tasks that were assigned first."""
        batch, self.pending = self.pending[:limit], self.pending[limit:]
        self.finished += len(batch)
        self.handle(
            [
                TaskFinished(task.worker, task.key, task.run_id, 28, "int", 1.0, 1.0 + DURATION, b"payload", "s")
                for task in batch
            ]
        )

    def run(self, tasks: Iterator[NewTask]) -> None:
        """Run a graph and release its results."""
        wanted: list[str] = []
        for part in parts(tasks):
            wanted += [task.key for task in part.tasks if task.wanted]
            self.handle([part])
            self.answer()
        while self.pending:
            # With many workers, many reports arrive in one turn of the loop.
            self.answer(max(BATCH, len(self.core.state.workers) * 4))
        for start in range(0, len(wanted), PART):
            self.handle([KeysReleased("client", wanted[start : start + PART], "s")])
        assert not self.core.tasks, f"{len(self.core.tasks)} tasks are left"


def measure_time(graph: Graph, count: int, workers: int) -> float:
    """Return the core's microseconds per task, from the submission to the end of the task."""
    cluster = Cluster(workers)
    cluster.seconds = 0.0
    cluster.run(graph(count))
    assert cluster.finished >= count, f"{cluster.finished} of {count} tasks were run"
    return cluster.seconds / cluster.finished * 1e6


def measure_memory(graph: Graph, count: int, workers: int) -> tuple[float, float]:
    """Return the core's bytes per task before the task runs, and while its result is held.

    What the messages brought, the key and the work, is not counted.
    """
    tasks = list(graph(count))
    for task in tasks:
        task.wanted = True
    cluster = Cluster(workers)
    gc.collect()
    tracemalloc.start()
    for part in parts(iter(tasks)):
        cluster.handle([part])
    first, cluster.pending = cluster.pending, []
    gc.collect()
    submitted = tracemalloc.get_traced_memory()[0] / len(tasks)
    cluster.pending = first
    while cluster.pending:
        cluster.answer(max(BATCH, workers * 4))
    gc.collect()
    held = tracemalloc.get_traced_memory()[0] / len(tasks)
    tracemalloc.stop()
    return submitted, held


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave out the largest sizes")
    parser.add_argument("--graph", choices=sorted(GRAPHS), action="append", help="measure only this one")
    parser.add_argument("--repeat", type=int, default=1, help="print the best of so many runs")
    arguments = parser.parse_args()
    # As the scheduler's process sets them.
    gc.set_threshold(100_000, 50, 100)

    sizes = [10_000, 100_000] if arguments.quick else [10_000, 100_000, 1_000_000]
    print(f"{'graph':<10}{'tasks':>10}{'workers':>9}{'us/task':>9}")
    for name in arguments.graph or list(GRAPHS):
        for count in sizes:
            for workers in (10, 100, 1000):
                best = min(measure_time(GRAPHS[name], count, workers) for _ in range(arguments.repeat))
                print(f"{name:<10}{count:>10,}{workers:>9,}{best:>9.1f}", flush=True)
    print(f"\n{'graph':<10}{'bytes/task, submitted':>24}{'in memory':>12}")
    for name in arguments.graph or list(GRAPHS):
        submitted, held = measure_memory(GRAPHS[name], 50_000, 10)
        print(f"{name:<10}{submitted:>24.0f}{held:>12.0f}", flush=True)


if __name__ == "__main__":
    main()
