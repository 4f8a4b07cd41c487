"""Questions about what goes on in the cluster: one coroutine each, to be run on the IO loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from dask.utils import key_split

from dagrpc._client.html_repr import short_type
from dagrpc._client.options import Workers, worker_names
from dagrpc._client.session import ClientSession
from dagrpc._codec.plain import decode_plain
from dagrpc._common.keys import Key, decode_key
from dagrpc._common.task_activities import startstop
from dagrpc._profiling.trees import Profile, from_message, new_profile
from dagrpc._rpc import status
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import CommClosedError, UnknownKeyError
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc.v1 import records_pb2

logger = logging.getLogger("dagrpc.client")

SERVICE = pb.DESCRIPTOR.services_by_name["DiagnosticsService"]


def diagnostics_client(session: ClientSession) -> ServiceClient:
    """Return a client of the scheduler's DiagnosticsService."""
    session.check_open()
    assert session.scheduler is not None
    return ServiceClient(session.scheduler.channel, SERVICE, session.scheduler.peer)


def _warn_of_silent(workers: Sequence[str], what: str) -> None:
    if workers:
        logger.warning("Without %s of workers that did not answer: %s", what, ", ".join(workers))


async def call_stacks(session: ClientSession, wire_keys: Sequence[str] | None) -> dict[str, dict[Key, tuple[str, ...]]]:
    """Return the call stacks of tasks that run, by worker and key. None asks about all.

    Raises
    ------
    KeyError
        If a key is not known.
    """
    if wire_keys is not None:
        if not wire_keys:
            return {}
        # What was submitted before has to be known.
        await session.ping()
    try:
        response = await diagnostics_client(session).call(
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
    """Return what time was spent on: one profile, or one for each worker."""
    names = worker_names(workers)
    if workers is not None and not names:
        return new_profile() if merge_workers else {}
    request = pb.GetProfileRequest(
        subject=subject, prefix=prefix, start=start, stop=stop, workers=names, by_worker=not merge_workers
    )
    response = await diagnostics_client(session).call("GetProfile", request, pb.GetProfileResponse)
    _warn_of_silent(response.unreachable, "the profiles")
    found: dict[str, Any] = {entry.worker: from_message(entry.profile) for entry in response.profiles}
    if merge_workers or subject == pb.PROFILE_SUBJECT_SCHEDULER:
        return found.get("") or new_profile()
    return found


@dataclass(slots=True)
class TaskStream:
    """What ran where, and what was fetched."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    """Runs of tasks, in the order in which they ended."""
    transfers: list[dict[str, Any]] = field(default_factory=list)
    """Transfers between workers, likewise."""
    cursor: int = 0
    """Stands for the moment at which the cluster was asked."""
    dropped: int = 0
    """How many records there were too many of, since the beginning."""
    unreachable: list[str] = field(default_factory=list)
    """Workers that did not answer."""


async def task_stream(session: ClientSession, request: pb.GetTaskStreamRequest) -> TaskStream:
    """Return what workers have recorded. Has them record from the first time on, or within blocks of code."""
    client = diagnostics_client(session)
    request.client_id = session.client_id
    call = client.open_download("GetTaskStream", request)
    pieces: list[bytes] = []
    try:
        while (data := await call.read()) is not grpc.aio.EOF:
            pieces.append(data)
        if await call.code() is not grpc.StatusCode.OK:
            raise CommClosedError(f"{client.peer} stopped to tell what ran: {await call.details()}")
    except grpc.aio.AioRpcError as error:
        raise status.from_rpc_error(error, client.peer) from None
    finally:
        call.cancel()
    # There may be a hundred thousand of them.
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
