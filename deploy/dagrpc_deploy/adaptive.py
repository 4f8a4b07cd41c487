"""Adaptive: scales a cluster as its work grows and shrinks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any

from dagrpc import config
from dagrpc._common.server_status import Status
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import NoWorkersError
from dagrpc.v1 import scaling_service_pb2 as pb
from dagrpc_deploy.adaptive_core import AdaptiveCore, logger, settled
from dagrpc_deploy.managed_cluster import ManagedCluster

_SERVICE = pb.DESCRIPTOR.services_by_name["ScalingService"]


class Adaptive(AdaptiveCore):
    """Scales a cluster as its work grows and shrinks. Made by `Cluster.adapt`.

    The scheduler computes the wanted number of workers and chooses which to retire; this object acts on it. Subclasses
    decide otherwise in `target`, `workers_to_close`, `scale_up`, `scale_down` or `recommendations`, which run on
    dagrpc's event loop and may be coroutine functions.

    Parameters
    ----------
    cluster : Cluster
        The cluster to scale.
    interval : number or str, optional
        Time between two decisions; a second by default.
    minimum, maximum : int, optional
        Bounds of the number of workers.
    wait_count : int, optional
        How many decisions in a row must find a worker superfluous before it is retired; 3 by default.
    target_duration : number or str, optional
        Time within which all known tasks should finish; 5 seconds by default.
    worker_key : callable, optional
        Takes a worker, with attributes of `WorkerState` (``address``, ``name``, ``host``, ``metrics``, ...);
        workers for which it returns equal values are retired together.
    memory_ratio : float, optional
        The memory of the remaining workers must be so many times the size of all results; 2 by default.
    n : int, optional
        How many workers to retire when there are too many, idle or not.

    Raises
    ------
    ValueError
        If a bound is impossible.

    Examples
    --------
    >>> class Doubled(Adaptive):
    ...     async def target(self):
    ...         return 2 * await super().target()
    >>> with LocalCluster(n_workers=0, processes=False) as cluster, Client(cluster) as client:
    ...     adaptive = cluster.adapt(Adaptive=Doubled, minimum=0, maximum=4)
    ...     client.submit(inc, 1).result()
    ...     adaptive.stop()
    2

    Its decisions and steps:

    >>> with LocalCluster(n_workers=2, processes=False) as cluster:
    ...     adaptive = cluster.adapt(minimum=2, maximum=4, interval="1 hour")
    ...     cluster.sync(adaptive.safe_target)
    ...     cluster.sync(adaptive.recommendations, 3)
    ...     len(cluster.sync(adaptive.workers_to_close, 1))
    ...     cluster.sync(adaptive.scale_up, 3)
    ...     cluster.sync(adaptive.scale_down, [0])
    ...     sorted(adaptive.plan)
    2
    {'status': 'up', 'n': 3}
    1
    [1, 2]
    """

    def __init__(
        self,
        cluster: ManagedCluster,
        interval: float | str | None = None,
        minimum: int | None = None,
        maximum: int | float | None = None,
        wait_count: int | None = None,
        target_duration: float | str | None = None,
        worker_key: Callable[[Any], Hashable] | None = None,
        memory_ratio: float | None = None,
        n: int | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs:
            raise TypeError(f"Adaptive got unknown arguments: {', '.join(sorted(kwargs))}")
        super().__init__(
            minimum=config.get("adaptive.minimum", minimum),
            maximum=config.get("adaptive.maximum", maximum),
            wait_count=int(config.get("adaptive.wait-count", wait_count)),
        )
        self.cluster = cluster
        self.interval = config.get_seconds("adaptive.interval", interval) or 0.0
        self.target_duration = config.get_seconds("adaptive.target-duration", target_duration) or 5.0
        self.worker_key = worker_key
        self.memory_ratio = memory_ratio
        self.n = n
        self._task: asyncio.Task[None] | None = None
        self._loop = cluster._loop
        if self.interval > 0:
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        if self.state != "stopped":
            self._task = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        while self.state != "stopped":
            try:
                # A cluster whose workers have all been given up needs others.
                if self.cluster.status in (Status.running, Status.failed):
                    await settled(self.adapt())
            except Exception:
                # A method that a user overrides may fail; the next decision may succeed.
                logger.exception("%s has failed to adapt %s", type(self).__name__, self.cluster.name)
            await asyncio.sleep(self.interval)

    def stop(self, reason: str = "unknown") -> None:
        """Stop scaling. The cluster keeps its size."""
        super().stop(reason)
        task, self._task = self._task, None
        if task is not None and not self._loop.loop.is_closed():
            self._loop.call_soon(task.cancel)

    # --- present size ---

    @property
    def plan(self) -> Collection[Hashable]:  # type: ignore[override]
        """Names of the workers that the cluster should have."""
        return self.cluster.plan

    @property
    def requested(self) -> Collection[Hashable]:  # type: ignore[override]
        """Names of the workers that were started."""
        return self.cluster.requested

    @property
    def observed(self) -> Collection[Hashable]:  # type: ignore[override]
        """Names of the workers that the scheduler knows."""
        return self.cluster.observed

    @property
    def scheduler(self) -> ServiceClient:
        """A client of the scheduler's scaling service. On dagrpc's event loop only."""
        channel = self.cluster._connection.client().channel
        return ServiceClient(channel, _SERVICE, f"scheduler {self.cluster.scheduler_address}")

    # --- wanted size ---

    async def target(self) -> int:
        """Return the number of workers that the scheduler wants."""
        request = pb.GetTargetSizeRequest(target_duration_seconds=self.target_duration)
        response = await self.scheduler.call("GetTargetSize", request, pb.GetTargetSizeResponse)
        return int(response.workers)

    async def recommendations(self, target: int) -> dict[str, Any]:
        """Return the step towards `target` workers; see `AdaptiveCore.recommendations`."""
        await self.cluster._refresh()
        if len(self.plan) != len(self.requested):
            # Workers are starting or closing, or were lost: the present step comes first.
            await settled(self.cluster)
        return await super().recommendations(target)

    async def workers_to_close(self, target: int) -> Iterable[Hashable]:
        """Return names of the workers that the scheduler would retire so that `target` are left."""
        groups: dict[str, str] = {}
        if self.worker_key is not None:
            groups = {worker.address: repr(self.worker_key(worker)) for worker in self.cluster._roster.views()}
        request = pb.ChooseWorkersToCloseRequest(
            count=self.n, minimum=target, memory_ratio=self.memory_ratio or 0.0, groups=groups
        )
        response = await self.scheduler.call("ChooseWorkersToClose", request, pb.ChooseWorkersToCloseResponse)
        return self.cluster._roster.plan_names(worker.name for worker in response.workers)

    # --- steps ---

    async def scale_up(self, n: int) -> None:
        """Start workers until there are `n`."""
        await settled(self.cluster.scale_up(n))

    async def scale_down(self, workers: Iterable[Hashable]) -> None:
        """Retire workers by their names; results that only they hold move to other workers."""
        try:
            await settled(self.cluster.scale_down(workers))
        except NoWorkersError as error:
            # No other worker has room for their results.
            logger.info("Workers stay: %s", error)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of {self.cluster.name}, minimum: {self.minimum}, maximum: {self.maximum}, "
            f"{self.state}>"
        )


class Adaptation:
    """The adaptive scaling of one cluster: the object that does it now, and the options for the next one."""

    def __init__(self) -> None:
        self.current: Adaptive | None = None
        self._options: dict[str, Any] = {}

    def replace(
        self,
        kind: type[Adaptive],
        cluster: ManagedCluster,
        bounds: tuple[int | None, int | float | None],
        options: Mapping[str, Any],
    ) -> Adaptive:
        """Make an `Adaptive`, stop the former one, and keep the options for the next."""
        kept = {**self._options, **options}
        made = kind(cluster, minimum=bounds[0], maximum=bounds[1], **kept)
        # Bad bounds have raised: the former object still works.
        self.stop("adapt was called again")
        self.current, self._options = made, kept
        return made

    def stop(self, reason: str) -> None:
        """Stop scaling, if it is on."""
        current, self.current = self.current, None
        if current is not None:
            current.stop(reason)
