"""A scheduler core that validates itself, with short methods for its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.machine import SchedulerCore

A, B, C = "a:1", "b:1", "c:1"
"""Addresses of workers, each on its own host."""

_E = TypeVar("_E")


def of_type(kind: type[_E], result: Iterable[object]) -> list[_E]:
    """Return the instructions of one kind."""
    return [instruction for instruction in result if isinstance(instruction, kind)]


def finished(key: str, client: str = "c", *, nbytes: int = 10, payload: Any = None) -> instructions.ReportFinished:
    """Return the report that `Scheduler.finish` leads to."""
    return instructions.ReportFinished(client, key, "int", nbytes, payload)


class Scheduler:
    """A core with one client, ``c``, and the runs that the core has assigned."""

    def __init__(self, workers: Sequence[str] = (), *, nthreads: int = 1, **config: Any) -> None:
        self.core = SchedulerCore(CoreConfig(**config), validate=True)
        self.now = 0.0
        self.graphs = 0
        self.runs: dict[str, tuple[str, int]] = {}
        self.send(events.ClientAdded("c"))
        for address in workers:
            self.worker(address, nthreads)

    # --- what happens ---

    def send(self, *batch: events.Event) -> list[instructions.Instruction]:
        """Handle one batch, and record the assigned runs."""
        result = self.core.handle_batch(batch, self.now)
        for instruction in result:
            if isinstance(instruction, instructions.ComputeTask):
                self.runs[instruction.key] = instruction.worker, instruction.run_id
        return result

    def client(self, name: str) -> list[instructions.Instruction]:
        return self.send(events.ClientAdded(name))

    def worker(self, address: str, nthreads: int = 1, **facts: Any) -> list[instructions.Instruction]:
        facts.setdefault("host", address.partition(":")[0])
        facts.setdefault("name", f"name-of-{address}")
        return self.send(events.WorkerAdded(address, nthreads=nthreads, **facts))

    def lose(self, address: str, *, expected: bool = False) -> list[instructions.Instruction]:
        return self.send(events.WorkerRemoved(address, expected, "test"))

    def status(self, address: str, status: str) -> list[instructions.Instruction]:
        return self.send(events.WorkerStatusChanged(address, status))

    def submit(
        self,
        graph: Mapping[str, str],
        *,
        wanted: Iterable[str] | None = None,
        client: str = "c",
        options: events.TaskOptions = events.NO_OPTIONS,
        orders: Mapping[str, int] | None = None,
        graph_id: str = "",
        last: bool = True,
        fifo_timeout: float = 60.0,
        **fields: Any,
    ) -> list[instructions.Instruction]:
        """Submit tasks, given as dependencies (separated by blanks) by key. The last task is wanted by default."""
        self.graphs += 1
        keys = list(graph)
        wants = keys[-1:] if wanted is None else list(wanted)
        places = orders or {key: place for place, key in enumerate(keys)}
        tasks = [
            events.NewTask(
                key, needs.split(), f"work of {key}", options=options, order=places[key], wanted=key in wants
            )
            for key, needs in graph.items()
        ]
        graph_id = graph_id or f"graph {self.graphs}"
        return self.send(events.GraphSubmitted(client, graph_id, tasks, last, {}, fifo_timeout, **fields))

    def finish(
        self, *keys: str, nbytes: int = 10, seconds: float = 1.0, payload: Any = None
    ) -> list[instructions.Instruction]:
        """Let the workers of these tasks finish them."""
        return self.send(*[self.finish_event(key, nbytes, seconds, payload) for key in keys])

    def finish_event(
        self, key: str, nbytes: int = 10, seconds: float = 1.0, payload: Any = None
    ) -> events.TaskFinished:
        worker, run_id = self.runs.pop(key)
        return events.TaskFinished(worker, key, run_id, nbytes, "int", 100.0, 100.0 + seconds, payload)

    def fail(self, key: str, failure: Any = "boom") -> list[instructions.Instruction]:
        worker, run_id = self.runs.pop(key)
        return self.send(events.TaskErred(worker, key, run_id, failure))

    def want(self, *keys: str, client: str = "c") -> list[instructions.Instruction]:
        return self.send(events.KeysWanted(client, keys))

    def release(self, *keys: str, client: str = "c") -> list[instructions.Instruction]:
        return self.send(events.KeysReleased(client, keys))

    def cancel(self, *keys: str, client: str = "c", force: bool = False) -> list[instructions.Instruction]:
        return self.send(events.KeysCancelled(client, keys, force, "user", "never mind"))

    def retry(self, *keys: str) -> list[instructions.Instruction]:
        return self.send(events.KeysRetried("c", keys))

    def scatter(self, key: str, *workers: str, nbytes: int = 10, client: str = "c") -> list[instructions.Instruction]:
        """Announce data and upload it to workers."""
        result = self.send(events.ScatterAnnounced(client, {key: nbytes}))
        for worker in workers:
            result += self.send(events.ReplicasAdded(worker, {key: nbytes}))
        return result

    # --- what there is ---

    def states(self) -> dict[str, str]:
        return {key: task.state for key, task in self.core.tasks.items()}

    def state(self, key: str) -> str:
        task = self.core.tasks.get(key)
        return task.state if task is not None else "forgotten"

    def holders(self, key: str) -> list[str]:
        return [worker.address for worker in self.core.tasks[key].who_has]

    def place(self, key: str) -> str:
        """Return the worker that a task is assigned to; empty: none."""
        worker = self.core.tasks[key].processing_on
        return worker.address if worker is not None else ""

    def is_empty(self) -> bool:
        """Tell whether no trace of any task is left."""
        state = self.core.state
        workers = state.workers.values()
        rest = (
            state.tasks,
            state.groups,
            state.unrunnable,
            state.pending_scatters,
            state.shared_blobs.values,
            state.queue.size,
        )
        return not any(rest) and not any(worker.has_what or worker.processing for worker in workers)
