"""DiagnosticsService: call stacks, profiles, task streams and reports."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Any, TypeVar

from google.protobuf.message import Message

from dagrpc._profiling.trees import from_message, merge, to_message
from dagrpc._rpc.channels import ChannelPool
from dagrpc.exceptions import InvalidRequestError, UnknownKeyError, UnknownSessionError
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.diagnostics.loop_profile import LoopProfile
from dagrpc_scheduler.shell.diagnostics.measurement_history import Reports
from dagrpc_scheduler.shell.diagnostics.task_stream_buffer import TaskStreamBuffer, select
from dagrpc_scheduler.shell.memory.worker_memory import memory_of
from dagrpc_scheduler.shell.plugins.run_notes import RunNotes
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.workers.ask_workers import Answers, ask_workers
from dagrpc_scheduler.shell.workers.named_workers import named_workers
from dagrpc_scheduler.shell.workers.remote_services import WORKER_DIAGNOSTICS_SERVICE

logger = logging.getLogger("dagrpc.scheduler")

R = TypeVar("R", bound=Message)


class DiagnosticsServicer:
    """Answers questions about the cluster's activity; each method is the rpc of its name."""

    def __init__(
        self,
        *,
        core: SchedulerCore,
        peers: ConnectedPeers,
        control_channels: ChannelPool,
        task_stream: TaskStreamBuffer,
        notes: RunNotes,
        reports: Reports,
        loop_profile: LoopProfile,
    ) -> None:
        self._core = core
        self._peers = peers
        self._channels = control_channels
        self._task_stream = task_stream
        self._notes = notes
        self._reports = reports
        self._loop_profile = loop_profile

    # --- call stacks and profiles --------------------------------------------------------------------------------

    async def GetCallStacks(self, request: pb.GetCallStacksRequest) -> pb.GetCallStacksResponse:
        requests = {worker: pb.SampleCallStacksRequest(keys=keys) for worker, keys in self._running(request).items()}
        answers = await self._ask("SampleCallStacks", requests, pb.SampleCallStacksResponse)
        return pb.GetCallStacksResponse(
            workers=[
                pb.WorkerCallStacks(worker=worker, stacks=response.stacks)
                for worker, response in answers.found.items()
                if response.stacks
            ],
            unreachable=list(answers.failures),
        )

    def _running(self, request: pb.GetCallStacksRequest) -> dict[str, list[str]]:
        """Return the keys to ask for, by worker; no keys stand for all."""
        core = self._core
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
        if request.subject == pb.PROFILE_SUBJECT_SCHEDULER:
            self._loop_profile.ask(time.time())
            own = await asyncio.to_thread(self._loop_profile.get, request.start, request.stop)
            return pb.GetProfileResponse(profiles=[pb.WorkerProfile(profile=to_message(own))])
        addresses = named_workers(self._core, request.workers)
        question = pb.CollectProfileRequest(
            subject=request.subject, prefix=request.prefix, start=request.start, stop=request.stop
        )
        answers = await self._ask("CollectProfile", dict.fromkeys(addresses, question), pb.CollectProfileResponse)
        response = pb.GetProfileResponse(unreachable=list(answers.failures))
        if request.by_worker:
            for worker, answer in answers.found.items():
                response.profiles.add(worker=worker, profile=answer.profile)
        else:
            response.profiles.add(profile=await asyncio.to_thread(_sum, answers))
        return response

    # --- task streams --------------------------------------------------------------------------------------------

    async def GetTaskStream(self, request: pb.GetTaskStreamRequest, context: Any) -> None:
        _check_times(request)
        records = self._task_stream
        if request.client_id not in self._peers.clients:
            raise UnknownSessionError(f"Client {request.client_id} has no session here")
        records.want(request.client_id, block=request.begin or request.end, more=request.begin)
        unreachable = await self._flush()
        if not request.cursor_only:
            if not request.after:
                await self._read_past()
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
        name, now = self._reports.begin(request.client_id, request.report_id)
        return pb.BeginReportResponse(report_id=name, time=now)

    async def EndReport(self, request: pb.EndReportRequest) -> pb.EndReportResponse:
        return self._reports.end(request.report_id)

    async def GetMemory(self, request: pb.GetMemoryRequest) -> pb.GetMemoryResponse:
        response = pb.GetMemoryResponse()
        for address, worker in self._core.state.workers.items():
            memory = memory_of(self._peers, worker)
            response.workers.add(
                worker=address, process=memory.process, managed=memory.managed_total, spilled=memory.spilled
            )
        return response

    async def _flush(self) -> list[str]:
        """Collect all records of the workers; return the addresses of workers that did not answer."""
        silent: list[str] = []
        asked = list(self._peers.workers)
        question = pb.FlushRecordsRequest(recording=self._task_stream.recording, details=self._notes.wanted)
        while asked:
            answers = await self._ask("FlushRecords", dict.fromkeys(asked, question), pb.FlushRecordsResponse)
            for worker, answer in answers.found.items():
                self._task_stream.add(worker, answer.records)
            silent += answers.failures
            asked = [worker for worker, answer in answers.found.items() if answer.more]
        return silent

    async def _read_past(self) -> None:
        """Collect what the workers recorded before somebody asked, unless that is known."""
        question = self._task_stream.wanted_past(len(self._peers.workers))
        if question is not None:
            answers = await self.read_recent(dict.fromkeys(self._peers.workers, question))
            for worker, answer in answers.found.items():
                self._task_stream.add_past(worker, answer.records)

    async def read_recent(
        self, questions: dict[str, pb.ReadRecentRecordsRequest]
    ) -> Answers[pb.ReadRecentRecordsResponse]:
        """Ask workers for their latest records."""
        return await self._ask("ReadRecentRecords", questions, pb.ReadRecentRecordsResponse)

    async def _ask(self, method: str, requests: dict[str, Any], response_type: type[R]) -> Answers[R]:
        """Call a method of workers, and log the ones that do not answer."""
        answers = await ask_workers(self._channels, WORKER_DIAGNOSTICS_SERVICE, method, requests, response_type)
        for worker, failure in answers.failures.items():
            logger.warning("Worker %s did not answer %s: %s", worker, method, failure, extra={"worker": worker})
        return answers


def _check_times(request: pb.GetProfileRequest | pb.GetTaskStreamRequest) -> None:
    if not (math.isfinite(request.start) and math.isfinite(request.stop)):
        raise InvalidRequestError(f"start and stop must be finite; got {request.start} and {request.stop}")


def _sum(answers: Answers[pb.CollectProfileResponse]) -> pb.Profile:
    return to_message(merge([from_message(answer.profile) for answer in answers.found.values()]))
