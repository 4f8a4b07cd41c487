"""The data of a performance report, collected from the cluster."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dagrpc._client import diagnostics_rpcs
from dagrpc._client.client_session import ClientSession
from dagrpc._profiling.trees import Profile, new_profile
from dagrpc.exceptions import CommClosedError, DagrpcError
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc.v1 import scheduler_service_pb2

logger = logging.getLogger("dagrpc.client")

T = TypeVar("T")


@dataclass(slots=True)
class Begun:
    """A report that has begun."""

    report_id: str
    start: float
    """When the report began, by the scheduler's clock."""
    cursor: int
    """The start of the task stream."""


@dataclass(slots=True)
class ReportData:
    """The data between the start and the end of a report."""

    start: float
    stop: float
    """Start in seconds since the epoch."""
    stream: diagnostics_rpcs.TaskStream
    tasks: Profile
    loops: Profile
    scheduler: Profile
    measured: pb.EndReportResponse
    cluster: scheduler_service_pb2.GetClusterInfoResponse
    code: str = ""
    """The code of the block, or around it."""
    code_line: int = 0
    """The line that began the report, counted from 1; 0: unknown."""
    code_name: str = ""
    """File of the code."""
    missing: list[str] = field(default_factory=list)
    """Missing parts with the reasons."""


async def begin(session: ClientSession) -> Begun:
    """Start the recordings of a report."""
    client = diagnostics_rpcs.diagnostics_service(session)
    # Graphs submitted before must have arrived, since they are no part of the report.
    await session.ping()
    stream = await diagnostics_rpcs.task_stream(session, pb.GetTaskStreamRequest(cursor_only=True, begin=True))
    request = pb.BeginReportRequest(client_id=session.client_id, report_id=uuid.uuid4().hex)
    answer = await client.call("BeginReport", request, pb.BeginReportResponse)
    return Begun(answer.report_id, answer.time, stream.cursor)


async def finish(session: ClientSession, begun: Begun, stop: float) -> ReportData:
    """Return the data since a report began; `stop` is its duration in seconds."""
    client = diagnostics_rpcs.diagnostics_service(session)
    missing: list[str] = []

    async def get(what: str, question: Coroutine[Any, Any, T], otherwise: T) -> T:
        # A report without one of its parts is better than none.
        try:
            return await question
        except (DagrpcError, CommClosedError, TimeoutError) as error:
            logger.warning("The report is without %s: %s", what, error)
            missing.append(f"{what}: {error}")
            return otherwise

    def profile(subject: pb.ProfileSubject) -> Coroutine[Any, Any, Any]:
        return diagnostics_rpcs.profile(session, subject, start=begun.start)

    request = pb.GetTaskStreamRequest(after=begun.cursor, transfers=True, end=True)
    stream, tasks, loops, scheduler, cluster = await asyncio.gather(
        get("the task stream", diagnostics_rpcs.task_stream(session, request), diagnostics_rpcs.TaskStream()),
        get("the profile of the tasks", profile(pb.PROFILE_SUBJECT_TASKS), new_profile()),
        get("the profile of the workers", profile(pb.PROFILE_SUBJECT_WORKER_LOOPS), new_profile()),
        get("the profile of the scheduler", profile(pb.PROFILE_SUBJECT_SCHEDULER), new_profile()),
        get(
            "what the cluster is",
            client_info(session),
            scheduler_service_pb2.GetClusterInfoResponse(),
        ),
    )
    measured = await get(
        "measurements",
        client.call("EndReport", pb.EndReportRequest(report_id=begun.report_id), pb.EndReportResponse),
        pb.EndReportResponse(),
    )
    return ReportData(
        begun.start, begun.start + stop, stream, tasks, loops, scheduler, measured, cluster, missing=missing
    )


async def client_info(session: ClientSession) -> scheduler_service_pb2.GetClusterInfoResponse:
    """Return a description of the cluster."""
    session.check_open()
    assert session.scheduler is not None
    return await session.scheduler.call(
        "GetClusterInfo",
        scheduler_service_pb2.GetClusterInfoRequest(),
        scheduler_service_pb2.GetClusterInfoResponse,
    )


def unknown_workers(data: ReportData) -> Sequence[str]:
    """Return the addresses of workers that have left meanwhile."""
    known = {worker.address for worker in data.cluster.workers}
    return sorted({task["worker"] for task in data.stream.tasks} - known)
