"""What a core is told about in the property test of the scheduler: tasks, options, and workers as they see it."""

from __future__ import annotations

from dagrpc_scheduler.core import events

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


class FakeWorker:
    """What a worker has, by the orders that have reached it."""

    def __init__(self) -> None:
        self.runs: dict[str, int] = {}
        self.data: dict[str, int] = {}
        self.shared: set[bytes] = set()
        self.status = "running"
