"""What clusters of all kinds share about their size: who is there, and scaling by itself."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Hashable, Iterable, Mapping
from typing import Any

from dagrpc import config
from dagrpc._client.admin import describe_cluster
from dagrpc._common.server_status import Status
from dagrpc._common.worker_names import as_given
from dagrpc._loop.io_loop import LoopThread
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_deploy.adaptive import Adaptive, within
from dagrpc_deploy.worker_view import WorkerView


class Scalable:
    """The part of a cluster that is about its size.

    Workers have names: those of the plan, which are the subclass's own, and those on the scheduler, which are text.
    Here the plan is what there is; subclasses that start workers themselves have one of their own in `_planned` and
    `_requested`.
    """

    name: str
    _life: Status
    """What it is doing, whatever has become of its workers."""
    scheduler_address: str
    _loop: LoopThread

    def __init__(self) -> None:
        self._adaptive: Adaptive | None = None
        self._adaptive_options: dict[str, Any] = {}
        self._info: pb.GetClusterInfoResponse | None = None
        self._seen: set[Hashable] = set()
        self._missing_since: dict[Hashable, float] = {}

    # --- what subclasses fill in ---

    def _planned(self) -> dict[Hashable, tuple[str, ...]]:
        """Return the names of the workers that there are to be, each with the names that it has on the scheduler."""
        workers = self._info.workers if self._info is not None else ()
        return {as_given(worker.name): (worker.name,) for worker in workers}

    def _requested(self) -> set[Hashable]:
        """Return the names of those that were started."""
        return set(self._planned())

    async def _lost(self, names: set[Hashable]) -> None:
        """Do something about workers that are gone and do not come back by themselves."""

    def _worker_size(self) -> dict[str, float | None]:
        """Return what one worker has: ``cores`` and bytes of ``memory``; None for what is not known."""
        return {"cores": None, "memory": None}

    def _run(self, coroutine: Coroutine[Any, Any, Any], timeout: float | None = None) -> Any:
        raise NotImplementedError

    async def _cluster_info(self) -> pb.GetClusterInfoResponse:
        raise NotImplementedError

    # --- what there is ---

    @property
    def plan(self) -> set[Any]:
        """Names of the workers that there are to be.

        Examples
        --------
        >>> sorted(cluster.plan)
        [0, 1]
        """
        return set(self._planned())

    @property
    def requested(self) -> set[Any]:
        """Names of those that were started, whether they have come or not.

        Examples
        --------
        >>> sorted(cluster.requested)
        [0, 1]
        """
        return set(self._requested())

    @property
    def observed(self) -> set[Any]:
        """Names of those that the scheduler knows, as of a moment ago.

        Examples
        --------
        >>> sorted(cluster.observed)
        [0, 1]
        """
        self._look()
        return self._observed()

    def _observed(self) -> set[Hashable]:
        there = {worker.name for worker in self._info.workers} if self._info is not None else set()
        return {name for name, on_scheduler in self._planned().items() if there.issuperset(on_scheduler)}

    def _plan_names(self, on_scheduler: Iterable[str]) -> list[Hashable]:
        """Return the names in the plan of workers, all of whose names on the scheduler are given."""
        given = list(on_scheduler)
        ranked = {text: rank for rank, text in enumerate(given)}
        found = [
            (max(ranked[text] for text in texts), name)
            for name, texts in self._planned().items()
            if all(text in ranked for text in texts)
        ]
        return [name for _, name in sorted(found, key=lambda item: item[0])]

    def _look(self) -> None:
        """Have fresh information, where one can wait for it."""
        if self._life is Status.running and not self._loop.inside:
            try:
                self._loop.run(self._refresh(), 5.0)
            except (OSError, TimeoutError):
                # What was known before is all there is.
                return

    async def _refresh(self) -> None:
        """Ask the scheduler who is there, and notice who is not any more."""
        self._info = await self._cluster_info()
        observed, requested = self._observed(), self._requested()
        now = time.monotonic()
        timeout = config.get_seconds("deploy.lost-worker-timeout") or 0.0
        for name in list(self._missing_since):
            if name in observed or name not in requested:
                del self._missing_since[name]
        for name in (self._seen & requested) - observed:
            self._missing_since.setdefault(name, now)
        self._seen = (self._seen & requested) | observed
        lost = {name for name, since in self._missing_since.items() if now - since >= timeout}
        if lost:
            await self._lost(lost)

    def _worker_views(self) -> list[WorkerView]:
        """Return what was last heard of the workers."""
        return [WorkerView(worker) for worker in self._info.workers] if self._info is not None else []

    def _describe(self) -> dict[str, Any]:
        info = self._info if self._info is not None else pb.GetClusterInfoResponse(address=self.scheduler_address)
        return describe_cluster(info, self.scheduler_address)

    @property
    def scheduler_info(self) -> dict[str, Any]:
        """What there is to know of the scheduler and its workers, as of a moment ago."""
        self._look()
        return self._describe()

    # --- scaling ---

    def scale(self, n: int) -> Any:
        """Have so many workers. Subclasses say how.

        Raises
        ------
        NotImplementedError
            If none does.

        Examples
        --------
        >>> cluster.scale(2)
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it is scaled: it has no method scale")

    def scale_up(self, n: int) -> Any:
        """Have so many workers; the same as `scale`.

        Examples
        --------
        >>> cluster.scale_up(2)
        """
        return self.scale(n)

    def scale_down(self, workers: Iterable[Hashable]) -> Any:
        """Take workers out, by their names. Subclasses say how.

        Raises
        ------
        NotImplementedError
            If none does.

        Examples
        --------
        >>> with LocalCluster(n_workers=2, processes=False) as cluster:
        ...     cluster.scale_down([0])
        ...     sorted(cluster.plan)
        [1]
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it shrinks: it has no method scale_down")

    def adapt(
        self,
        Adaptive: type[Adaptive] = Adaptive,
        *,
        minimum: int | None = None,
        maximum: int | float | None = None,
        minimum_cores: int | None = None,
        maximum_cores: int | None = None,
        minimum_memory: float | str | None = None,
        maximum_memory: float | str | None = None,
        **kwargs: Any,
    ) -> Adaptive:
        """Have the cluster be as large as its work is.

        The scheduler says how many workers what it knows takes; each that is idle for a while is retired. Calling this
        again replaces the former: bounds hold for one call, other options stay as they were. `scale` ends it.

        Parameters
        ----------
        Adaptive : type
            The class, for deciding otherwise.
        minimum, maximum : int, optional
            Bounds of the number of workers.
        minimum_cores, maximum_cores : int, optional
            Bounds of the number of threads of all workers together.
        minimum_memory, maximum_memory : number or str, optional
            Bounds of the memory of all workers together.
        **kwargs
            For `Adaptive`: ``interval="1s"``, ``wait_count=3``, ``target_duration="5s"``, ``worker_key=None``, ...

        Returns
        -------
        Adaptive
            What does it.

        Raises
        ------
        ValueError
            If a bound is impossible.

        Examples
        --------
        >>> with LocalCluster(n_workers=0, processes=False) as cluster, Client(cluster) as client:
        ...     adaptive = cluster.adapt(minimum=0, maximum=2)
        ...     client.submit(inc, 1).result()  # a worker comes
        2
        """
        options = {**self._adaptive_options, **kwargs}
        bounds: Mapping[str, tuple[float | None, float | None]] = {
            "cores": (minimum_cores, maximum_cores),
            "memory": (nbytes_of(minimum_memory), nbytes_of(maximum_memory)),
        }
        minimum, maximum = within(minimum, maximum, self._worker_size(), bounds)
        # Made first: bad bounds change nothing.
        adaptive = Adaptive(self, minimum=minimum, maximum=maximum, **options)  # type: ignore[arg-type]
        self._stop_adapting("another one takes its place")
        self._adaptive, self._adaptive_options = adaptive, options
        return adaptive

    def _stop_adapting(self, why: str) -> None:
        adaptive, self._adaptive = self._adaptive, None
        if adaptive is not None:
            adaptive.stop(why)


def nbytes_of(amount: float | str | None) -> float | None:
    """Return an amount of memory in bytes."""
    if isinstance(amount, str):
        from dask.utils import parse_bytes

        return float(parse_bytes(amount))
    return amount
