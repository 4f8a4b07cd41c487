"""A cluster as its panel and its adaptive scaling know it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Protocol

from dagrpc._common.server_status import Status
from dagrpc._loop.io_loop import LoopThread
from dagrpc_deploy.cluster_text import Summary
from dagrpc_deploy.lifecycle import Lifecycle
from dagrpc_deploy.roster import Roster
from dagrpc_deploy.scheduler_connection import SchedulerConnection


class ManagedCluster(Protocol):
    """The members of `Cluster` that objects use which a cluster makes for itself."""

    name: str
    _connection: SchedulerConnection
    _lifecycle: Lifecycle
    _loop: LoopThread
    _roster: Roster

    @property
    def adapt(self) -> Callable[..., Any]:
        """See `Cluster.adapt`."""

    @property
    def observed(self) -> set[Any]:
        """See `Cluster.observed`."""

    @property
    def plan(self) -> set[Any]:
        """See `Cluster.plan`."""

    @property
    def requested(self) -> set[Any]:
        """See `Cluster.requested`."""

    @property
    def scheduler_address(self) -> str:
        """See `Cluster.scheduler_address`."""

    @property
    def status(self) -> Status:
        """See `Cluster.status`."""

    def scale(self, n: int) -> Any:
        """See `Cluster.scale`."""

    def scale_up(self, n: int) -> Any:
        """See `Cluster.scale_up`."""

    def scale_down(self, workers: Iterable[Hashable]) -> Any:
        """See `Cluster.scale_down`."""

    async def _refresh(self) -> None:
        """Ask the scheduler which workers it knows."""

    async def _ask_summary(self) -> Summary:
        """Ask the scheduler for the size of the cluster."""

    def _html(self, summary: Summary) -> str:
        """Return a table about the cluster."""

    def _repr_html_(self) -> str:
        """Return a table about the cluster as it is now."""
