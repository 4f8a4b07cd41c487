"""Waves of small tasks with release between them: do scheduler, workers and client return to where they were?

Each wave is `map`, `gather` and release. After it the memory of every process is measured, what the scheduler holds is
counted, and after the last one all that is to be zero has to be. A table goes to the standard output.
"""

from __future__ import annotations

import argparse
import gc
import time
from typing import Any

from dagrpc import Client, LocalCluster
from dagrpc._memory.process_memory import used_memory

MIB = 2**20
_SETTLE = 60.0
"""Seconds in which the cluster must forget released tasks."""


def increment(number: int) -> int:
    """Return the next number."""
    return number + 1


def scheduler_state(dask_scheduler: Any) -> dict[str, int]:
    """Return the size of the scheduler's state of tasks, and the bytes that its process uses."""
    import gc as garbage

    from dagrpc._memory.process_memory import used_memory as measured
    from dagrpc_scheduler.core.state import SchedulerState

    garbage.collect()
    (state,) = [found for found in garbage.get_objects() if type(found) is SchedulerState]
    names = [
        "tasks",
        "groups",
        "unrunnable",
        "pending_scatters",
        "unknown_keys",
        "complete_graphs",
        "uncomputable",
        "cancelled",
    ]
    sizes = {name: len(getattr(state, name)) for name in names}
    sizes["queue"] = state.queue.size
    # Clients keep functions for later submissions.
    sizes["shared"] = len(state.shared_blobs.values) - len(
        {key for c in state.clients.values() for key in c.held_shared}
    )
    sizes["wants"] = sum(len(client.wants) for client in state.clients.values())
    sizes["has_what"] = sum(len(worker.has_what) for worker in state.workers.values())
    sizes["processing"] = sum(len(worker.processing) for worker in state.workers.values())
    return {**sizes, "memory": measured()}


def worker_state(dask_worker: Any) -> dict[str, int]:
    """Return the size of a worker's state of tasks, and the bytes that its process uses."""
    import gc as garbage

    from dagrpc._memory.process_memory import used_memory as measured
    from dagrpc_worker.core.model import TaskState

    garbage.collect()
    tasks = sum(type(found) is TaskState for found in garbage.get_objects())
    return {"tasks": tasks, "results": len(dask_worker.data), "memory": measured()}


def held_after_release(client: Client) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Return the state of scheduler and workers once all tasks and results are released, or at the deadline."""
    deadline = time.monotonic() + _SETTLE
    while True:
        scheduler = client.run_on_scheduler(scheduler_state)
        workers = client.run(worker_state)
        left = sum(count for name, count in scheduler.items() if name != "memory")
        left += sum(worker["tasks"] + worker["results"] for worker in workers.values())
        if not left or time.monotonic() > deadline:
            return scheduler, workers
        time.sleep(0.2)


def main() -> int:
    """Run the waves, print a table, and return 1 if the cluster still holds state of tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--wave", type=int, default=50_000)
    arguments = parser.parse_args()
    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        print("| tasks | scheduler MiB | workers MiB | client MiB | seconds |\n|---|---|---|---|---|", flush=True)
        begun = time.monotonic()
        for wave in range(arguments.tasks // arguments.wave + 1):
            if wave:
                futures = client.map(increment, range(arguments.wave), pure=False)
                assert client.gather(futures) == list(range(1, arguments.wave + 1))
                del futures
            seconds = time.monotonic() - begun
            scheduler, workers = held_after_release(client)
            gc.collect()
            memory = [scheduler["memory"], sum(worker["memory"] for worker in workers.values()), used_memory()]
            cells = [f"{wave * arguments.wave:,}", *(f"{nbytes / MIB:.1f}" for nbytes in memory), f"{seconds:.0f}"]
            print(f"| {' | '.join(cells)} |", flush=True)
    left = {name: count for name, count in scheduler.items() if count and name != "memory"}
    left_on_workers = {address: worker for address, worker in workers.items() if worker["tasks"] or worker["results"]}
    print(f"left behind: {(left, left_on_workers) if left or left_on_workers else 'nothing'}")
    return 1 if left or left_on_workers else 0


if __name__ == "__main__":
    raise SystemExit(main())
