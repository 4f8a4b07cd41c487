"""NannyService as gRPC serves it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import grpc

from dagrpc._codec import calls
from dagrpc._loop.io_loop import cancel_all, spawn
from dagrpc.exceptions import NotReadyError
from dagrpc.v1 import failure_pb2, scheduler_service_pb2
from dagrpc.v1 import nanny_service_pb2 as pb
from dagrpc_worker.nanny.exit_reasons import ProcessEnd
from dagrpc_worker.nanny.process_watch import Condition, observe
from dagrpc_worker.nanny.restart_rules import Status

_STATUSES = {
    Status.STARTING: pb.PROCESS_STATUS_STARTING,
    Status.RUNNING: pb.PROCESS_STATUS_RUNNING,
    Status.STOPPING: pb.PROCESS_STATUS_STOPPING,
    Status.STOPPED: pb.PROCESS_STATUS_STOPPED,
    Status.FAILED: pb.PROCESS_STATUS_FAILED,
}
_DEFAULT_STOP, _DEFAULT_RESTART = 10.0, 30.0
_LONGEST_WAIT = 30.0


def exit_message(end: ProcessEnd) -> failure_pb2.WorkerExit:
    """Return the message that describes the end of a process."""
    return failure_pb2.WorkerExit(
        cause=failure_pb2.ExitCause.Name(end.cause.value),
        reason=end.reason,
        exit_code=end.code,
        memory_used=end.used,
        memory_limit=end.limit,
        log_lines=[line.encode("utf-8", "replace").decode() for line in end.log],
    )


class NannyPort(Protocol):
    """The part of a nanny that the servicer uses; see `NannyService`."""

    address: str

    @property
    def status(self) -> Status:
        """The status of the worker process."""

    @property
    def pid(self) -> int:
        """The worker's process id; 0 if there is no process."""

    @property
    def name(self) -> str:
        """The worker's name."""

    @property
    def worker_address(self) -> str:
        """Where the worker serves; empty while it is not part of the cluster."""

    @property
    def restarts(self) -> int:
        """Number of times that the worker had to be started again."""

    @property
    def last_exit_code(self) -> int:
        """How the last process ended."""

    @property
    def facade(self) -> Any:
        """The `Nanny` that functions of users get."""

    async def start_worker(self) -> None:
        """Start the worker process unless there is one."""

    async def stop_worker(self, grace: float = ..., reason: str = ...) -> None:
        """Stop the worker process, and wait until it has ended."""

    async def restart(self, timeout: float = ..., reason: str = ...) -> None:
        """Stop the worker process, start another, and wait until it has joined the cluster."""

    async def await_end_of(self, address: str, timeout: float) -> ProcessEnd | None:
        """Return how the worker at an address has ended, after waiting for that."""

    def close_soon(self, reason: str = ...) -> None:
        """Begin to close."""


class NannyServicer:
    """The methods of NannyService, by the names of the contract."""

    def __init__(self, nanny: NannyPort) -> None:
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
        """Describe the worker process."""
        return pb.GetWorkerStatusResponse(worker=self._describe())

    async def ExplainExit(self, request: pb.ExplainExitRequest) -> pb.ExplainExitResponse:
        """Describe how a worker has ended."""
        timeout = min(max(request.timeout_seconds, 0.0), _LONGEST_WAIT)
        end = await self._nanny.await_end_of(request.address, timeout)
        return pb.ExplainExitResponse(exit=None if end is None else exit_message(end))

    async def ObserveWorker(self, request: pb.ObserveWorkerRequest) -> pb.ObserveWorkerResponse:
        """Describe what the worker's process does."""
        condition = Condition.GONE
        if request.address and request.address == self._nanny.worker_address:
            condition = await observe(self._nanny.pid)
        return pb.ObserveWorkerResponse(condition=pb.ProcessCondition.Name(condition.value))

    async def RunInNanny(self, request: pb.RunInNannyRequest) -> pb.RunInNannyResponse:
        """Run a function in this process."""
        work = calls.run_payload(request.run.function, {"dask_worker": self._nanny.facade}, self._executor)
        if request.run.no_wait:
            spawn(work, self._detached)
            result = scheduler_service_pb2.RunResult()
        else:
            result = await work
        result.worker = self._nanny.worker_address or self._nanny.address
        return pb.RunInNannyResponse(result=result)

    async def CloseNanny(self, request: pb.CloseNannyRequest) -> pb.CloseNannyResponse:
        """Close the nanny after the answer."""
        self._nanny.close_soon(request.reason or "asked to")
        return pb.CloseNannyResponse()

    async def close(self) -> None:
        """Cancel the functions that no caller waits for."""
        await cancel_all(self._detached)
        self._executor.shutdown(wait=False, cancel_futures=True)
