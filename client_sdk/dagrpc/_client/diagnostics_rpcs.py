"""Call stacks, profiles and task streams, fetched from the scheduler. Coroutines for the IO loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from dask.utils import key_split

from dagrpc._client.client_session import ClientSession
from dagrpc._client.html_repr import short_type
from dagrpc._client.services import scheduler_service
from dagrpc._client.submission_options import Workers, worker_names
from dagrpc._codec.plain import decode_plain
from dagrpc._common.keys import Key, decode_key
from dagrpc._common.task_activities import startstop
from dagrpc._profiling.trees import Profile, from_message, new_profile
from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import CommClosedError, UnknownKeyError
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc.v1 import records_pb2

logger = logging.getLogger("dagrpc.client")

_DIAGNOSTICS_SERVICE = pb.DESCRIPTOR.services_by_name["DiagnosticsService"]


def diagnostics_service(session: ClientSession) -> ServiceClient:
    """Return a client of the scheduler's DiagnosticsService."""
    return scheduler_service(session, _DIAGNOSTICS_SERVICE)


def _warn_of_silent(workers: Sequence[str], what: str) -> None:
    if workers:
        logger.warning("Without %s of workers that did not answer: %s", what, ", ".join(workers))


async def call_stacks(session: ClientSession, wire_keys: Sequence[str] | None) -> dict[str, dict[Key, tuple[str, ...]]]:
    """Return the call stacks of running tasks by worker and key; of all tasks for None.

    Raises
    ------
    KeyError
        If the cluster does not know a key.
    """
    if wire_keys is not None:
        if not wire_keys:
            return {}
        # The scheduler has to know all tasks that were submitted before.
        await session.ping()
    try:
        response = await diagnostics_service(session).call(
            "GetCallStacks", pb.GetCallStacksRequest(keys=wire_keys), pb.GetCallStacksResponse
        )
    except UnknownKeyError as error:
        raise KeyError(str(error)) from None
    _warn_of_silent(response.unreachable, "call stacks")
    return {
        entry.worker: {decode_key(stack.key): tuple(stack.frames) for stack in entry.stacks}
        for entry in response.workers
    }


async def profile(
    session: ClientSession,
    subject: pb.ProfileSubject,
    prefix: str = "",
    start: float = 0.0,
    stop: float = 0.0,
    workers: Workers = None,
    merge_workers: bool = True,
) -> Profile | dict[str, Profile]:
    """Return one profile, or one for each worker."""
    names = worker_names(workers)
    if workers is not None and not names:
        return new_profile() if merge_workers else {}
    request = pb.GetProfileRequest(
        subject=subject, prefix=prefix, start=start, stop=stop, workers=names, by_worker=not merge_workers
    )
    response = await diagnostics_service(session).call("GetProfile", request, pb.GetProfileResponse)
    _warn_of_silent(response.unreachable, "the profiles")
    found: dict[str, Any] = {entry.worker: from_message(entry.profile) for entry in response.profiles}
    if merge_workers or subject == pb.PROFILE_SUBJECT_SCHEDULER:
        return found.get("") or new_profile()
    return found


@dataclass(slots=True)
class TaskStream:
    """Runs of tasks and transfers between workers."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    """Runs in the order in which they ended."""
    transfers: list[dict[str, Any]] = field(default_factory=list)
    """Transfers in the order in which they ended."""
    cursor: int = 0
    """The moment of the call, for the next one."""
    dropped: int = 0
    """Records that were dropped since the beginning, since there were too many."""
    unreachable: list[str] = field(default_factory=list)
    """Workers that did not answer."""


async def task_stream(session: ClientSession, request: pb.GetTaskStreamRequest) -> TaskStream:
    """Return the records of workers, which record from the first call on, or within a block of code."""
    service = diagnostics_service(session)
    request.client_id = session.client_id
    call = service.open_download("GetTaskStream", request)
    pieces: list[bytes] = []
    try:
        while (data := await call.read()) is not grpc.aio.EOF:
            pieces.append(data)
        if await call.code() is not grpc.StatusCode.OK:
            raise CommClosedError(f"{service.peer} ended the task stream: {await call.details()}")
    except grpc.aio.AioRpcError as error:
        raise error_status.from_rpc_error(error, service.peer) from None
    finally:
        call.cancel()
    # In a thread, since there may be a hundred thousand records.
    return await asyncio.to_thread(_read_stream, pieces)


def _read_stream(pieces: Sequence[bytes]) -> TaskStream:
    stream = TaskStream()
    for data in pieces:
        piece = pb.GetTaskStreamResponse.FromString(data)
        stream.tasks += [_task(piece.worker, record) for record in piece.records.tasks]
        stream.transfers += [_transfer(piece.worker, record) for record in piece.records.transfers]
        stream.cursor, stream.dropped = piece.cursor, piece.dropped
        stream.unreachable += piece.unreachable
        _warn_of_silent(piece.unreachable, "the records")
    stream.tasks.sort(key=lambda task: float(task["startstops"][-1]["stop"]) if task["startstops"] else 0.0)
    stream.transfers.sort(key=lambda transfer: float(transfer["stop"]))
    return stream


def _task(worker: str, record: records_pb2.TaskRecord) -> dict[str, Any]:
    key = decode_key(record.key)
    task = {
        "key": key,
        "name": key_split(key),
        "worker": worker,
        "thread": record.thread,
        "startstops": tuple(startstop(each.kind, each.start, each.stop, each.source) for each in record.activities),
        "status": "error" if record.error else "OK",
        "nbytes": record.nbytes,
        "type": record.type_name,
        "typename": short_type(record.type_name),
        "metadata": decode_plain(record.metadata) if record.metadata else {},
    }
    if record.error:
        task["exception_text"] = record.error
    return task


def _transfer(worker: str, record: records_pb2.TransferRecord) -> dict[str, Any]:
    return {
        "worker": worker,
        "source": record.source,
        "start": record.start,
        "stop": record.stop,
        "keys": record.keys,
        "nbytes": record.nbytes,
    }
