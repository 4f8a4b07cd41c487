"""The environment of the core in the scheduler's property test: tasks, options, and the workers' view of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import TaskState

Report: TypeAlias = (
    instructions.ReportFinished
    | instructions.ReportErred
    | instructions.ReportLost
    | instructions.ReportCancelled
    | instructions.ReportRetried
    | instructions.RejectGraph
)

WORKERS = ("a:1", "a:2", "b:1", "c:1")
CLIENTS = ("c", "d")
KEYS = tuple(f"{letter}-{number}" for letter in "abc" for number in range(6))
DATA = ("s-0", "s-1")
DEFINITIONS = 4
"""Number of graphs that define the same keys, each with its own dependencies. Each graph is acyclic; together they are
not."""
DIGESTS = (b"one", b"two")
OPTIONS = (
    *([events.NO_OPTIONS] * 6),
    events.TaskOptions(retries=1),
    events.TaskOptions(workers=("a",)),
    events.TaskOptions(workers=("b:1", "name-of-c:1"), allow_other_workers=True),
    events.TaskOptions(resources={"gpu": 1.0}),
    events.TaskOptions(priority=1.0),
    events.TaskOptions(actor=True),
)


def dependencies_of(key: str, definition: int) -> list[str]:
    """Return the dependencies of a key in a graph."""
    letter, column = key[0], int(key[2:])
    if definition == 0:
        # Letters depend on the letter before.
        return {
            "s": [],
            "a": [DATA[0]] if column == 5 else [],
            "b": _both("a", column, column * 5 + 1),
            "c": _both("b", column, column * 5 + 1),
        }[letter]
    if definition == 1:
        # As if some tasks had been fused: a letter is skipped, others are inlined.
        return {
            "s": [],
            "a": [],
            "b": [DATA[1]] if column == 0 else _both("a", column + 1, column + 2),
            "c": _both("a", column, column + 3),
        }[letter]
    if definition == 2:
        # The reverse order, and data is computed.
        return {
            "s": ["a-5"] if column == 0 else ["a-1"],
            "a": _both("b", column, column + 2),
            "b": _both("c", column + 1, column * 5),
            "c": [],
        }[letter]
    # Independent tasks.
    return []


def _both(letter: str, *columns: int) -> list[str]:
    return sorted({f"{letter}-{column % 6}" for column in columns})


def keys_of(keys: Collection[str], definition: int) -> list[str]:
    """Return keys and their dependencies in a graph, dependencies first, without data that it does not define."""
    found: dict[str, None] = {}

    def visit(key: str) -> None:
        if key not in found:
            for name in dependencies_of(key, definition):
                visit(name)
            if key in KEYS or definition >= 2:
                found[key] = None

    for key in keys:
        visit(key)
    return list(found)


def graph_of(
    keys: Collection[str],
    definition: int,
    wanted: Collection[str],
    shared: tuple[bytes, ...],
    options: events.TaskOptions,
) -> list[events.NewTask]:
    """Return a graph with keys and all their dependencies. The work of a task names its dependencies."""
    closed = keys_of(keys, definition)
    return [
        events.NewTask(
            key,
            dependencies_of(key, definition),
            " ".join([f"work of {key} with", *dependencies_of(key, definition)]),
            shared,
            options,
            order,
            key in wanted or key == closed[-1],
        )
        for order, key in enumerate(closed)
    ]


def definitions(core: SchedulerCore) -> dict[TaskState, tuple[Any, ...]]:
    """Return the facts about computable tasks that never change."""
    tasks = [task for task in core.tasks.values() if task.work is not None]
    return {task: (task.work, task.dependencies, task.options) for task in tasks}


class FakeWorker:
    """The tasks and results of a worker, by the instructions that have reached it."""

    def __init__(self, identity: bytes) -> None:
        self.identity = identity
        self.runs: dict[str, int] = {}
        self.data: dict[str, int] = {}
        self.shared: set[bytes] = set()
        self.status = "running"
        self.made: dict[str, int] = {}
        """The runs that produced its results; results without a run are replicas."""
        self.away = False
        """Whether its connection is broken."""
        self.unsent: list[events.Event] = []
        """Reports that it will send when it is back."""

    def take(self, order: instructions.ComputeTask) -> None:
        """Receive a task."""
        assert self.status == "running", "a worker that takes no tasks was given one"
        assert not self.away, "a worker that is away was given a task"
        assert order.key not in self.data, "a worker is to compute what it holds"
        needs = order.work.split()[4:]
        assert [name for name, _, _ in order.dependencies] == needs, "what is run does not fit its dependencies"
        self.runs[order.key] = order.run_id
        for digest, value in order.new_shared:
            assert value == b"value of " + digest
            assert digest not in self.shared, "a shared value was sent twice"
            self.shared.add(digest)
        assert self.shared.issuperset(order.shared), "a shared value was not sent"

    def returned(self, done: Collection[str]) -> FakeWorker:
        """Return the worker after its removal, when it has finished some of its runs."""
        worker = FakeWorker(self.identity)
        worker.data = self.data | dict.fromkeys(done, 5)
        worker.made = self.made | {key: self.runs[key] for key in done}
        return worker

    def holdings(self) -> list[tuple[str, int, int]]:
        """Return the results that it reports to hold."""
        return [(key, nbytes, self.made.get(key, 0)) for key, nbytes in sorted(self.data.items())]


def introduction(
    address: str, nthreads: int, identity: bytes, held: list[tuple[str, int, int]] | None = None
) -> events.WorkerAdded:
    """Return the event of a worker that joins."""
    resources = {"gpu": 1.0} if address == "c:1" else {}
    host, name = address.partition(":")[0], f"name-of-{address}"
    return events.WorkerAdded(address, name, nthreads, host, 0, resources, "", "join", identity, held or [])
