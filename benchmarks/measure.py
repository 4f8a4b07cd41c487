"""Wall and CPU time of a contender: its own process and every process that it started."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from types import ModuleType, TracebackType
from typing import Any, Self

import psutil

DRAIN_SECONDS = 30


def tree_cpu_seconds() -> float:
    """Return the CPU seconds that this process and all its descendants used so far.

    A descendant that ended is counted by the parent that waited for it.
    """
    this = psutil.Process()
    total = 0.0
    for process in [this, *this.children(recursive=True)]:
        try:
            used = process.cpu_times()
        except psutil.Error:
            continue
        total += used.user + used.system + used.children_user + used.children_system
    return total


class Watch:
    """Measures laps: each `with watch: ...` adds one. Reading the CPU time happens outside the lap's wall time."""

    def __init__(self) -> None:
        self.laps: list[float] = []
        self.cpu_seconds = 0.0
        self._cpu_at_start = 0.0
        self._start = 0.0

    @property
    def seconds(self) -> float:
        """The sum of all laps."""
        return sum(self.laps)

    def __enter__(self) -> Self:
        """Start a lap."""
        self._cpu_at_start = tree_cpu_seconds()
        self._start = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the lap."""
        self.laps.append(time.perf_counter() - self._start)
        self.cpu_seconds += tree_cpu_seconds() - self._cpu_at_start


class WarmWatch(Watch):
    """A watch that does not count its first lap."""

    def __init__(self) -> None:
        super().__init__()
        self._is_warm = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the lap."""
        super().__exit__(kind, error, trace)
        if not self._is_warm:
            self._is_warm = True
            self.laps.clear()
            self.cpu_seconds = 0.0


@dataclass(frozen=True)
class Sample:
    """A figure that a workload measured, and the time that the measurement took."""

    metric: str
    value: float
    wall_seconds: float
    cpu_seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the sample in the form that is sent to run.py."""
        return asdict(self)


@dataclass
class Bench:
    """The environment of a workload: a client of the library under test, sizes, and a sink for figures.

    Attributes
    ----------
    library
        The module `dagrpc` or `distributed`.
    start_cluster
        Starts a cluster of two workers with one thread each, for workloads that need a cluster of their own.
    emit
        Called with each figure as soon as it is known.
    divisor
        The divisor of every size: 1, or more for a quick look.
    """

    library: ModuleType
    start_cluster: Callable[[], Any]
    emit: Callable[[Sample], None]
    divisor: int = 1
    cluster: Any = None
    client: Any = None
    _used: int = field(default=0, init=False)

    def size(self, asked: int) -> int:
        """Return the number of tasks, items or laps to use in place of `asked`."""
        return max(2, asked // self.divisor)

    def fresh(self, count: int) -> range:
        """Return `count` numbers that no workload has used, since equal calls would share one result."""
        self._used += count
        return range(self._used - count, self._used)

    def record(self, metric: str, value: float, watch: Watch) -> None:
        """Report a figure."""
        self.emit(Sample(metric, value, watch.seconds, watch.cpu_seconds))

    def worker_addresses(self) -> list[str]:
        """Return the addresses of the two workers."""
        return sorted(self.client.nthreads())

    def drain(self) -> None:
        """Wait until the workers hold no results, so that the next workload finds an idle cluster."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while any(self.client.has_what().values()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the workers still hold results {DRAIN_SECONDS} s after their release")
            time.sleep(0.05)
