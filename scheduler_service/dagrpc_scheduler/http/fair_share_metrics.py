"""Prometheus metrics of fair share: what clients have had of the cluster, and what they wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import Metric

from dagrpc._http.prometheus import Families, bounded, top
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.policy import Account

MOST_CLIENTS = 20
"""How many clients have labels of their own; those that have had least are added up."""


class FairShareMetrics:
    """A collector of `prometheus_client`. Its figures are read on the scheduler's event loop.

    Parameters
    ----------
    core : SchedulerCore
        The scheduler's core.
    namespace : str
        First part of all names.
    by_client : bool
        Whether clients have labels of their own: their ids are part of the metrics then.
    """

    def __init__(self, core: SchedulerCore, namespace: str, by_client: bool) -> None:
        self._core = core
        self._limit = MOST_CLIENTS if by_client else 0
        self._families = Families(f"{namespace}_scheduler_fair_share_")

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now; without samples while fair share is off."""
        accounts = views.accounts(self._core) or {}
        kept = top({name: account.seconds for name, account in accounts.items() if name}, self._limit)

        def by_client(value: Callable[[Account], float]) -> dict[str, float]:
            return bounded({name: value(account) for name, account in accounts.items()}, kept)

        families = self._families
        yield families.counters(
            "seconds", "Thread seconds of the runs that have ended.", "client", by_client(lambda each: each.seconds)
        )
        yield families.counters("runs", "Runs that have ended.", "client", by_client(lambda each: each.runs))
        yield families.gauges("queued", "Tasks that wait for a turn.", "client", by_client(lambda each: each.waiting))
