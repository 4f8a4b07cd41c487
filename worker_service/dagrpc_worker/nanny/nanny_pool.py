"""Runs nannies on one event loop until all of them have closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from dagrpc._common.addresses import split_address
from dagrpc._loop.io_loop import adopt_running_loop, run_service
from dagrpc._process.child import Parent
from dagrpc_worker.exits import exit_after
from dagrpc_worker.nanny.nanny_process import EarlyWorker
from dagrpc_worker.nanny.nanny_server import GRACE, NannyService
from dagrpc_worker.nanny.restart_rules import Status
from dagrpc_worker.options import NannyOptions
from dagrpc_worker.signals import on_stop_signals

logger = logging.getLogger("dagrpc.nanny")

_EXIT_TIMEOUT = 5.0


def host_nannies(early: Sequence[EarlyWorker], settings: Mapping[str, Any], parent: Parent | None = None) -> int:
    """Run the nannies of spawned worker processes, and return the exit code: 1 if a nanny gave up.

    Parameters
    ----------
    settings : mapping
        As for `spawn_workers`.
    parent : Parent, optional
        Gets a report on every change. If the parent process ends, all nannies close.
    """
    return run_service(_Host(early, settings, parent).run())


class _Host:
    """The nannies of a process."""

    def __init__(self, early: Sequence[EarlyWorker], settings: Mapping[str, Any], parent: Parent | None) -> None:
        self._early = early
        self._settings = settings
        self._parent = parent
        self._nannies: list[NannyService] = []
        self._reported: dict[int, dict[str, Any]] = {}
        self._changed = asyncio.Event()

    async def run(self) -> int:
        adopt_running_loop()
        on_stop_signals(lambda reason: self._close_all(reason, drain=True), self._close_all)
        if self._parent is not None:
            loop = asyncio.get_running_loop()
            self._parent.watch(lambda: loop.call_soon_threadsafe(self._orphaned))
        self._nannies = [self._nanny(worker) for worker in self._early]
        try:
            await asyncio.gather(*(nanny.start() for nanny in self._nannies))
        except (OSError, ValueError) as error:
            logger.error("Nannies cannot start: %s", error)
            self._close_all("a nanny cannot start")
        await self._all_over()
        for nanny in self._nannies:
            # A nanny that is closing may still be draining its worker.
            if not nanny.closed:
                nanny.close_soon("no worker is left")
        await asyncio.gather(*(nanny.finished() for nanny in self._nannies))
        code = 1 if any(nanny.status is Status.FAILED for nanny in self._nannies) else 0
        # Threads of functions that users ran in the nannies may go on.
        exit_after(_EXIT_TIMEOUT, code)
        return code

    def _nanny(self, worker: EarlyWorker) -> NannyService:
        options = NannyOptions(
            worker=worker.options,
            host=self._settings["host"],
            port=worker.port.port,
            contact_host=split_address(worker.options["nanny"])[0],
            **worker.settings,
            env=worker.environ,
            preload_nanny=self._settings.get("preload_nanny"),
            preload_nanny_argv=self._settings.get("preload_nanny_argv"),
            security=worker.options.get("security"),
        )
        return NannyService(options, worker.process, _make_facade, self._on_change)

    async def _all_over(self) -> None:
        """Wait until every nanny has closed or given up. A nanny whose worker was stopped may start another."""
        while not all(nanny.closed or nanny.status is Status.FAILED for nanny in self._nannies):
            self._changed.clear()
            await self._changed.wait()

    def _on_change(self, nanny: NannyService) -> None:
        """Report a change to the parent."""
        self._changed.set()
        message = {
            "status": nanny.status.value,
            "name": nanny.name,
            "nanny_address": nanny.options.worker["nanny"],
            "worker_address": nanny.worker_address,
            "pid": nanny.pid,
            "error": nanny.error,
        }
        if self._parent is not None and self._reported.get(id(nanny)) != message:
            self._reported[id(nanny)] = message
            self._parent.report(message)

    def _close_all(self, reason: str, drain: bool = False) -> None:
        for nanny in self._nannies:
            nanny.close_soon(reason, drain)

    def _orphaned(self) -> None:
        # The workers have their grace period first.
        exit_after(GRACE + _EXIT_TIMEOUT, 1)
        self._close_all("the parent process is gone")


def _make_facade(nanny: NannyService) -> Any:
    # Imported late: most nannies run no code of users.
    from dagrpc_worker.nanny.nanny import Nanny

    return Nanny.of(nanny)
