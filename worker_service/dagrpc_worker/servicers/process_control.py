"""The rpcs Run and GetStatus of WorkerService: functions in the worker's process, and the worker's status."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dagrpc._codec import calls
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc.registry import exported
from dagrpc.v1 import common_pb2, scheduler_service_pb2, task_service_pb2, worker_service_pb2
from dagrpc_worker.execute.function_schema import parameters_schema
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

    async def describe_functions(
        self, request: worker_service_pb2.DescribeFunctionsRequest
    ) -> worker_service_pb2.DescribeFunctionsResponse:
        """Describe exported functions; entry points are loaded for it."""
        functions = await asyncio.get_running_loop().run_in_executor(self._executor, _describe, list(request.names))
        return worker_service_pb2.DescribeFunctionsResponse(functions=functions)

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


def _describe(names: Sequence[str]) -> list[task_service_pb2.Function]:
    found = []
    for name in names:
        try:
            function = exported(name)
        except Exception:
            logger.warning("The entry point of function %r cannot be loaded", name, exc_info=True)
            continue
        if function is not None:
            doc, schema = inspect.getdoc(function) or "", parameters_schema(function)
            found.append(task_service_pb2.Function(name=name, doc=doc, parameters_schema=schema))
    return found
