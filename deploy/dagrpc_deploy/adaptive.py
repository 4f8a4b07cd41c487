"""Adaptive: keeps a cluster as large as its work is."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._common.server_status import Status
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import NoWorkersError
from dagrpc.v1 import scaling_service_pb2 as pb
from dagrpc_deploy.adaptive_core import AdaptiveCore, logger, settled

if TYPE_CHECKING:
    from dagrpc_deploy.cluster import Cluster

_SERVICE = pb.DESCRIPTOR.services_by_name["ScalingService"]


class Adaptive(AdaptiveCore):
    """Keeps a cluster as large as its work is. Made by `Cluster.adapt`.

    The scheduler says how many workers there should be and which may go; this acts on it. Override `target`,
    `workers_to_close`, `scale_up`, `scale_down` or `recommendations` to decide otherwise; they run on dagrpc's event
    loop, and may be coroutine functions.

    Parameters
    ----------
    cluster : Cluster
        What to adapt.
    interval : number or str, optional
        How often to look; every second by default.
    minimum, maximum : int, optional
        Bounds of the number of workers.
    wait_count : int, optional
        How many looks in a row must have found a worker superfluous before it goes; 3 by default.
    target_duration : number or str, optional
        Within which time all that is known is to be done; 5 seconds by default.
    worker_key : callable, optional
        Takes a worker, with attributes of `WorkerState` (``address``, ``name``, ``host``, ``metrics``, ...);
        workers for which it returns the same go together.
    memory_ratio : float, optional
        How many times the size of all results must be left as memory by the workers that stay; 2 by default.
    n : int, optional
        How many workers are to go when there are too many, idle or not.

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

    What it decides, and how it acts:

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
        cluster: Cluster,
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
                # One whose workers have all been given up needs others.
                if self.cluster.status in (Status.running, Status.failed):
                    await settled(self.adapt())
            except Exception:
                # What a user overrides may fail; the next look may not.
                logger.exception("%s has failed to adapt %s", type(self).__name__, self.cluster.name)
            await asyncio.sleep(self.interval)

    def stop(self, reason: str = "unknown") -> None:
        """Look no more. The cluster stays as it is."""
        super().stop(reason)
        task, self._task = self._task, None
        if task is not None and not self._loop.loop.is_closed():
            self._loop.call_soon(task.cancel)

    # --- what there is ---

    @property
    def plan(self) -> Collection[Hashable]:  # type: ignore[override]
        """Names of the workers that there are to be."""
        return self.cluster.plan

    @property
    def requested(self) -> Collection[Hashable]:  # type: ignore[override]
        """Names of those that were asked for."""
        return self.cluster.requested

    @property
    def observed(self) -> Collection[Hashable]:  # type: ignore[override]
        """Names of those that have come."""
        return self.cluster.observed

    @property
    def scheduler(self) -> ServiceClient:
        """Calls the scheduler. On dagrpc's event loop only."""
        channel = self.cluster._scheduler().channel
        return ServiceClient(channel, _SERVICE, f"scheduler {self.cluster.scheduler_address}")

    # --- what there should be ---

    async def target(self) -> int:
        """Return how many workers there should be, as the scheduler says."""
        request = pb.GetTargetSizeRequest(target_duration_seconds=self.target_duration)
        response = await self.scheduler.call("GetTargetSize", request, pb.GetTargetSizeResponse)
        return int(response.workers)

    async def recommendations(self, target: int) -> dict[str, Any]:
        """Return what to do to have `target` workers; see `AdaptiveCore.recommendations`."""
        await self.cluster._refresh()
        if len(self.plan) != len(self.requested):
            # Workers are being started or closed, or were lost: one step after the other.
            await settled(self.cluster)
        return await super().recommendations(target)

    async def workers_to_close(self, target: int) -> Iterable[Hashable]:
        """Return names of workers that may go so that `target` are left, as the scheduler says."""
        groups: dict[str, str] = {}
        if self.worker_key is not None:
            groups = {worker.address: repr(self.worker_key(worker)) for worker in self.cluster._worker_views()}
        request = pb.ChooseWorkersToCloseRequest(
            count=self.n, minimum=target, memory_ratio=self.memory_ratio or 0.0, groups=groups
        )
        response = await self.scheduler.call("ChooseWorkersToClose", request, pb.ChooseWorkersToCloseResponse)
        return self.cluster._plan_names(worker.name for worker in response.workers)

    # --- how to get there ---

    async def scale_up(self, n: int) -> None:
        """Have `n` workers."""
        await settled(self.cluster.scale_up(n))

    async def scale_down(self, workers: Iterable[Hashable]) -> None:
        """Take workers out, by their names; what only they hold moves to the others."""
        try:
            await settled(self.cluster.scale_down(workers))
        except NoWorkersError as error:
            # What they hold has no other place.
            logger.info("Workers stay: %s", error)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of {self.cluster.name}, minimum: {self.minimum}, maximum: {self.maximum}, "
            f"{self.state}>"
        )


def within(
    minimum: int | None,
    maximum: int | float | None,
    size: Mapping[str, float | None],
    bounds: Mapping[str, tuple[float | None, float | None]],
) -> tuple[int | None, int | float | None]:
    """Return bounds of a number of workers that keep other bounds, too.

    Parameters
    ----------
    minimum, maximum : int, optional
        Bounds of the number itself.
    size : mapping
        What one worker has, by what it is: ``{"cores": 2, "memory": 4e9}``; None where that is not known.
    bounds : mapping
        Least and most of all workers together, by what it is.

    Raises
    ------
    ValueError
        If something is bounded of which it is not known how much one worker has.

    Examples
    --------
    >>> within(None, None, {"cores": 4}, {"cores": (3, 10)})
    (1, 2)
    """
    for what, (least, most) in bounds.items():
        if least is None and most is None:
            continue
        each = size.get(what)
        if not each:
            raise ValueError(f"How much {what} a worker has is not known: bound the number of workers instead")
        if least is not None:
            minimum = max(minimum or 0, math.ceil(least / each))
        if most is not None:
            maximum = min(math.inf if maximum is None else maximum, math.floor(most / each))
    return minimum, maximum
