"""Measures the cost per task of the worker's core in isolation.

    python benchmarks/worker_core.py [--tasks 20000] [--rounds 5]

Three shapes: trivial tasks whose events come one by one; the same in batches; tasks that each fetch a result.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterable

from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.core.events import ComputeRequested, Event, ExecuteSucceeded, GatherSucceeded, KeysFreed
from dagrpc_worker.core.instructions import Execute, GatherData, Instruction
from dagrpc_worker.core.machine import WorkerCore


def trivial_one_by_one(tasks: int) -> float:
    """Request, execute, finish and free each task by separate events."""
    core = WorkerCore("10.0.0.1:1000", 2)
    keys = [f"inc-{number:08x}" for number in range(tasks)]
    requests = [ComputeRequested(key, number, (0.0, 1.0, float(number)), b"work") for number, key in enumerate(keys)]
    ends = [ExecuteSucceeded(key, number, 28, "int", 0.0, 2e-5) for number, key in enumerate(keys)]
    frees = [KeysFreed((key,)) for key in keys]
    handle = core.handle
    start = time.process_time()
    for request, end, free in zip(requests, ends, frees, strict=True):
        handle(request, 0.0)
        handle(end, 0.0)
        handle(free, 0.0)
    return time.process_time() - start


def trivial_in_batches(tasks: int, size: int = 64) -> float:
    """Request, execute, finish and free tasks in batches, as on a loaded worker, including the events' construction."""
    core = WorkerCore("10.0.0.1:1000", 2)
    keys = [f"inc-{number:08x}" for number in range(tasks)]
    handle_batch = core.handle_batch
    start = time.process_time()
    pending: list[Event] = []
    ended: list[str] = []
    for first in range(0, tasks, size):
        batch = pending
        if ended:
            batch.append(KeysFreed(ended))
        for number in range(first, min(first + size, tasks)):
            batch.append(ComputeRequested(keys[number], number, (0.0, 1.0, float(number)), b"work"))
        pending, ended = _carry_out(handle_batch, batch)
    while pending or ended:
        batch = pending
        if ended:
            batch.append(KeysFreed(ended))
        pending, ended = _carry_out(handle_batch, batch)
    elapsed = time.process_time() - start
    assert not core.view.managed_keys(), core.view.counts()
    return elapsed


def _carry_out(
    handle_batch: Callable[[Iterable[Event], float], list[Instruction]], batch: Iterable[Event]
) -> tuple[list[Event], list[str]]:
    """Handle a batch; return the events that end the runs it starts."""
    ends: list[Event] = []
    keys: list[str] = []
    for instruction in handle_batch(batch, 0.0):
        if type(instruction) is Execute:
            ends.append(ExecuteSucceeded(instruction.key, instruction.run_id, 28, "int", 0.0, 2e-5))
            keys.append(instruction.key)
    return ends, keys


def with_fetches(tasks: int) -> float:
    """Run tasks that each fetch one result from one of eight peers; free the task and the result."""
    core = WorkerCore("10.0.0.1:1000", 2, config=WorkerCoreConfig())
    peers = [(f"10.0.0.{number}:1000",) for number in range(2, 10)]
    requests: list[Event] = [
        ComputeRequested(
            f"add-{number:08x}",
            number,
            (0.0, 1.0, float(number)),
            b"work",
            ((f"load-{number:08x}", 1000, peers[number % 8]),),
        )
        for number in range(tasks)
    ]
    start = time.process_time()
    for first in range(0, tasks, 64):
        queue = list(core.handle_batch(requests[first : first + 64], 0.0))
        while queue:
            events: list[Event] = []
            for instruction in queue:
                if type(instruction) is Execute:
                    events.append(ExecuteSucceeded(instruction.key, instruction.run_id, 28, "int", 0.0, 2e-5))
                    events.append(KeysFreed((instruction.key, *instruction.dependencies)))
                elif type(instruction) is GatherData:
                    events.append(GatherSucceeded(instruction.worker, dict.fromkeys(instruction.keys, 1000)))
            queue = core.handle_batch(events, 0.0) if events else []
    elapsed = time.process_time() - start
    assert not core.view.managed_keys(), core.view.counts()
    return elapsed


def main() -> None:
    """Print the best of several rounds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    gc.set_threshold(100_000, 50, 100)
    for measure in (trivial_one_by_one, trivial_in_batches, with_fetches):
        best = min(measure(arguments.tasks) for _ in range(arguments.rounds))
        print(f"{measure.__name__:20} {best / arguments.tasks * 1e6:6.2f} µs a task")


if __name__ == "__main__":
    main()
