"""Questions about the cluster, and orders to it: one coroutine each, to be run on the IO loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dagrpc._client.options import Workers, names_nobody, worker_names
from dagrpc._client.session import ClientSession
from dagrpc._client.waiting import Deadline
from dagrpc._client.worker_metrics import described
from dagrpc._codec.calls import encode_call_request, result_of
from dagrpc._common.addresses import without_scheme
from dagrpc._common.keys import Key, decode_key
from dagrpc._common.remote_raise import uncarried
from dagrpc._common.worker_names import as_given
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import CommClosedError, WorkerStartTimeoutError
from dagrpc.objects import HasWhat, SchedulerInfo, WhoHas
from dagrpc.v1 import common_pb2, scheduler_service_pb2

logger = logging.getLogger("dagrpc.client")

_POLL = 0.05


def _scheduler(session: ClientSession) -> ServiceClient:
    session.check_open()
    assert session.scheduler is not None
    return session.scheduler


# --- questions ---------------------------------------------------------------------------------------------------


async def who_has(session: ClientSession, wire_keys: Sequence[str] | None) -> WhoHas:
    """Return the workers that hold results, by key. None asks about all."""
    if wire_keys is not None and not wire_keys:
        return WhoHas()
    request = scheduler_service_pb2.WhoHasRequest(keys=wire_keys)
    response = await _scheduler(session).call("WhoHas", request, scheduler_service_pb2.WhoHasResponse)
    return WhoHas({decode_key(ref.key): tuple(ref.workers) for ref in response.data})


async def nbytes(session: ClientSession, wire_keys: Sequence[str] | None) -> dict[Key, int]:
    """Return the sizes in bytes of the results that are there, by key. None asks about all."""
    if wire_keys is not None and not wire_keys:
        return {}
    request = scheduler_service_pb2.WhoHasRequest(keys=wire_keys)
    response = await _scheduler(session).call("WhoHas", request, scheduler_service_pb2.WhoHasResponse)
    return {decode_key(ref.key): ref.nbytes for ref in response.data if ref.workers}


async def has_what(session: ClientSession, workers: Workers) -> HasWhat:
    """Return the keys of the results that workers hold."""
    if names_nobody(workers):
        return HasWhat({})
    request = scheduler_service_pb2.HasWhatRequest(workers=worker_names(workers))
    response = await _scheduler(session).call("HasWhat", request, scheduler_service_pb2.HasWhatResponse)
    return HasWhat({entry.worker: tuple(map(decode_key, entry.keys)) for entry in response.workers})


async def processing(session: ClientSession, workers: Workers) -> dict[str, tuple[Key, ...]]:
    """Return the keys of the tasks that workers are busy with."""
    if names_nobody(workers):
        return {}
    request = scheduler_service_pb2.ProcessingRequest(workers=worker_names(workers))
    response = await _scheduler(session).call("Processing", request, scheduler_service_pb2.ProcessingResponse)
    return {entry.worker: tuple(map(decode_key, entry.keys)) for entry in response.workers}


async def ask_cluster_info(session: ClientSession) -> scheduler_service_pb2.GetClusterInfoResponse:
    """Return what the scheduler says of itself and its workers."""
    request = scheduler_service_pb2.GetClusterInfoRequest()
    return await _scheduler(session).call("GetClusterInfo", request, scheduler_service_pb2.GetClusterInfoResponse)


async def scheduler_info(session: ClientSession, n_workers: int = -1) -> SchedulerInfo:
    """Return what there is to know of the scheduler and of at most so many of its workers."""
    return describe_cluster(await ask_cluster_info(session), session.address, n_workers)


def describe_cluster(
    info: scheduler_service_pb2.GetClusterInfoResponse, address: str, n_workers: int = -1
) -> SchedulerInfo:
    """Return as plain data what the scheduler said of itself and its workers."""
    shown = info.workers if n_workers < 0 else info.workers[:n_workers]
    facts = {
        "type": "Scheduler",
        "id": info.scheduler_id,
        "address": info.address or address,
        "services": dict(info.services),
        "started": info.started,
        "n_workers": len(info.workers),
        "total_threads": sum(worker.nthreads for worker in info.workers),
        "total_memory": sum(worker.memory_limit for worker in info.workers),
        "workers": {worker.address: describe_worker(worker) for worker in shown},
    }
    return SchedulerInfo(facts)


def describe_worker(worker: scheduler_service_pb2.WorkerInfo) -> dict[str, Any]:
    """Return as plain data what the scheduler said of one worker."""
    status = common_pb2.WorkerStatus.Name(worker.status).removeprefix("WORKER_STATUS_").lower()
    return {
        "type": "Worker",
        "id": as_given(worker.name),
        "host": worker.host,
        "resources": dict(worker.resources),
        "local_directory": worker.local_directory,
        "name": as_given(worker.name),
        "nthreads": worker.nthreads,
        "memory_limit": worker.memory_limit,
        "last_seen": worker.last_seen,
        "services": dict(worker.services),
        "metrics": described(worker.metrics),
        "status": status,
        "nanny": worker.nanny or None,
        "pid": worker.pid,
    }


async def nthreads(session: ClientSession, workers: Workers) -> dict[str, int]:
    """Return how many threads workers have."""
    names = set(worker_names(workers))
    known = (await scheduler_info(session))["workers"]
    return {
        address: info["nthreads"]
        for address, info in known.items()
        if workers is None or names & {without_scheme(address), str(info["name"]), info["host"]}
    }


async def wait_for_workers(session: ClientSession, n_workers: int, deadline: Deadline) -> None:
    """Return once there are so many workers.

    Raises
    ------
    WorkerStartTimeoutError
        If there are not before the deadline.
    """
    while True:
        count = (await scheduler_info(session, 0))["n_workers"]
        if count >= n_workers:
            return
        left = deadline.left()
        if left is not None and left <= 0:
            raise WorkerStartTimeoutError(count, n_workers, deadline.timeout or 0.0)
        await asyncio.sleep(_POLL if left is None else min(_POLL, left))


# --- functions outside the graph ---------------------------------------------------------------------------------


async def run(
    session: ClientSession,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    workers: Workers,
    wait: bool,
    nanny: bool,
) -> Sequence[scheduler_service_pb2.RunResult] | None:
    """Run a function on workers and return what came of it on each; None if nobody waits."""
    if workers is not None and not worker_names(workers):
        return ()
    request = scheduler_service_pb2.RunOnWorkersRequest(
        function=encode_call_request(function, args, kwargs, session.families),
        workers=worker_names(workers),
        nanny=nanny,
        no_wait=not wait,
    )
    response = await _scheduler(session).call(
        "RunOnWorkers", request, scheduler_service_pb2.RunOnWorkersResponse, timeout=None
    )
    return response.results if wait else None


def answers(
    session: ClientSession, results: Sequence[scheduler_service_pb2.RunResult], on_error: str
) -> dict[str, Any]:
    """Return what a function returned on each worker."""
    values: dict[str, Any] = {}
    for result in results:
        try:
            values[result.worker] = result_of(result, session.families)
        except BaseException as error:
            if on_error == "raise":
                raise
            if on_error == "return":
                values[result.worker] = uncarried(error)
    return values


async def run_on_scheduler(
    session: ClientSession,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    wait: bool = True,
) -> scheduler_service_pb2.RunResult:
    """Run a function on the scheduler. What it returned is empty if it is not waited for."""
    called = encode_call_request(function, args, kwargs, session.families)
    request = scheduler_service_pb2.RunOnSchedulerRequest(function=called, no_wait=not wait)
    response = await _scheduler(session).call(
        "RunOnScheduler", request, scheduler_service_pb2.RunOnSchedulerResponse, timeout=None
    )
    return response.result


# --- orders ------------------------------------------------------------------------------------------------------


async def restart(session: ClientSession, workers: Sequence[str], timeout: float, wait: bool) -> dict[str, str]:
    """Restart workers, all of them if none are named, and return what became of each."""
    request = scheduler_service_pb2.RestartWorkersRequest(
        timeout_seconds=timeout, workers=list(workers), no_wait=not wait
    )
    response = await _scheduler(session).call(
        "RestartWorkers", request, scheduler_service_pb2.RestartWorkersResponse, timeout=timeout + 30
    )
    # The futures are cancelled by events of the session, which this answer may have overtaken.
    await session.ping()
    return dict(response.outcomes)


async def shutdown(session: ClientSession) -> None:
    """Stop the scheduler and with it all workers."""
    request = scheduler_service_pb2.ShutdownRequest(reason=f"asked by {session.client_id}")
    try:
        await _scheduler(session).call("Shutdown", request, scheduler_service_pb2.ShutdownResponse)
    except CommClosedError:
        # It may be gone before it could answer.
        logger.debug("The scheduler ended the connection while it was shut down", exc_info=True)
    await session.wait_ended(10)
