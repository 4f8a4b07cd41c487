"""DiagnosticsService: what people want to know of the cluster, beyond a look at the scheduler's state."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any

from dagrpc._profiling.trees import from_message, merge, to_message
from dagrpc.exceptions import InvalidRequestError, UnknownKeyError, UnknownSessionError
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc_scheduler.core import views
from dagrpc_scheduler.shell.diagnostics.task_stream_buffer import select
from dagrpc_scheduler.shell.memory.worker_memory import memory_of
from dagrpc_scheduler.shell.workers.ask_workers import Answers, ask_workers

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

SERVICE = pb.DESCRIPTOR.services_by_name["DiagnosticsService"]
WORKER_SERVICE = pb.DESCRIPTOR.services_by_name["WorkerDiagnosticsService"]


class DiagnosticsServicer:
    """What people ask who look into the cluster; each method is the rpc of its name.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    # --- where tasks are and what they spend their time on -------------------------------------------------------

    async def GetCallStacks(self, request: pb.GetCallStacksRequest) -> pb.GetCallStacksResponse:
        requests = {worker: pb.SampleCallStacksRequest(keys=keys) for worker, keys in self._running(request).items()}
        answers = await self._ask("SampleCallStacks", requests, pb.SampleCallStacksResponse)
        return pb.GetCallStacksResponse(
            workers=[
                pb.WorkerCallStacks(worker=worker, stacks=response.stacks)
                for worker, response in answers.found.items()
                if response.stacks
            ],
            unreachable=answers.unreachable,
        )

    def _running(self, request: pb.GetCallStacksRequest) -> dict[str, list[str]]:
        """Return which keys to ask which workers for; no keys: all."""
        core = self._service.core
        if not request.keys:
            return {worker: [] for worker, keys in views.processing(core).items() if keys}
        found: dict[str, list[str]] = {}
        for key in request.keys:
            task = views.task_info(core, key)
            if task is None:
                raise UnknownKeyError(f"There is no task {key!r}")
            if task.processing_on:
                found.setdefault(task.processing_on, []).append(key)
        return found

    async def GetProfile(self, request: pb.GetProfileRequest) -> pb.GetProfileResponse:
        _check_times(request)
        service = self._service
        if request.subject == pb.PROFILE_SUBJECT_SCHEDULER:
            service.loop_profile.ask(time.time())
            own = await asyncio.to_thread(service.loop_profile.get, request.start, request.stop)
            return pb.GetProfileResponse(profiles=[pb.WorkerProfile(profile=to_message(own))])
        addresses = service.resolve_workers(request.workers)
        question = pb.CollectProfileRequest(
            subject=request.subject, prefix=request.prefix, start=request.start, stop=request.stop
        )
        answers = await self._ask("CollectProfile", dict.fromkeys(addresses, question), pb.CollectProfileResponse)
        response = pb.GetProfileResponse(unreachable=answers.unreachable)
        if request.by_worker:
            for worker, answer in answers.found.items():
                response.profiles.add(worker=worker, profile=answer.profile)
        else:
            response.profiles.add(profile=await asyncio.to_thread(_sum, answers))
        return response

    # --- what ran where ------------------------------------------------------------------------------------------

    async def GetTaskStream(self, request: pb.GetTaskStreamRequest, context: Any) -> None:
        _check_times(request)
        records = self._service.records
        if request.client_id not in self._service.sessions.clients:
            raise UnknownSessionError(f"Client {request.client_id} has no session here")
        records.want(request.client_id, block=request.begin or request.end, more=request.begin)
        unreachable = await self._flush()
        if not request.cursor_only:
            chosen = await asyncio.to_thread(
                select,
                records.batches(request.after),
                request.start,
                request.stop,
                request.count,
                transfers=request.transfers,
            )
            for worker, batch in chosen:
                records.add_metadata(batch)
                await context.write(pb.GetTaskStreamResponse(worker=worker, records=batch).SerializeToString())
        if request.end:
            records.end(request.client_id)
        last = pb.GetTaskStreamResponse(cursor=records.cursor, unreachable=unreachable, dropped=records.dropped)
        await context.write(last.SerializeToString())

    # --- reports -------------------------------------------------------------------------------------------------

    async def BeginReport(self, request: pb.BeginReportRequest) -> pb.BeginReportResponse:
        name, now = self._service.reports.begin(request.client_id)
        return pb.BeginReportResponse(report_id=name, time=now)

    async def EndReport(self, request: pb.EndReportRequest) -> pb.EndReportResponse:
        return self._service.reports.end(request.report_id)

    async def GetMemory(self, request: pb.GetMemoryRequest) -> pb.GetMemoryResponse:
        response = pb.GetMemoryResponse()
        for address, worker in self._service.core.state.workers.items():
            memory = memory_of(self._service, worker)
            response.workers.add(
                worker=address, process=memory.process, managed=memory.managed_total, spilled=memory.spilled
            )
        return response

    async def _flush(self) -> list[str]:
        """Have all that workers have recorded; return the addresses of those that did not answer."""
        silent: list[str] = []
        asked = list(self._service.sessions.workers)
        question = pb.FlushRecordsRequest(
            recording=self._service.records.recording, details=self._service.scheduler_plugins.notes.wanted
        )
        while asked:
            answers = await self._ask("FlushRecords", dict.fromkeys(asked, question), pb.FlushRecordsResponse)
            for worker, answer in answers.found.items():
                self._service.records.add(worker, answer.records)
            silent += answers.unreachable
            asked = [worker for worker, answer in answers.found.items() if answer.more]
        return silent

    async def _ask(self, method: str, requests: dict[str, Any], response_type: type[Any]) -> Answers:
        return await ask_workers(self._service, WORKER_SERVICE, method, requests, response_type)


def _check_times(request: pb.GetProfileRequest | pb.GetTaskStreamRequest) -> None:
    if not (math.isfinite(request.start) and math.isfinite(request.stop)):
        raise InvalidRequestError(f"start and stop must be finite; got {request.start} and {request.stop}")


def _sum(answers: Answers) -> pb.Profile:
    return to_message(merge([from_message(answer.profile) for answer in answers.found.values()]))
