"""Plans of copies to make and to drop, and the results whose copies must stay meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from dagrpc import config
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.policies.replica_plan import ReplicaPlan
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.memory.worker_memory import checked_measure, measured
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

MEASURE_SETTING = "scheduler.active-memory-manager.measure"


class ReplicaPlanner:
    """Makes plans and has the core carry them out."""

    def __init__(self, driver: CoreDriver, peers: ConnectedPeers) -> None:
        self._driver = driver
        self._peers = peers
        self._measure = checked_measure(config.get(MEASURE_SETTING), MEASURE_SETTING)
        self._held: Counter[str] = Counter()
        """How many procedures need all copies of a result to stay, by key."""

    @property
    def core(self) -> SchedulerCore:
        """The core that the plans are for."""
        return self._driver.core

    def new_plan(self, measure: str | None = None, limit: int | None = None) -> ReplicaPlan:
        """Return an empty plan; it drops at most `limit` copies, and none of a result that is being copied.

        `measure` names the figure of a worker's memory that the plan balances; the configured one by default.
        """
        core, peers, figure = self._driver.core, self._peers, measure or self._measure
        return ReplicaPlan(core.state, lambda: measured(core, peers, figure), self._held, limit)

    def carry_out(self, plan: ReplicaPlan, word: str) -> None:
        """Make and drop the copies of a plan; `word` names the stimulus."""
        if plan.pending:
            event = plan.event(self._driver.stimulus(word))
            if event is not None:
                self._driver.handle(event)

    @contextmanager
    def holding(self, keys: Iterable[str]) -> Iterator[None]:
        """Keep all plans from dropping copies of these results meanwhile: they are about to be copied."""
        held = list(keys)
        self._held.update(held)
        try:
            yield
        finally:
            for key in held:
                self._held[key] -= 1
                if self._held[key] <= 0:
                    del self._held[key]
