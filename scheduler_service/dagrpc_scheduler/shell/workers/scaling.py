"""How many workers the work needs, and which workers may be closed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from dagrpc import config
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.policies import adaptive_target as target_policy
from dagrpc_scheduler.policies import retirement
from dagrpc_scheduler.shell.plugins.scheduler_plugins import SchedulerPlugins


class Scaling:
    """Gives the scaling policies the facts that they decide on."""

    def __init__(self, core: SchedulerCore, plugins: SchedulerPlugins) -> None:
        self._core = core
        self._plugins = plugins

    def adaptive_target(self, target_duration: float | None = None) -> int:
        """Return how many workers finish all work within `target_duration` seconds."""
        seconds = config.get_seconds("adaptive.target-duration", target_duration) or 5.0
        return target_policy.adaptive_target(self._load(), seconds, len(self.workers_to_close()))

    def workers_to_close(
        self,
        n: int | None = None,
        minimum: int | None = None,
        target: int | None = None,
        memory_ratio: float | None = None,
        groups: Mapping[str, Hashable] | None = None,
    ) -> list[str]:
        """Return the addresses of workers that may be closed.

        Parameters
        ----------
        n : int, optional
            How many workers to close, idle or not.
        minimum, target : int, optional
            How many workers must stay at least.
        memory_ratio : float, optional
            How many times the size of all results must be left as memory.
        groups : mapping, optional
            Groups by address; the workers of a group are closed together.
        """
        workers = [worker for worker in views.workers(self._core) if worker.status in ("running", "paused")]
        allowed = set(self._plugins.may_leave([worker.address for worker in workers]))
        candidates = [
            retirement.Candidate(
                worker.address,
                (groups or {}).get(worker.address, worker.address),
                bool(worker.processing),
                worker.nbytes,
                worker.memory_limit,
            )
            for worker in workers
            if worker.address in allowed
        ]
        stay = max(minimum or 0, target or 0)
        return retirement.workers_to_close(candidates, bool(views.queued_count(self._core)), n, stay, memory_ratio)

    def _load(self) -> target_policy.Load:
        workers = [worker for worker in views.workers(self._core) if worker.status != "retiring"]
        counts = views.state_counts(self._core)
        limits = [worker.memory_limit for worker in workers]
        return target_policy.Load(
            workers=len(workers),
            occupancy=views.total_occupancy(self._core),
            runnable=counts["processing"] + counts["queued"],
            unrunnable=counts["no-worker"],
            nbytes=sum(worker.nbytes for worker in workers),
            memory_limit=sum(limits) if all(limits) else 0,
            nthreads=[worker.nthreads for worker in workers],
        )
