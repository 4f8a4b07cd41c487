"""How many workers there should be, and which of them may go: what the policies need to know, put together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from dagrpc import config
from dagrpc_scheduler.core import views
from dagrpc_scheduler.policies import adaptive_target as target_policy
from dagrpc_scheduler.policies import retirement

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService


def adaptive_target(service: SchedulerService, target_duration: float | None = None) -> int:
    """Return how many workers there should be for what there is to do within so many seconds."""
    seconds = config.get_seconds("adaptive.target-duration", target_duration) or 5.0
    return target_policy.adaptive_target(_load(service), seconds, len(workers_to_close(service)))


def workers_to_close(
    service: SchedulerService,
    n: int | None = None,
    minimum: int | None = None,
    target: int | None = None,
    memory_ratio: float | None = None,
    groups: Mapping[str, Hashable] | None = None,
) -> list[str]:
    """Return addresses of workers that may go.

    Parameters
    ----------
    n : int, optional
        How many shall go, idle or not.
    minimum, target : int, optional
        How many have to stay, or shall, at least.
    groups : mapping, optional
        By address; workers of the same group go together.
    """
    workers = [worker for worker in views.workers(service.core) if worker.status in ("running", "paused")]
    allowed = set(service.scheduler_plugins.may_leave([worker.address for worker in workers]))
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
    return retirement.workers_to_close(candidates, bool(views.queued_count(service.core)), n, stay, memory_ratio)


def _load(service: SchedulerService) -> target_policy.Load:
    core = service.core
    workers = [worker for worker in views.workers(core) if worker.status != "retiring"]
    counts = views.state_counts(core)
    limits = [worker.memory_limit for worker in workers]
    return target_policy.Load(
        workers=len(workers),
        occupancy=views.total_occupancy(core),
        runnable=counts["processing"] + counts["queued"],
        unrunnable=counts["no-worker"],
        nbytes=sum(worker.nbytes for worker in workers),
        memory_limit=sum(limits) if all(limits) else 0,
        nthreads=[worker.nthreads for worker in workers],
    )
