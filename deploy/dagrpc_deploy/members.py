"""The objects that stand for the workers of a `SpecCluster`, made and closed as its specification says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any

from dagrpc._common.server_status import Status
from dagrpc._process.server_classes import load_class
from dagrpc.exceptions import DagrpcError, NoWorkersError
from dagrpc_deploy.roster import Roster
from dagrpc_deploy.scheduler_connection import SchedulerConnection

logger = logging.getLogger("dagrpc.deploy")

OVER = (Status.closing, Status.closed, Status.failed, Status.stopped)
"""States of servers that do not come back."""
_AT_REST = (Status.running, Status.paused)


class Members:
    """The workers of a cluster. All methods run on dagrpc's event loop.

    `spec` returns the workers that the cluster should have; a worker that does not start leaves them. `address` returns
    the scheduler's address for workers, or "" while workers cannot start. `refresh` updates the roster. `note` adds a
    line to the cluster's log.
    """

    def __init__(
        self,
        owner: str,
        spec: Callable[[], dict[Any, Mapping[str, Any]]],
        connection: SchedulerConnection,
        roster: Roster,
        *,
        address: Callable[[], str],
        refresh: Callable[[], Any],
        note: Callable[[str], None],
    ) -> None:
        self._owner = owner
        self._spec = spec
        self._connection = connection
        self._roster = roster
        self._address, self._refresh, self._note = address, refresh, note
        self.workers: dict[Any, Any] = {}
        """The objects by name. Always the same dict."""
        self.given_up: set[Hashable] = set()
        """Names of workers whose results may be lost with them."""
        self.failed = False
        """Whether none of the workers that were started last has come up."""
        self._specs: dict[Hashable, Mapping[str, Any]] = {}
        """The specifications from which `workers` were made."""
        self._aligning = asyncio.Lock()

    # --- the workers follow the specification ---

    async def align(self) -> None:
        """Start and close workers until they are those of the specification.

        Raises `NoWorkersError` if the results of some workers cannot be moved: these workers stay, and return to the
        specification. Raises the error of a worker that does not start: it leaves the specification.
        """
        async with self._aligning:
            if not self._address():
                return
            await self.drop_those_over()
            await self._start_missing()
            await self._close_extra()

    async def _start_missing(self) -> None:
        missing = {name: each for name, each in list(self._spec().items()) if name not in self.workers}
        if not missing:
            return
        # Workers that start at the same time may share a process.
        outcomes = await asyncio.gather(
            *(self._start(name, each) for name, each in missing.items()), return_exceptions=True
        )
        failed = {name: each for name, each in zip(missing, outcomes, strict=True) if isinstance(each, BaseException)}
        self.failed = len(failed) == len(missing)
        for name, error in failed.items():
            self._spec().pop(name, None)
            worker = self.workers.pop(name, None)
            if worker is not None:
                await close_quietly(worker)
            error.add_note(f"This kept worker {name!r} of {self._owner} from starting.")
        for name, error in list(failed.items())[1:]:
            logger.warning("%s: worker %r did not start: %s", self._owner, name, error)
        if self.failed and not self.workers:
            self._note("Has no workers: none of those started lives, and no others start unless the cluster is scaled")
        for error in failed.values():
            raise error

    async def _start(self, name: Hashable, spec: Mapping[str, Any]) -> None:
        options = {"name": name, **spec.get("options", {})}
        worker = load_class(spec["cls"])(self._address(), **options)
        self.workers[name], self._specs[name] = worker, spec
        await worker

    async def _close_extra(self) -> None:
        extra = [name for name in self.workers if name not in self._spec()]
        if not extra:
            return
        staying = await self._retire(extra)
        if lost := staying & self.given_up:
            logger.warning("%s closes workers %s; results that only they hold are lost", self._owner, _listed(lost))
        self.given_up.difference_update(extra)
        staying -= lost
        for name in staying:
            self._spec()[name] = self._specs[name]
        # The scheduler may have lost some of them meanwhile.
        leaving = [self.workers.pop(name) for name in extra if name in self.workers and name not in staying]
        await asyncio.gather(*(close_quietly(worker) for worker in leaving))
        if staying:
            raise NoWorkersError(f"Workers {_listed(staying)} stay: their results cannot be moved to another worker")

    async def _retire(self, names: Collection[Hashable]) -> set[Hashable]:
        """Retire workers on the scheduler, and return the names of those that it keeps."""
        try:
            texts = {name: names_on_scheduler(name, self._specs[name]) for name in names}
            await self._refresh()
            there = [text for name in self._known(texts) for text in texts[name]]
            if not there:
                return set()
            await self._connection.retire(there)
            await self._refresh()
            return self._known(texts)
        except (OSError, DagrpcError) as error:
            # Without a scheduler nothing moves their results.
            logger.warning("%s closes workers without retiring them: %s", self._owner, error)
            return set()

    def _known(self, texts: Mapping[Hashable, tuple[str, ...]]) -> set[Hashable]:
        """Return the workers that the scheduler knows by at least one name."""
        known = self._roster.known_names()
        return {name for name, on_scheduler in texts.items() if known.intersection(on_scheduler)}

    # --- workers that are gone ---

    async def drop_those_over(self) -> bool:
        """Forget workers whose objects have closed; return whether one of them has failed."""
        found = {name: getattr(worker, "status", None) for name, worker in self.workers.items()}
        over = {name: status for name, status in found.items() if status in OVER}
        await self._forget(over)
        return any(status == Status.failed and name in self._spec() for name, status in over.items())

    async def drop(self, names: Collection[Hashable]) -> None:
        """Forget workers that the scheduler has lost, except those that are about to come back."""
        gone = {name for name in names if getattr(self.workers.get(name), "status", Status.running) in _AT_REST}
        await self._forget(gone)

    async def _forget(self, names: Collection[Hashable]) -> None:
        lost = {name: self.workers.pop(name) for name in names if name in self.workers}
        if unexpected := [name for name in lost if name in self._spec()]:
            logger.warning("%s has lost workers %s", self._owner, _listed(unexpected))
        await asyncio.gather(*(close_quietly(worker) for worker in lost.values()))

    async def close(self, timeout: float) -> None:
        """Close all workers."""
        await asyncio.gather(*(close_quietly(worker, timeout) for worker in self.workers.values()))
        self.workers.clear()


def names_on_scheduler(name: Hashable, spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names on the scheduler of the workers for which one object stands."""
    return tuple(f"{name}{suffix}" for suffix in spec["group"]) if "group" in spec else (str(name),)


async def close_quietly(server: Any, timeout: float = 10.0) -> None:
    """Close the object of a worker or scheduler in whatever state it is; log errors."""
    try:
        await asyncio.wait_for(server.close(), timeout + 5.0)
    except (DagrpcError, OSError, RuntimeError, TimeoutError) as error:
        logger.warning("%r did not close cleanly: %s", server, error or type(error).__name__)


def _listed(names: Collection[Hashable]) -> str:
    return ", ".join(map(str, names))
