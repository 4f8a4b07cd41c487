"""SchedulerService: the calls of clients and operators."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from dagrpc._codec.calls import result_of
from dagrpc._loop.io_loop import spawn
from dagrpc.exceptions import NoWorkersError, UnknownSessionError, UnknownWorkerError
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc.v1.common_pb2 import DataRef
from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.servicers.client_session import ClientSessions
from dagrpc_scheduler.servicers.cluster_info_messages import ClusterInfo
from dagrpc_scheduler.servicers.transfer_relay import TransferRelay
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.plugins.user_code import UserCode
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.shutdown import Shutdown
from dagrpc_scheduler.shell.workers.named_workers import named_workers
from dagrpc_scheduler.shell.workers.retire_workers import Retirement
from dagrpc_scheduler.shell.workers.worker_restarts import WorkerRestarts
from dagrpc_scheduler.shell.workers.worker_runs import WorkerRuns

logger = logging.getLogger("dagrpc.scheduler")

DEFAULT_TASK_LIMIT = 1_000


class SchedulerServicer:
    """Serves clients and operators; each method is the rpc of its name."""

    def __init__(
        self,
        *,
        driver: CoreDriver,
        peers: ConnectedPeers,
        client_sessions: ClientSessions,
        transfer_relay: TransferRelay,
        cluster_info: ClusterInfo,
        worker_runs: WorkerRuns,
        worker_restarts: WorkerRestarts,
        retirement: Retirement,
        user_code: UserCode,
        shutdown: Shutdown,
        background: set[asyncio.Task[Any]],
    ) -> None:
        self._driver = driver
        self._core = driver.core
        self._peers = peers
        self._client_sessions = client_sessions
        self._transfer_relay = transfer_relay
        self._cluster_info = cluster_info
        self._worker_runs = worker_runs
        self._worker_restarts = worker_restarts
        self._retirement = retirement
        self._user_code = user_code
        self._shutdown = shutdown
        self._background = background

    def _resolve(self, workers: Any) -> list[str]:
        return named_workers(self._core, workers)

    def _resolve_or_keep(self, workers: Any) -> list[str]:
        """Return the addresses of workers; addresses of workers that are gone are kept."""
        found: dict[str, None] = {}
        for text in workers:
            try:
                found.update(dict.fromkeys(self._resolve([text])))
            except UnknownWorkerError:
                # A name or a host of no worker is an error, an address is not.
                if not text.rpartition(":")[2].isdecimal() or ":" not in text:
                    raise
                found[text] = None
        return list(found) if workers else self._resolve(())

    # --- sessions and data ---------------------------------------------------------------------------------------

    async def UpdateGraph(self, _: Any, context: Any) -> None:
        await self._client_sessions.hold(context)

    async def Gather(self, request: pb.GatherRequest, context: Any) -> None:
        await self._transfer_relay.gather(list(request.keys), list(request.families), context)

    async def RelayData(self, _: Any, context: Any) -> pb.RelayDataResponse:
        return await self._transfer_relay.put(context)

    async def Scatter(self, request: pb.ScatterRequest) -> pb.ScatterResponse:
        if request.client_id not in self._peers.clients:
            raise UnknownSessionError(f"Client {request.client_id} has no session here")
        allowed = self._resolve(request.workers)
        placements = views.place_data(self._core, [item.nbytes for item in request.items], allowed, request.copies)
        if not all(placements):
            raise NoWorkersError("There are no workers that may take data")
        sizes = {item.key: item.nbytes for item in request.items}
        places = {item.key: addresses for item, addresses in zip(request.items, placements, strict=True)}
        stimulus = self._driver.stimulus("scatter")
        self._driver.handle(events.ScatterAnnounced(request.client_id, sizes, stimulus, places))
        return pb.ScatterResponse(
            placements=[
                DataRef(key=item.key, nbytes=item.nbytes, workers=addresses)
                for item, addresses in zip(request.items, placements, strict=True)
            ]
        )

    # --- questions -----------------------------------------------------------------------------------------------

    async def WhoHas(self, request: pb.WhoHasRequest) -> pb.WhoHasResponse:
        found = views.who_has(self._core, list(request.keys) or None)
        return pb.WhoHasResponse(
            data=[DataRef(key=key, nbytes=nbytes, workers=holders) for key, nbytes, holders in found]
        )

    async def HasWhat(self, request: pb.HasWhatRequest) -> pb.HasWhatResponse:
        held = views.has_what(self._core, self._resolve_or_keep(request.workers))
        return pb.HasWhatResponse(workers=[pb.WorkerKeys(worker=w, keys=keys) for w, keys in held.items()])

    async def Processing(self, request: pb.ProcessingRequest) -> pb.ProcessingResponse:
        busy = views.processing(self._core, self._resolve(request.workers))
        return pb.ProcessingResponse(workers=[pb.WorkerKeys(worker=w, keys=keys) for w, keys in busy.items()])

    async def GetClusterInfo(self, request: pb.GetClusterInfoRequest) -> pb.GetClusterInfoResponse:
        return self._cluster_info.cluster()

    async def GetTasks(self, request: pb.GetTasksRequest) -> pb.GetTasksResponse:
        return self._cluster_info.tasks(list(request.keys), request.limit or DEFAULT_TASK_LIMIT, request.state)

    # --- user code -----------------------------------------------------------------------------------------------

    async def RunOnWorkers(self, request: pb.RunOnWorkersRequest) -> pb.RunOnWorkersResponse:
        addresses = self._resolve(request.workers)
        results = await self._worker_runs.run(
            addresses, request.function, nanny=request.nanny, wait=not request.no_wait
        )
        return pb.RunOnWorkersResponse(results=results)

    async def RunOnScheduler(self, request: pb.RunOnSchedulerRequest) -> pb.RunOnSchedulerResponse:
        self._user_code.check_allowed("user code")
        running = self._user_code.run(request.function)
        if request.no_wait:
            spawn(_unattended(running), self._background)
            return pb.RunOnSchedulerResponse()
        return pb.RunOnSchedulerResponse(result=await running)

    # --- workers and the scheduler -------------------------------------------------------------------------------

    async def RestartWorkers(self, request: pb.RestartWorkersRequest) -> pb.RestartWorkersResponse:
        # Outcomes are reported under the names that the caller used.
        names = {found[0]: text for text in request.workers if len(found := self._resolve([text])) == 1}
        outcomes = await self._worker_restarts.restart(
            self._resolve(request.workers),
            forget_tasks=not request.workers,
            timeout=request.timeout_seconds or 30.0,
            wait=not request.no_wait,
        )
        return pb.RestartWorkersResponse(outcomes={names.get(each, each): how for each, how in outcomes.items()})

    async def RetireWorkers(self, request: pb.RetireWorkersRequest) -> pb.RetireWorkersResponse:
        addresses = self._resolve(request.workers)
        retired = await self._retirement.retire(addresses, close=not request.keep_open)
        return pb.RetireWorkersResponse(workers=retired)

    async def Shutdown(self, request: pb.ShutdownRequest) -> pb.ShutdownResponse:
        self._shutdown.soon(request.reason or "a client asked for it")
        return pb.ShutdownResponse()


async def _unattended(running: Coroutine[Any, Any, Any]) -> None:
    """Run a function whose result is not awaited, and log its exception."""
    result = await running
    try:
        result_of(result)
    except BaseException:
        logger.warning("A function of a client that did not wait for it failed", exc_info=True)
