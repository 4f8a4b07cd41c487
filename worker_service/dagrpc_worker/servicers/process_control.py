"""The rpcs Run and GetStatus of WorkerService: functions in the worker's process, and the worker's status."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dagrpc._codec import calls
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc.v1 import common_pb2, scheduler_service_pb2, worker_service_pb2
from dagrpc_worker.shell.session.worker_info import describe
from dagrpc_worker.shell.worker_record import WorkerPort

logger = logging.getLogger("dagrpc.worker")

_THREADS = 8
"""Separate from the task threads, so that functions run while all of these are busy."""


class ControlServicer:
    """Answers Run and GetStatus."""

    def __init__(self, worker: WorkerPort) -> None:
        self._worker = worker
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="dagrpc-run")
        self._detached: set[asyncio.Task[Any]] = set()

    async def run(self, request: worker_service_pb2.RunRequest) -> worker_service_pb2.RunResponse:
        """Run a function."""
        self._worker.given_work()
        if request.no_wait:
            spawn(self._run_detached(request.function), self._detached)
            result = scheduler_service_pb2.RunResult()
        else:
            result = await self._call(request.function)
        result.worker = self._worker.record.address
        return worker_service_pb2.RunResponse(result=result)

    async def _call(self, function: common_pb2.Payload) -> scheduler_service_pb2.RunResult:
        # The worker is the argument of a function's parameter `dask_worker`.
        return await calls.run_payload(function, {"dask_worker": self._worker.facade}, self._executor)

    async def _run_detached(self, function: common_pb2.Payload) -> None:
        """Run a function without a caller that waits; the log tells of an exception."""
        result = await self._call(function)
        try:
            calls.result_of(result)
        except BaseException:
            logger.warning("%s: a function run with wait=False has failed", self._worker.record, exc_info=True)

    async def get_status(self, _: worker_service_pb2.GetStatusRequest) -> worker_service_pb2.GetStatusResponse:
        """Return the worker's description, its running tasks, and the number of tasks in each state."""
        worker, now = self._worker, time.time()
        return worker_service_pb2.GetStatusResponse(
            worker=describe(worker.record, worker.data, worker.counts()),
            executing={key: now - start for key, start in worker.executing().items()},
            tasks=worker.state.counts(),
        )

    async def close(self) -> None:
        """Cancel the functions that no caller waits for."""
        await cancel_all(self._detached)
        self._executor.shutdown(wait=False, cancel_futures=True)
