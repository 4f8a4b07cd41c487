"""The objects that stand for the workers of a cluster, made and closed as its specification says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from dagrpc._common.server_status import Status
from dagrpc._process.server_classes import load_class
from dagrpc.exceptions import DagrpcError, NoWorkersError
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_deploy.cluster import NOT_CONNECTED

if TYPE_CHECKING:
    from dagrpc_deploy.spec import SpecCluster

logger = logging.getLogger("dagrpc.deploy")

OVER = (Status.closing, Status.closed, Status.failed, Status.stopped)
"""What servers do that do not come back."""
_RETIRE_LIMIT = 600.0
_AT_REST = (Status.running, Status.paused)


class Members:
    """The workers of a cluster. All but `superfluous` runs on dagrpc's event loop.

    Parameters
    ----------
    cluster : SpecCluster
        Its `worker_spec` says who there is to be.

    Attributes
    ----------
    workers : dict
        The objects by name. It is the same one for ever.
    given_up : set
        Names of those whose results may get lost with them.
    failed : bool
        Whether those that were to be there last did not start.
    """

    def __init__(self, cluster: SpecCluster) -> None:
        self._cluster = cluster
        self.workers: dict[Any, Any] = {}
        self.given_up: set[Hashable] = set()
        self.failed = False
        self._specs: dict[Hashable, Mapping[str, Any]] = {}
        """What those in `workers` were made of."""
        self._aligning = asyncio.Lock()

    # --- from what is to be to what is ---

    async def align(self) -> None:
        """Start and close workers until those are there that are to be.

        Raises
        ------
        NoWorkersError
            If some that are to go hold what cannot be moved. They stay, in the specification, too.
        Exception
            If one does not start: what it raised. It is in the specification no more.
        """
        async with self._aligning:
            if self._cluster.scheduler_address == NOT_CONNECTED or self._cluster._life in OVER:
                return
            await self.drop_those_over()
            await self._start_missing()
            await self._close_extra()

    async def _start_missing(self) -> None:
        spec = self._cluster.worker_spec
        missing = {name: each for name, each in list(spec.items()) if name not in self.workers}
        if not missing:
            return
        # Those that start at once may share what is theirs.
        outcomes = await asyncio.gather(
            *(self._start(name, each) for name, each in missing.items()), return_exceptions=True
        )
        failed = {name: each for name, each in zip(missing, outcomes, strict=True) if isinstance(each, BaseException)}
        self.failed = len(failed) == len(missing)
        for name, error in failed.items():
            spec.pop(name, None)
            worker = self.workers.pop(name, None)
            if worker is not None:
                await close_quietly(worker)
            error.add_note(f"This kept worker {name!r} of {self._cluster.name} from starting.")
        for name, error in list(failed.items())[1:]:
            logger.warning("%s: worker %r did not start: %s", self._cluster.name, name, error)
        if self.failed and not self.workers:
            self._cluster._note("Has no workers: none that was started lives, and no others come unless it is scaled")
        for error in failed.values():
            raise error

    async def _start(self, name: Hashable, spec: Mapping[str, Any]) -> None:
        options = {"name": name, **spec.get("options", {})}
        worker = load_class(spec["cls"])(str(self._cluster.scheduler.address), **options)
        self.workers[name], self._specs[name] = worker, spec
        await worker

    async def _close_extra(self) -> None:
        extra = [name for name in self.workers if name not in self._cluster.worker_spec]
        if not extra:
            return
        staying = await self._retire(extra)
        if lost := staying & self.given_up:
            logger.warning(
                "%s closes workers %s, and what only they hold goes with them", self._cluster.name, _listed(lost)
            )
        self.given_up.difference_update(extra)
        staying -= lost
        for name in staying:
            self._cluster.worker_spec[name] = self._specs[name]
        # Some may have been forgotten meanwhile.
        leaving = [self.workers.pop(name) for name in extra if name in self.workers and name not in staying]
        await asyncio.gather(*(close_quietly(worker) for worker in leaving))
        if staying:
            raise NoWorkersError(f"Workers {_listed(staying)} stay: what they hold cannot be moved to another worker")

    async def _retire(self, names: Collection[Hashable]) -> set[Hashable]:
        """Have the scheduler do without workers, and return the names of those that it cannot spare."""
        cluster = self._cluster
        try:
            texts = {name: names_on_scheduler(name, self._specs[name]) for name in names}
            await cluster._refresh()
            there = [text for name in self._there(texts) for text in texts[name]]
            if not there:
                return set()
            request = pb.RetireWorkersRequest(workers=there)
            await cluster._scheduler().call("RetireWorkers", request, pb.RetireWorkersResponse, timeout=_RETIRE_LIMIT)
            await cluster._refresh()
            return self._there(texts)
        except (OSError, DagrpcError) as error:
            # Then there is nobody to move results.
            logger.warning("%s closes workers without retiring them: %s", cluster.name, error)
            return set()

    def _there(self, texts: Mapping[Hashable, tuple[str, ...]]) -> set[Hashable]:
        info = self._cluster._info
        known = {worker.name for worker in info.workers} if info is not None else set()
        return {name for name, on_scheduler in texts.items() if known.intersection(on_scheduler)}

    def superfluous(self, count: int) -> set[Hashable]:
        """Return names of workers to do without: those that have not come yet, then those with least to move."""
        info, planned = self._cluster._info, self._cluster._planned()
        held = {worker.name: worker.metrics.get("managed_bytes", 0.0) for worker in info.workers} if info else {}
        order = {name: index for index, name in enumerate(planned)}

        def rank(name: Hashable) -> tuple[bool, float, int]:
            texts = planned[name]
            # Of equals, the latest go first.
            return all(text in held for text in texts), sum(held.get(text, 0.0) for text in texts), -order[name]

        return set(sorted(planned, key=rank)[:count])

    # --- those that are gone ---

    async def drop_those_over(self) -> bool:
        """Forget workers whose objects say that they are over; return whether one of them has failed."""
        found = {name: getattr(worker, "status", None) for name, worker in self.workers.items()}
        over = {name: status for name, status in found.items() if status in OVER}
        await self._forget(over)
        return any(status == Status.failed and name in self._cluster.worker_spec for name, status in over.items())

    async def drop(self, names: Collection[Hashable]) -> None:
        """Forget workers that the scheduler has lost, but for those that are about to come back."""
        gone = {name for name in names if getattr(self.workers.get(name), "status", Status.running) in _AT_REST}
        await self._forget(gone)

    async def _forget(self, names: Collection[Hashable]) -> None:
        lost = {name: self.workers.pop(name) for name in names if name in self.workers}
        if unexpected := [name for name in lost if name in self._cluster.worker_spec]:
            logger.warning("%s has lost workers %s", self._cluster.name, _listed(unexpected))
        await asyncio.gather(*(close_quietly(worker) for worker in lost.values()))

    async def close(self, timeout: float) -> None:
        """Close all of them."""
        await asyncio.gather(*(close_quietly(worker, timeout) for worker in self.workers.values()))
        self.workers.clear()


def names_on_scheduler(name: Hashable, spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names that the scheduler has for what one object stands for."""
    return tuple(f"{name}{suffix}" for suffix in spec["group"]) if "group" in spec else (str(name),)


async def close_quietly(thing: Any, timeout: float = 10.0) -> None:
    """Close what stands for a worker or scheduler, whatever state it is in."""
    try:
        await asyncio.wait_for(thing.close(), timeout + 5.0)
    except (DagrpcError, OSError, RuntimeError, TimeoutError) as error:
        logger.warning("%r did not close cleanly: %s", thing, error or type(error).__name__)


def _listed(names: Collection[Hashable]) -> str:
    return ", ".join(map(str, names))
