"""What a core is told about in the property test of the scheduler: tasks, options, and workers as they see it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

from dagrpc_scheduler.core import effects, events

Report: TypeAlias = (
    effects.ReportFinished
    | effects.ReportErred
    | effects.ReportLost
    | effects.ReportCancelled
    | effects.ReportRetried
    | effects.RejectGraph
)

WORKERS = ("a:1", "a:2", "b:1", "c:1")
CLIENTS = ("c", "d")
# A task depends on letters before its own, so that there are no cycles. Each letter is defined once and for all, as
# far as its dependencies go, but for those that submit it wrongly.
KEYS = tuple(f"{letter}-{number}" for letter in "abc" for number in range(6))
DATA = ("s-0", "s-1")
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


def dependencies_of(index: int) -> list[str]:
    """Return the dependencies that a key has in all graphs."""
    row, column = divmod(index, 6)
    if row == 0:
        return [DATA[0]] if column == 5 else []
    below = (row - 1) * 6
    return sorted({KEYS[below + column], KEYS[below + (column * 5 + 1) % 6]})


def all_below(index: int) -> set[str]:
    """Return the dependencies of a key, and theirs."""
    found = set(dependencies_of(index))
    for key in list(found):
        if key in KEYS:
            found |= all_below(KEYS.index(key))
    return found


class FakeWorker:
    """What a worker has, by the orders that have reached it."""

    def __init__(self, identity: bytes) -> None:
        self.identity = identity
        self.runs: dict[str, int] = {}
        self.data: dict[str, int] = {}
        self.shared: set[bytes] = set()
        self.status = "running"
        self.made: dict[str, int] = {}
        """The runs that made what it holds; what is not there are copies."""
        self.away = False
        """Whether its connection is broken."""
        self.unsent: list[events.Event] = []
        """What it will report when it is back."""

    def take(self, order: effects.ComputeTask) -> None:
        """Be given a task."""
        assert self.status == "running", "a worker that takes no tasks was given one"
        assert not self.away, "a worker that is away was given a task"
        assert order.key not in self.data, "a worker is to compute what it holds"
        self.runs[order.key] = order.run_id
        for digest, value in order.new_shared:
            assert value == b"value of " + digest
            assert digest not in self.shared, "a shared value was sent twice"
            self.shared.add(digest)
        assert self.shared.issuperset(order.shared), "a shared value was not sent"

    def returned(self, done: Collection[str]) -> FakeWorker:
        """Return what it is after it was removed and has done some of its runs since."""
        worker = FakeWorker(self.identity)
        worker.data = self.data | dict.fromkeys(done, 5)
        worker.made = self.made | {key: self.runs[key] for key in done}
        return worker

    def holdings(self) -> list[tuple[str, int, int]]:
        """Return what it tells that it holds."""
        return [(key, nbytes, self.made.get(key, 0)) for key, nbytes in sorted(self.data.items())]


def introduction(
    address: str, nthreads: int, identity: bytes, held: list[tuple[str, int, int]] | None = None
) -> events.WorkerAdded:
    """Return what a worker says when it joins."""
    resources = {"gpu": 1.0} if address == "c:1" else {}
    host, name = address.partition(":")[0], f"name-of-{address}"
    return events.WorkerAdded(address, name, nthreads, host, 0, resources, "", "join", identity, held or [])
