"""WorkerDiagnosticsService: call stacks, profiles and records of a worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dagrpc._profiling.trees import to_message
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc_worker.execute.call_stacks import call_stacks

if TYPE_CHECKING:
    from dagrpc_worker.execute.runner import TaskRunner
    from dagrpc_worker.execute.task_profile import WorkerProfile

SERVICE = pb.DESCRIPTOR.services_by_name["WorkerDiagnosticsService"]

_MOST_RECORDS = 20_000
"""How many records one message has at most."""


class DiagnosticsServicer:
    """The methods of WorkerDiagnosticsService, by the names of the contract.

    Long computations run in a thread, so that the worker's loop goes on. The server starts before the worker's parts
    exist; until then the answers are empty.
    """

    def __init__(self) -> None:
        self.runner: TaskRunner | None = None
        self.profile: WorkerProfile | None = None

    async def SampleCallStacks(self, request: pb.SampleCallStacksRequest) -> pb.SampleCallStacksResponse:
        """Return the call stacks of running tasks."""
        response = pb.SampleCallStacksResponse()
        if self.runner is not None and self.profile is not None:
            found = await asyncio.to_thread(
                call_stacks, self.runner.contexts(), frozenset(request.keys), self.profile.whole_stacks
            )
            for key, lines in found.items():
                response.stacks.add(key=key, frames=lines)
        return response

    async def CollectProfile(self, request: pb.CollectProfileRequest) -> pb.CollectProfileResponse:
        """Return a profile of the tasks or of the event loop."""
        if self.profile is None:
            return pb.CollectProfileResponse()
        return await asyncio.to_thread(_collect, self.profile, request)

    async def FlushRecords(self, request: pb.FlushRecordsRequest) -> pb.FlushRecordsResponse:
        """Return records that were not returned before."""
        if self.runner is None:
            return pb.FlushRecordsResponse()
        recorder = self.runner.recorder
        recorder.follow(request.recording, request.details)
        async with recorder.handing_over:
            records = await asyncio.to_thread(recorder.drain)
        return pb.FlushRecordsResponse(records=records, more=recorder.waits)

    async def ReadRecentRecords(self, request: pb.ReadRecentRecordsRequest) -> pb.ReadRecentRecordsResponse:
        """Return the latest records, whether or not they were returned before."""
        if self.runner is None:
            return pb.ReadRecentRecordsResponse(next=request.after, next_transfer=request.transfers_after)
        return await asyncio.to_thread(
            self.runner.recorder.recent,
            request.after,
            request.transfers_after,
            min(request.limit or _MOST_RECORDS, _MOST_RECORDS),
            request.untold_before,
        )


def _collect(profile: WorkerProfile, request: pb.CollectProfileRequest) -> pb.CollectProfileResponse:
    if request.subject == pb.PROFILE_SUBJECT_WORKER_LOOPS:
        found = profile.loop(request.start, request.stop)
    else:
        found = profile.tasks(request.prefix, request.start, request.stop)
    return pb.CollectProfileResponse(profile=to_message(found))
