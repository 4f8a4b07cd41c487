"""A worker without sockets, threads or clocks: the real core, and simulated threads, data and transfers."""

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
    """What a simulated task does; the opaque `work` of the cores."""

    key: str
    dependencies: tuple[str, ...]
    failures: int = 0
    """How often it fails before it succeeds."""
    secedes: bool = False
    reschedules: bool = False
    """Whether it asks to be run elsewhere when it is run first."""
    untransferable: bool = False
    """Whether its result cannot be sent to another worker."""
    fused: tuple[Work, ...] = ()
    """Those of its dependencies that it computes itself, as when dask fuses or inlines them."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the tasks whose results it uses."""
        inner = {work.key for work in self.fused}
        names = [key for key in self.dependencies if key not in inner]
        return tuple(dict.fromkeys([*names, *(key for work in self.fused for key in work.needs)]))

    def value(self, values: Mapping[str, int]) -> int:
        """Compute its result, which is the same whatever is fused."""
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
    """What it uses, read from the store when a thread took it up."""
    start: float


@dataclass
class SimulatedPool:
    """An executor: threads, and a queue before them."""

    threads: int
    queue: deque[instructions.Execute] = field(default_factory=deque)
    running: list[Running] = field(default_factory=list)


@dataclass
class Transfer:
    """Results on their way from one worker to another."""

    source: str
    target: SimulatedWorker
    keys: Sequence[str]
    served: dict[str, int] | None = None
    """What the source gave; none yet before it was asked."""
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
        """Whether its stream is broken: nobody hears of the other what happens, and data passes all the same."""
        self.session = 0
        """Which of its sessions it is in. What is meant for an earlier one does not arrive."""
        self.paused = False
        self.store: dict[str, int] = {}
        self.untransferable: set[str] = set()
        self.orders: deque[worker_events.Event] = deque()
        """From the scheduler."""
        self.inbox: deque[tuple[worker_events.Event, dict[str, int]]] = deque()
        """From threads, transfers and timers; and data that is put here, which the store gets with the event."""
        self.pools: dict[str, SimulatedPool] = {"": SimulatedPool(nthreads)}
        self.seceded: list[Running] = []
        self.retries: list[str] = []
        self.log: list[tuple[tuple[worker_events.Event, ...], float, list[instructions.Instruction]]] = []

    def busy(self) -> bool:
        """Tell whether anything goes on here."""
        working = any(pool.queue or pool.running for pool in self.pools.values())
        return self.alive and bool(working or self.orders or self.inbox or self.seceded or self.retries)

    def pool(self, executor: str) -> SimulatedPool:
        """Give an executor."""
        if executor not in self.pools:
            self.pools[executor] = SimulatedPool(self.config.executors.get(executor, 1))
        return self.pools[executor]
