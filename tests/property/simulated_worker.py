"""A worker without sockets, threads or clocks: the real core with simulated threads, data and transfers."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from dagrpc_worker.core import events as worker_events
from dagrpc_worker.core import instructions
from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.core.machine import WorkerCore


@dataclass(frozen=True)
class Work:
    """The behaviour of a simulated task; the opaque `work` of the cores."""

    key: str
    dependencies: tuple[str, ...]
    failures: int = 0
    """Number of failures before the task succeeds."""
    secedes: bool = False
    reschedules: bool = False
    """Whether the task asks to be rescheduled on its first run."""
    untransferable: bool = False
    """Whether its result cannot be sent to another worker."""
    fused: tuple[Work, ...] = ()
    """Dependencies that the task computes itself, as when dask fuses or inlines tasks."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the tasks whose results it uses."""
        inner = {work.key for work in self.fused}
        names = [key for key in self.dependencies if key not in inner]
        return tuple(dict.fromkeys([*names, *(key for work in self.fused for key in work.needs)]))

    def value(self, values: Mapping[str, int]) -> int:
        """Compute the result, which does not depend on which tasks are fused."""
        inner = {work.key: work.value(values) for work in self.fused}
        return value_of(self.key, [inner[key] if key in inner else values[key] for key in self.dependencies])


def value_of(key: str, values: Sequence[int]) -> int:
    """Compute a task's result from those of its dependencies."""
    return crc32(repr((key, tuple(values))).encode())


@dataclass
class Running:
    """An execution on a thread."""

    task: instructions.Execute
    values: dict[str, int]
    """The dependencies, read from the store when a thread started the task."""
    start: float


@dataclass
class SimulatedPool:
    """An executor: threads with a queue."""

    threads: int
    queue: deque[instructions.Execute] = field(default_factory=deque)
    running: list[Running] = field(default_factory=list)


@dataclass
class Transfer:
    """Results in transit from one worker to another."""

    source: str
    target: SimulatedWorker
    keys: Sequence[str]
    served: dict[str, int] | None = None
    """The results that the source gave; None before it was asked."""
    untransferable: tuple[str, ...] = ()
    deferred: tuple[str, ...] = ()


class SimulatedWorker:
    """A worker's core with a store, threads and timers."""

    def __init__(self, address: str, nthreads: int, resources: dict[str, float], config: WorkerCoreConfig) -> None:
        self.address = address
        self.nthreads = nthreads
        self.resources = resources
        self.config = config
        self.core = WorkerCore(address, nthreads, resources, config, validate=True)
        self.alive = True
        self.cut = False
        """Whether its stream is broken: neither side hears from the other, but data is still transferred."""
        self.session = 0
        """Number of its session. Messages for an earlier session do not arrive."""
        self.paused = False
        self.store: dict[str, int] = {}
        self.untransferable: set[str] = set()
        self.orders: deque[worker_events.Event] = deque()
        """Messages from the scheduler."""
        self.inbox: deque[tuple[worker_events.Event, dict[str, int]]] = deque()
        """Events of threads, transfers and timers, and uploaded data, which is stored with its event."""
        self.pools: dict[str, SimulatedPool] = {"": SimulatedPool(nthreads)}
        self.seceded: list[Running] = []
        self.retries: list[str] = []
        self.log: list[tuple[tuple[worker_events.Event, ...], float, list[instructions.Instruction]]] = []

    def busy(self) -> bool:
        """Tell whether anything is in progress here."""
        working = any(pool.queue or pool.running for pool in self.pools.values())
        return self.alive and bool(working or self.orders or self.inbox or self.seceded or self.retries)

    def pool(self, executor: str) -> SimulatedPool:
        """Return an executor."""
        if executor not in self.pools:
            self.pools[executor] = SimulatedPool(self.config.executors.get(executor, 1))
        return self.pools[executor]
