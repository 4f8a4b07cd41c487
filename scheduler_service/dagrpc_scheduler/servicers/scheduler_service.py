"""SchedulerService: what clients and operators call."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from dagrpc._codec.calls import result_of, run_payload
from dagrpc._loop.io_loop import spawn
from dagrpc.exceptions import CodeNotAllowedError, NoWorkersError, UnknownSessionError, UnknownWorkerError
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc.v1.common_pb2 import DataRef
from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.servicers import cluster_info_messages, transfer_relay
from dagrpc_scheduler.servicers.client_session import hold_session
from dagrpc_scheduler.shell.workers import worker_calls
from dagrpc_scheduler.shell.workers.retire_workers import retire_workers

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

DEFAULT_TASK_LIMIT = 1_000


class SchedulerServicer:
    """What clients and operators call; each method is the rpc of its name.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    def _resolve(self, workers: Any) -> list[str]:
        return self._service.resolve_workers(workers)

    def _resolve_or_keep(self, workers: Any) -> list[str]:
        """Return addresses, also of workers that are not there, but were given by their address."""
        found: dict[str, None] = {}
        for text in workers:
            try:
                found.update(dict.fromkeys(self._resolve([text])))
            except UnknownWorkerError:
                # Others are names, or hosts.
                if not text.rpartition(":")[2].isdecimal() or ":" not in text:
                    raise
                found[text] = None
        return list(found) if workers else self._resolve(())

    # --- sessions and data ---

    async def UpdateGraph(self, _: Any, context: Any) -> None:
        await hold_session(self._service, context)

    async def Gather(self, request: pb.GatherRequest, context: Any) -> None:
        await transfer_relay.gather(self._service, list(request.keys), list(request.families), context)

    async def RelayData(self, _: Any, context: Any) -> pb.RelayDataResponse:
        return await transfer_relay.put(self._service, context)

    async def Scatter(self, request: pb.ScatterRequest) -> pb.ScatterResponse:
        service = self._service
        if request.client_id not in service.sessions.clients:
            raise UnknownSessionError(f"Client {request.client_id} has no session here")
        allowed = self._resolve(request.workers)
        placements = views.place_data(service.core, [item.nbytes for item in request.items], allowed, request.copies)
        if not all(placements):
            raise NoWorkersError("There are no workers that may take data")
        sizes = {item.key: item.nbytes for item in request.items}
        places = {item.key: addresses for item, addresses in zip(request.items, placements, strict=True)}
        service.handle(events.ScatterAnnounced(request.client_id, sizes, service.stimulus("scatter"), places))
        return pb.ScatterResponse(
            placements=[
                DataRef(key=item.key, nbytes=item.nbytes, workers=addresses)
                for item, addresses in zip(request.items, placements, strict=True)
            ]
        )

    # --- questions ---

    async def WhoHas(self, request: pb.WhoHasRequest) -> pb.WhoHasResponse:
        found = views.who_has(self._service.core, list(request.keys) or None)
        return pb.WhoHasResponse(
            data=[DataRef(key=key, nbytes=nbytes, workers=holders) for key, nbytes, holders in found]
        )

    async def HasWhat(self, request: pb.HasWhatRequest) -> pb.HasWhatResponse:
        held = views.has_what(self._service.core, self._resolve_or_keep(request.workers))
        return pb.HasWhatResponse(workers=[pb.WorkerKeys(worker=w, keys=keys) for w, keys in held.items()])

    async def Processing(self, request: pb.ProcessingRequest) -> pb.ProcessingResponse:
        busy = views.processing(self._service.core, self._resolve(request.workers))
        return pb.ProcessingResponse(workers=[pb.WorkerKeys(worker=w, keys=keys) for w, keys in busy.items()])

    async def GetClusterInfo(self, request: pb.GetClusterInfoRequest) -> pb.GetClusterInfoResponse:
        return cluster_info_messages.cluster_info(self._service)

    async def GetTasks(self, request: pb.GetTasksRequest) -> pb.GetTasksResponse:
        return cluster_info_messages.tasks(
            self._service, list(request.keys), request.limit or DEFAULT_TASK_LIMIT, request.state
        )

    # --- user code ---

    async def RunOnWorkers(self, request: pb.RunOnWorkersRequest) -> pb.RunOnWorkersResponse:
        addresses = self._resolve(request.workers)
        results = await worker_calls.run_on_workers(
            self._service, addresses, request.function, nanny=request.nanny, wait=not request.no_wait
        )
        return pb.RunOnWorkersResponse(results=results)

    async def RunOnScheduler(self, request: pb.RunOnSchedulerRequest) -> pb.RunOnSchedulerResponse:
        if not self._service.options.allow_code:
            raise CodeNotAllowedError(
                "This scheduler runs no user code; start it with `dagrpc scheduler --allow-code` to allow it"
            )
        # What only those need who may run code here is imported when they do.
        from dagrpc_scheduler.shell.facade.scheduler import Scheduler

        facade = Scheduler.of(self._service)
        running = run_payload(request.function, {"dask_scheduler": facade}, self._service.user_threads)
        if request.no_wait:
            spawn(_unattended(running), self._service.tasks)
            return pb.RunOnSchedulerResponse()
        return pb.RunOnSchedulerResponse(result=await running)

    # --- workers' lives ---

    async def RestartWorkers(self, request: pb.RestartWorkersRequest) -> pb.RestartWorkersResponse:
        # They are told under what the caller called them.
        names = {found[0]: text for text in request.workers if len(found := self._resolve([text])) == 1}
        outcomes = await worker_calls.restart_workers(
            self._service,
            self._resolve(request.workers),
            forget_tasks=not request.workers,
            timeout=request.timeout_seconds or 30.0,
            wait=not request.no_wait,
        )
        return pb.RestartWorkersResponse(outcomes={names.get(each, each): how for each, how in outcomes.items()})

    async def RetireWorkers(self, request: pb.RetireWorkersRequest) -> pb.RetireWorkersResponse:
        addresses = self._resolve(request.workers)
        retired = await retire_workers(self._service, addresses, close=not request.keep_open)
        return pb.RetireWorkersResponse(workers=retired)

    async def Shutdown(self, request: pb.ShutdownRequest) -> pb.ShutdownResponse:
        self._service.close_soon(request.reason or "a client asked for it")
        return pb.ShutdownResponse()


async def _unattended(running: Coroutine[Any, Any, Any]) -> None:
    """Run a function whose result nobody waits for; an exception goes to the log."""
    result = await running
    try:
        result_of(result)
    except BaseException:
        logger.warning("A function that was run without waiting failed", exc_info=True)
