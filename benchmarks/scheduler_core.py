"""What the scheduler's core costs per task, without any network.

Simulated workers answer at once, in batches like those of a busy cluster. The clock that the core sees stands still
but for the durations that the workers report.

    python benchmarks/scheduler_core.py --quick
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator

from dagrpc_scheduler.core.effects import ComputeTask, Effect
from dagrpc_scheduler.core.events import (
    ClientAdded,
    Event,
    GraphSubmitted,
    KeysReleased,
    NewTask,
    TaskFinished,
    WorkerAdded,
)
from dagrpc_scheduler.core.machine import SchedulerCore

PART = 4_000
"""Tasks in a part of a graph; of such tasks, about 1 MiB."""
BATCH = 32
"""Reports that reach the scheduler together."""
DURATION = 50e-6
WORK = b"work"

Graph = Callable[[int], tuple[list[NewTask], list[str]]]


def fan_out(count: int) -> tuple[list[NewTask], list[str]]:
    """Return independent tasks, like those of `client.map(inc, range(count))`."""
    tasks = [NewTask(f"inc-{number:032x}", (), WORK, order=number, wanted=True) for number in range(count)]
    return tasks, [task.key for task in tasks]


def chains(count: int) -> tuple[list[NewTask], list[str]]:
    """Return chains of 100 tasks, of which the last ones are wanted."""
    length = 100
    tasks = []
    for number in range(count):
        dependencies = (f"inc-{number - 1:032x}",) if number % length else ()
        last = number % length == length - 1 or number == count - 1
        tasks.append(NewTask(f"inc-{number:032x}", dependencies, WORK, order=number, wanted=last))
    return tasks, [task.key for task in tasks if task.wanted]


def tree(count: int) -> tuple[list[NewTask], list[str]]:
    """Return a reduction: leaves, and sums of two until one is left."""
    tasks: list[NewTask] = []
    level = [f"('leaf-0a1b2c3d', {number})" for number in range((count + 1) // 2)]
    tasks += [NewTask(key, (), WORK, order=number) for number, key in enumerate(level)]
    depth = 0
    while len(level) > 1:
        depth += 1
        parents = []
        for number in range(0, len(level), 2):
            key = f"('sum-{depth}-0a1b2c3d', {number // 2})"
            tasks.append(NewTask(key, tuple(level[number : number + 2]), WORK, order=len(tasks)))
            parents.append(key)
        level = parents
    tasks[-1].wanted = True
    return tasks, level


GRAPHS: dict[str, Graph] = {"fan-out": fan_out, "chains": chains, "tree": tree}


def parts(tasks: list[NewTask]) -> Iterator[GraphSubmitted]:
    """Cut a graph into the messages in which it would arrive."""
    for start in range(0, len(tasks), PART):
        yield GraphSubmitted("client", "graph", tasks[start : start + PART], start + PART >= len(tasks), stimulus="s")


class Cluster:
    """Workers that finish every task as soon as they are asked to."""

    def __init__(self, workers: int, nthreads: int = 1) -> None:
        """Start a scheduler with this many workers and one client."""
        self.core = SchedulerCore()
        self.seconds = 0.0
        self.finished = 0
        self.pending: list[ComputeTask] = []
        self.handle([ClientAdded("client")])
        self.handle([WorkerAdded(f"10.0.{n // 250}.{n % 250}:4000", f"w{n}", nthreads) for n in range(workers)])

    def handle(self, events: Iterable[Event]) -> None:
        """Have the core handle a batch, and take the CPU time, which other processes disturb less."""
        start = time.process_time()
        effects: list[Effect] = self.core.handle_batch(events, 0.0)
        self.seconds += time.process_time() - start
        self.pending += [effect for effect in effects if type(effect) is ComputeTask]

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

    def run(self, tasks: list[NewTask], wanted: list[str]) -> None:
        """Run a graph and release its results."""
        for part in parts(tasks):
            self.handle([part])
            self.answer()
        while self.pending:
            # With many workers, many reports arrive in one turn of the loop.
            self.answer(max(BATCH, len(self.core.state.workers) * 4))
        for start in range(0, len(wanted), PART):
            self.handle([KeysReleased("client", wanted[start : start + PART], "s")])
        assert not self.core.tasks, f"{len(self.core.tasks)} tasks are left"


def measure_time(graph: Graph, count: int, workers: int) -> float:
    """Return the microseconds that a task takes the core, from its submission to its end."""
    tasks, wanted = graph(count)
    cluster = Cluster(workers)
    cluster.seconds = 0.0
    cluster.run(tasks, wanted)
    assert cluster.finished == len(tasks), f"{cluster.finished} of {len(tasks)} tasks were run"
    return cluster.seconds / len(tasks) * 1e6


def measure_memory(graph: Graph, count: int, workers: int) -> tuple[float, float]:
    """Return the bytes that the core holds for a task before it is run, and while its result is held.

    What the messages brought, the key and the work, is not counted.
    """
    tasks, _ = graph(count)
    for task in tasks:
        task.wanted = True
    cluster = Cluster(workers)
    gc.collect()
    tracemalloc.start()
    for part in parts(tasks):
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
