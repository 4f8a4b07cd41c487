"""Runs functions in the worker's process, and tells how the worker is."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dagrpc._codec import calls
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc.v1 import common_pb2, scheduler_service_pb2, worker_service_pb2
from dagrpc_worker.shell.session.worker_info import describe

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService

logger = logging.getLogger("dagrpc.worker")

_THREADS = 8
"""Of their own, so that functions run while all task threads are busy."""


class ControlServicer:
    """Run and GetStatus.

    Parameters
    ----------
    worker : WorkerService
        The worker.
    """

    def __init__(self, worker: WorkerService) -> None:
        self._worker = worker
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="dagrpc-run")
        self._detached: set[asyncio.Task[Any]] = set()

    async def run(self, request: worker_service_pb2.RunRequest) -> worker_service_pb2.RunResponse:
        """Run a function."""
        self._worker.to_nanny.at_work()
        injected = self._injected()
        if request.no_wait:
            spawn(self._run_detached(request.function), self._detached)
            result = scheduler_service_pb2.RunResult()
        else:
            result = await calls.run_payload(request.function, injected, self._executor)
        result.worker = self._worker.address
        return worker_service_pb2.RunResponse(result=result)

    def _injected(self) -> dict[str, Any]:
        """Return what functions are given by the names of their parameters."""
        # It knows the service, which knows this.
        from dagrpc_worker.shell.facade.worker import Worker

        return {"dask_worker": Worker.of(self._worker)}

    async def _run_detached(self, function: common_pb2.Payload) -> None:
        """Run a function whose result nobody waits for; an exception goes to the log."""
        result = await calls.run_payload(function, self._injected(), self._executor)
        try:
            calls.result_of(result)
        except BaseException:
            logger.warning("%s: a function that was run without waiting failed", self._worker.address, exc_info=True)

    async def get_status(self, _: worker_service_pb2.GetStatusRequest) -> worker_service_pb2.GetStatusResponse:
        """Tell how the worker is."""
        now = time.time()
        return worker_service_pb2.GetStatusResponse(
            worker=describe(self._worker),
            executing={key: now - start for key, start in self._worker.executing().items()},
            tasks=self._worker.task_counts(),
        )

    async def close(self) -> None:
        """Give up the functions that nobody waits for."""
        await cancel_all(self._detached)
        self._executor.shutdown(wait=False, cancel_futures=True)
