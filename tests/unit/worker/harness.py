"""A worker's core with a store beside it, and short ways to say what happens to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from dagrpc_worker.core import events, instructions
from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.core.machine import WorkerCore

HERE = "here:1"
A, B, C = "a:1", "b:1", "c:1"
"""Peers, each on a host of its own."""

_I = TypeVar("_I")


class Worker:
    """A core that validates itself, and the keys of the results that its store would hold."""

    def __init__(self, nthreads: int = 1, resources: Mapping[str, float] | None = None, **config: Any) -> None:
        # Most tests are about one thing at a time; those about the lookahead turn it on.
        config.setdefault("lookahead", 0.0)
        self.core = WorkerCore(HERE, nthreads, resources, WorkerCoreConfig(**config), validate=True)
        self.view = self.core.view
        self.store: set[str] = set()
        self.now = 0.0
        self.last_run = 0

    def send(self, *batch: events.Event) -> list[instructions.Instruction]:
        """Feed one batch, and carry out what it does to the store."""
        for event in batch:
            if isinstance(event, events.ExecuteSucceeded):
                self.store.add(event.key)
            elif isinstance(event, events.GatherSucceeded | events.DataPut):
                self.store.update(event.sizes)
        result = self.core.handle_batch(batch, self.now)
        for instruction in result:
            if isinstance(instruction, instructions.DropData):
                self.store.difference_update(instruction.keys)
            elif isinstance(instruction, instructions.Execute):
                missing = [key for key in instruction.dependencies if key not in self.store]
                assert not missing, f"{instruction.key} is executed without {missing}"
        assert {*self.view.stored(), *self.view.stale()} == self.store
        return result

    def compute(
        self,
        key: str,
        needs: Mapping[str, Iterable[str]] | None = None,
        *,
        run_id: int | None = None,
        priority: float = 0.0,
        nbytes: int = 100,
        **options: Any,
    ) -> list[instructions.Instruction]:
        """Ask for a run."""
        return self.send(self.request(key, needs, run_id=run_id, priority=priority, nbytes=nbytes, **options))

    def request(
        self,
        key: str,
        needs: Mapping[str, Iterable[str]] | None = None,
        *,
        run_id: int | None = None,
        priority: float = 0.0,
        nbytes: int = 100,
        **options: Any,
    ) -> events.ComputeRequested:
        """Describe a run; `needs` are the dependencies with their holders."""
        if run_id is None:
            run_id = self.last_run + 1
        self.last_run = run_id
        dependencies = [(name, nbytes, tuple(holders)) for name, holders in (needs or {}).items()]
        return events.ComputeRequested(
            key, run_id, (priority,), work=f"work of {key}", dependencies=dependencies, **options
        )

    def finish(
        self, key: str, *, nbytes: int = 8, seconds: float = 1.0, payload: Any = None
    ) -> list[instructions.Instruction]:
        """End an execution well."""
        return self.send(succeeded(key, self.view.executing()[key], nbytes=nbytes, seconds=seconds, payload=payload))

    def fail(self, key: str, failure: Any = "failure") -> list[instructions.Instruction]:
        """End an execution badly."""
        return self.send(events.ExecuteFailed(key, self.view.executing()[key], failure, 10.0, 11.0))

    def skip(self, key: str) -> list[instructions.Instruction]:
        """End an execution before it began."""
        return self.send(events.ExecuteSkipped(key, self.view.executing()[key]))

    def free(self, *keys: str) -> list[instructions.Instruction]:
        """Free keys."""
        return self.send(events.KeysFreed(keys))

    def bring(self, worker: str, *keys: str, nbytes: int = 100, **rest: Any) -> list[instructions.Instruction]:
        """End a transfer well."""
        return self.send(events.GatherSucceeded(worker, dict.fromkeys(keys, nbytes), **rest))

    def states(self) -> dict[str, str]:
        """States of all tasks."""
        return {key: state for key in self.view.managed_keys() if (state := self.view.state_of(key)) is not None}

    def story(self, key: str) -> list[str]:
        """States that a task went through, from its first."""
        entries = self.view.story(key)
        return [entries[0][1], *(entry[2] for entry in entries)] if entries else []


def succeeded(
    key: str, run_id: int, *, nbytes: int = 8, seconds: float = 1.0, payload: Any = None
) -> events.ExecuteSucceeded:
    """An execution that ended well."""
    return events.ExecuteSucceeded(key, run_id, nbytes, "int", 10.0, 10.0 + seconds, payload)


def execute(key: str, run_id: int, *dependencies: str, **options: Any) -> instructions.Execute:
    """The instruction to execute a task."""
    return instructions.Execute(key, run_id, f"work of {key}", [*dependencies] or (), **options)


def finished(key: str, run_id: int, nbytes: int = 8, payload: Any = None) -> instructions.ReportFinished:
    """The report of a run that took a second."""
    return instructions.ReportFinished(key, run_id, nbytes, "int", 10.0, 11.0, payload)


def of_type(result: Iterable[instructions.Instruction], kind: type[_I]) -> list[_I]:
    """Choose instructions of one kind."""
    return [instruction for instruction in result if isinstance(instruction, kind)]


def executed(result: Iterable[instructions.Instruction]) -> list[str]:
    """Keys that are to be executed."""
    return [instruction.key for instruction in of_type(result, instructions.Execute)]


def gathered(result: Iterable[instructions.Instruction]) -> dict[str, list[str]]:
    """Keys that are to be fetched, by peer."""
    return {each.worker: list(each.keys) for each in of_type(result, instructions.GatherData)}
