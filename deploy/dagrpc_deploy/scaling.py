"""What clusters of all kinds share about their size: what is planned and there, scaling by hand and by itself."""

from __future__ import annotations

import math
import time
from collections.abc import Coroutine, Hashable, Iterable, Mapping
from typing import Any

from dagrpc import config
from dagrpc._client.admin import describe_cluster
from dagrpc._io.loop import LoopThread
from dagrpc._util.server_status import Status
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_deploy.adaptive import Adaptive, within


class Scalable:
    """The part of a cluster that is about its size.

    Workers have names: those of the plan, which are the subclass's own, and those on the scheduler, which are text.
    Subclasses keep `_planned` and `_requested`, and say in `_scale_up` and `_scale_down` how to get from one to the
    other. All of it happens on dagrpc's event loop.
    """

    name: str
    status: Status
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
        raise NotImplementedError

    def _requested(self) -> set[Hashable]:
        """Return the names of those that were started."""
        raise NotImplementedError

    async def _scale_up(self, n: int) -> None:
        """Have at least `n` workers."""
        raise NotImplementedError

    async def _scale_down(self, names: set[Hashable], give_up: bool = False) -> None:
        """Take workers out; with `give_up` also if results that only they hold cannot be moved."""
        raise NotImplementedError

    async def _lost(self, names: set[Hashable]) -> None:
        """Do something about workers that are gone and do not come back."""

    def _worker_size(self) -> dict[str, float | None]:
        """Return what one worker has: ``cores`` and bytes of ``memory``; None for what is not known."""
        return {"cores": None, "memory": None}

    def _run(self, coroutine: Coroutine[Any, Any, Any], timeout: float | None = None) -> Any:
        raise NotImplementedError

    def _note(self, text: str) -> None:
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
        if self.status == Status.running and not self._loop.inside:
            try:
                self._loop.run(self._refresh(), 5.0)
            except (OSError, TimeoutError):
                # What was known before is all there is.
                return

    async def _refresh(self) -> None:
        """Ask the scheduler who is there, and notice who is not any more."""
        self._info = await self._cluster_info()
        observed = self._observed()
        now = time.monotonic()
        timeout = config.get_seconds("deploy.lost-worker-timeout") or 0.0
        for name in list(self._missing_since):
            if name in observed or name not in self._requested():
                del self._missing_since[name]
        for name in (self._seen & self._requested()) - observed:
            self._missing_since.setdefault(name, now)
        self._seen |= observed
        lost = {name for name, since in self._missing_since.items() if now - since > timeout}
        if lost:
            self._seen -= lost
            await self._lost(lost)

    def _described_workers(self) -> dict[str, dict[str, Any]]:
        workers: dict[str, dict[str, Any]] = self._describe()["workers"]
        return workers

    def _describe(self) -> dict[str, Any]:
        info = self._info if self._info is not None else pb.GetClusterInfoResponse(address=self.scheduler_address)
        return describe_cluster(info, self.scheduler_address)

    @property
    def scheduler_info(self) -> dict[str, Any]:
        """What there is to know of the scheduler and its workers, as of a moment ago."""
        self._look()
        return self._describe()

    # --- scaling ---

    def scale(self, n: int = 0, memory: float | str | None = None, cores: int | None = None) -> Any:
        """Have so many workers: start new ones, or retire some, whose results move to the others.

        Ends adaptive scaling.

        Parameters
        ----------
        n : int
            How many.
        memory : number or str, optional
            How much memory all of them are to have together; as many workers as that takes.
        cores : int, optional
            How many threads all of them are to have together.

        Raises
        ------
        ValueError
            If `n` is negative, or it is not known how much memory or how many threads a worker has.

        Examples
        --------
        >>> with LocalCluster(n_workers=1, processes=False) as cluster:
        ...     cluster.scale(2)
        ...     cluster.wait_for_workers(2)
        ...     len(cluster.observed)
        2
        """
        if n < 0:
            raise ValueError(f"A cluster cannot have {n} workers")
        count = max(n, self._workers_for("memory", _nbytes(memory)), self._workers_for("cores", cores))
        if self._adaptive is not None:
            self._adaptive.stop("the cluster was scaled by hand")
            self._adaptive = None
        self._note(f"Scales to {count} workers")
        return self._run(self._scale(count))

    def _workers_for(self, what: str, amount: float | None) -> int:
        if amount is None:
            return 0
        each = self._worker_size()[what]
        if not each:
            raise ValueError(f"How much {what} a worker has is not known: scale to a number of workers instead")
        return math.ceil(amount / each)

    async def _scale(self, n: int) -> None:
        # Some may have been retired by others.
        await self._refresh()
        planned = len(self._planned())
        if n > planned:
            await self._scale_up(n)
        elif n < planned:
            # Whoever wants no workers at all wants no results of theirs.
            await self._scale_down(await self._superfluous(planned - n), give_up=n == 0)

    async def _superfluous(self, count: int) -> set[Hashable]:
        """Return names of workers to take out: those that have not come yet, then those with least to move."""
        await self._refresh()
        assert self._info is not None
        ranked = sorted(self._info.workers, key=lambda worker: worker.metrics.get("managed_bytes", 0.0))
        there = self._plan_names(worker.name for worker in ranked)
        # Of equals, the latest go first.
        order = {name: index for index, name in enumerate(self._planned())}
        weight = {worker.name: worker.metrics.get("managed_bytes", 0.0) for worker in self._info.workers}
        texts = self._planned()
        there.sort(key=lambda name: (sum(weight[text] for text in texts[name]), -order[name]))
        absent = [name for name in self._planned() if name not in there]
        return set([*absent, *there][:count])

    def scale_up(self, n: int) -> Any:
        """Have at least `n` workers. Adaptive scaling goes on.

        Examples
        --------
        >>> with LocalCluster(n_workers=0, processes=False) as cluster:
        ...     cluster.scale_up(1)
        ...     cluster.wait_for_workers(1)
        ...     len(cluster.workers)
        1
        """
        return self._run(self._scale_up(n))

    def scale_down(self, workers: Iterable[Hashable]) -> Any:
        """Take workers out, by their names; what only they hold moves to the others. Adaptive scaling goes on.

        Parameters
        ----------
        workers : iterable
            Names, as in `plan`.

        Raises
        ------
        NoWorkersError
            If what they hold cannot be moved; they stay.

        Examples
        --------
        >>> with LocalCluster(n_workers=2, processes=False) as cluster:
        ...     cluster.scale_down([0])
        ...     sorted(cluster.plan)
        [1]
        """
        return self._run(self._scale_down(set(workers)))

    def adapt(
        self,
        Adaptive: type[Adaptive] = Adaptive,
        *,
        minimum_cores: int | None = None,
        maximum_cores: int | None = None,
        minimum_memory: float | str | None = None,
        maximum_memory: float | str | None = None,
        **kwargs: Any,
    ) -> Adaptive:
        """Have the cluster be as large as its work is.

        The scheduler says how many workers what it knows takes; each that is idle for a while is retired. Calling this
        again replaces the former; options that are not given stay as they were. `scale` ends it.

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
            "memory": (_nbytes(minimum_memory), _nbytes(maximum_memory)),
        }
        minimum, maximum = within(options.get("minimum"), options.get("maximum"), self._worker_size(), bounds)
        options.update(minimum=minimum, maximum=maximum)
        # Made first: bad bounds change nothing.
        adaptive = Adaptive(self, **options)  # type: ignore[arg-type]
        if self._adaptive is not None:
            self._adaptive.stop("another one takes its place")
        self._adaptive, self._adaptive_options = adaptive, options
        return adaptive


def _nbytes(amount: float | str | None) -> float | None:
    if isinstance(amount, str):
        from dask.utils import parse_bytes

        return float(parse_bytes(amount))
    return amount
