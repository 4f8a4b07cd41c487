"""NannyService: what a nanny answers."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc

from dagrpc._codec import calls
from dagrpc._io.loop import cancel_all, spawn
from dagrpc.exceptions import NotReadyError
from dagrpc.v1 import nanny_service_pb2 as pb
from dagrpc.v1 import scheduler_service_pb2
from dagrpc_worker.nanny.core import Status

if TYPE_CHECKING:
    from dagrpc_worker.nanny.service import NannyService

_STATUSES = {
    Status.STARTING: pb.PROCESS_STATUS_STARTING,
    Status.RUNNING: pb.PROCESS_STATUS_RUNNING,
    Status.STOPPING: pb.PROCESS_STATUS_STOPPING,
    Status.STOPPED: pb.PROCESS_STATUS_STOPPED,
    Status.FAILED: pb.PROCESS_STATUS_FAILED,
}
_DEFAULT_STOP, _DEFAULT_RESTART = 10.0, 30.0


class NannyServicer:
    """The methods of NannyService.

    Parameters
    ----------
    nanny : NannyService
        The nanny.
    """

    def __init__(self, nanny: NannyService) -> None:
        self._nanny = nanny
        self._executor = ThreadPoolExecutor(4, thread_name_prefix="dagrpc-run")
        self._detached: set[asyncio.Task[Any]] = set()

    def _describe(self) -> pb.WorkerProcess:
        nanny = self._nanny
        return pb.WorkerProcess(
            status=_STATUSES[nanny.status],
            pid=nanny.pid,
            address=nanny.worker_address,
            name=nanny.name,
            restarts=nanny.restarts,
            last_exit_code=nanny.last_exit_code,
        )

    async def StartWorker(self, _: pb.StartWorkerRequest) -> pb.StartWorkerResponse:
        """Start the worker unless it runs."""
        await self._nanny.start_worker()
        return pb.StartWorkerResponse(worker=self._describe())

    async def StopWorker(self, request: pb.StopWorkerRequest) -> pb.StopWorkerResponse:
        """Stop the worker."""
        await self._nanny.stop_worker(request.timeout_seconds or _DEFAULT_STOP, request.reason)
        return pb.StopWorkerResponse(worker=self._describe())

    async def RestartWorker(self, request: pb.RestartWorkerRequest, context: Any) -> pb.RestartWorkerResponse:
        """Stop the worker and start another."""
        timeout = request.timeout_seconds or _DEFAULT_RESTART
        try:
            await self._nanny.restart(timeout, request.reason)
        except TimeoutError:
            message = f"The new worker did not join the cluster within {timeout:g} s"
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, message)
        except RuntimeError as error:
            raise NotReadyError(f"The worker cannot be restarted: {error}") from None
        return pb.RestartWorkerResponse(worker=self._describe())

    async def GetWorkerStatus(self, _: pb.GetWorkerStatusRequest) -> pb.GetWorkerStatusResponse:
        """Tell how the worker is."""
        return pb.GetWorkerStatusResponse(worker=self._describe())

    async def RunInNanny(self, request: pb.RunInNannyRequest) -> pb.RunInNannyResponse:
        """Run a function in this process."""
        work = calls.run_payload(request.run.function, {"dask_worker": self._nanny}, self._executor)
        if request.run.no_wait:
            spawn(work, self._detached)
            result = scheduler_service_pb2.RunResult()
        else:
            result = await work
        result.worker = self._nanny.worker_address or self._nanny.address
        return pb.RunInNannyResponse(result=result)

    async def CloseNanny(self, request: pb.CloseNannyRequest) -> pb.CloseNannyResponse:
        """Close the nanny, once this is answered."""
        self._nanny.close_soon(request.reason or "asked to")
        return pb.CloseNannyResponse()

    async def close(self) -> None:
        """Give up what runs."""
        await cancel_all(self._detached)
        self._executor.shutdown(wait=False, cancel_futures=True)
