"""TaskService: calls of functions by name, for programs without a session."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration

from dagrpc import config
from dagrpc._common.bytes_like import Buffer
from dagrpc._tracing import carrier
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import data_pb2
from dagrpc.v1 import task_service_pb2 as pb
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.leases import lease as outcomes
from dagrpc_scheduler.leases.lease import Lease, LeasedTask
from dagrpc_scheduler.servicers.caller_commands import check_graph
from dagrpc_scheduler.servicers.function_listing import FunctionListing
from dagrpc_scheduler.servicers.graph_limits import GraphLimits
from dagrpc_scheduler.servicers.named_calls_graph import graph_of, keys_of
from dagrpc_scheduler.shell.leases.lease_shell import Leases
from dagrpc_scheduler.shell.leases.result_reader import ReadResult, ResultReader
from dagrpc_scheduler.shell.sessions.translate_out import failure_message

_PIECE = 1 << 20
"""Bytes of a message of a streamed result."""
_TOGETHER = 1_000
"""Changes of one message of a watch."""
_ENCODINGS = frozenset(("json", "raw", "arrow"))
_STATES = {
    outcomes.DONE: pb.LEASED_STATE_DONE,
    outcomes.FAILED: pb.LEASED_STATE_FAILED,
    outcomes.CANCELLED: pb.LEASED_STATE_CANCELLED,
}


class TaskServicer:
    """Serves any program; each method is the rpc of its name."""

    def __init__(self, core: SchedulerCore, leases: Leases, reader: ResultReader, functions: FunctionListing) -> None:
        self._core = core
        self._leases = leases
        self._reader = reader
        self._functions = functions
        self._longest_wait = config.get_seconds("scheduler.leases.longest-wait") or 300.0

    async def ListFunctions(self, request: pb.ListFunctionsRequest) -> pb.ListFunctionsResponse:
        return await self._functions.page(request.prefix, request.page_size, request.page_token)

    async def Submit(self, request: pb.SubmitRequest, context: Any) -> pb.SubmitResponse:
        return await self.submit(request, dict(context.invocation_metadata() or ()))

    async def submit(self, request: pb.SubmitRequest, headers: Mapping[str, Any]) -> pb.SubmitResponse:
        """Submit calls; the caller's trace is in the headers of its call, as W3C has it."""
        accept = _accepted(request.accept)
        if len(request.lease) > 256:
            raise InvalidRequestError("the name of a lease has at most 256 characters")
        keys = keys_of(request.calls)
        part = graph_of(request.calls, keys, lambda key: views.work_of(self._core, key))
        check_graph(part)
        if trace := carrier.chosen(headers):
            carrier.stamp(part, trace)
        GraphLimits("of a lease").add(part)
        lease = self._leases.obtain(request.lease or uuid.uuid4().hex, _seconds(request.ttl))
        if request.release:
            self._leases.release(lease, request.release)
        if keys:
            self._leases.submit(lease, part)
        if request.HasField("wait"):
            await self._leases.settled(lease, keys, False, self._bounded(request.wait))
        tasks = await self._statuses(lease, keys, accept, request.inline_limit)
        if request.release_answered:
            self._leases.release(lease, [task.key for task in tasks if _is_answered(task)])
        return pb.SubmitResponse(lease=lease.name, tasks=tasks)

    async def Wait(self, request: pb.WaitRequest) -> pb.WaitResponse:
        lease, accept = self._leases.get(request.lease), _accepted(request.accept)
        keys = list(request.keys) or list(lease.tasks)
        if request.HasField("timeout"):
            await self._leases.settled(lease, keys, request.any, self._bounded(request.timeout))
        return pb.WaitResponse(tasks=await self._statuses(lease, keys, accept, request.inline_limit))

    async def Watch(self, request: pb.WatchRequest, context: Any) -> None:
        lease, accept = self._leases.get(request.lease), _accepted(request.accept)
        # A lease of this name that has ended may have had more changes than this one.
        cursor = request.cursor if request.cursor <= lease.cursor else 0
        until = time.monotonic() + self._longest_wait
        with self._leases.watching(lease):
            while self._leases.lives(lease) and (left := until - time.monotonic()) > 0:
                changed = lease.changed_since(cursor)
                shown = [task for task in changed if task.outcome != outcomes.PENDING or not request.settled]
                for some in _groups(shown, _TOGETHER if request.together else 1):
                    tasks = await self._statuses(lease, [task.key for task in some], accept, request.inline_limit)
                    for status, task in zip(tasks, some, strict=True):
                        # The task may have changed again; who goes on from there would miss other changes.
                        status.cursor = task.cursor
                    response = pb.WatchResponse(tasks=tasks) if request.together else pb.WatchResponse(task=tasks[0])
                    await context.write(response.SerializeToString())
                cursor = changed[-1].cursor if changed else cursor
                # More may have changed while a message was written.
                if lease.cursor <= cursor:
                    await self._leases.changed(lease, left)

    async def Result(self, request: pb.ResultRequest, context: Any) -> None:
        status, result = await self.read_result(request)
        view = memoryview(result.data).cast("B")
        first = pb.ResultResponse(task=status, total_bytes=len(view))
        await context.write(first.SerializeToString())
        for start in range(min(request.offset, len(view)), len(view), _PIECE):
            piece = pb.ResultResponse(data=bytes(view[start : start + _PIECE]))
            await context.write(piece.SerializeToString())

    async def read_result(self, request: pb.ResultRequest) -> tuple[pb.TaskStatus, ReadResult]:
        """Return the state of a task, and its result if there is one."""
        accept = _accepted(request.accept)
        lease = self._leases.get(request.lease) if request.lease else None
        if lease is not None and request.HasField("timeout"):
            await self._leases.settled(lease, [request.key], False, self._bounded(request.timeout))
        status = self._status(lease, request.key)
        result = ReadResult(problem=status.reason)
        if status.state == pb.LEASED_STATE_DONE:
            result = (await self._reader.read([request.key], accept))[request.key]
        if status.state == pb.LEASED_STATE_DONE:
            status.value_outcome = result.outcome
            if result.problem:
                status.reason = result.problem
            else:
                status.value.encoding = result.encoding
        return status, result

    async def Cancel(self, request: pb.CancelRequest) -> pb.CancelResponse:
        lease = self._leases.get(request.lease)
        self._leases.cancel(lease, request.keys, request.interrupt, request.reason or "its caller cancelled it")
        return pb.CancelResponse(tasks=[self._status(lease, key) for key in request.keys])

    async def Renew(self, request: pb.RenewRequest) -> pb.RenewResponse:
        lease = self._leases.get(request.lease)
        if request.end:
            self._leases.end(lease)
            return pb.RenewResponse()
        self._leases.renew(lease, _seconds(request.ttl))
        self._leases.release(lease, request.release)
        ttl = Duration()
        ttl.FromMilliseconds(int(lease.ttl * 1000))
        return pb.RenewResponse(ttl=ttl, tasks=len(lease.tasks), unfinished=lease.unfinished)

    # --- states --------------------------------------------------------------------------------------------------

    def _bounded(self, duration: Duration) -> float:
        return min(_seconds(duration), self._longest_wait)

    async def _statuses(
        self, lease: Lease, keys: Iterable[str], accept: Sequence[str], inline_limit: int
    ) -> list[pb.TaskStatus]:
        """Return the states of tasks, with the results that are small enough."""
        statuses = [self._status(lease, key) for key in keys]
        small: dict[str, pb.TaskStatus] = {}
        for status in statuses:
            if status.state == pb.LEASED_STATE_DONE and inline_limit:
                task = lease.tasks.get(status.key)
                if task is not None and task.inline is not None and task.inline[0] in accept:
                    _add_value(status, *task.inline, inline_limit)
                elif status.nbytes <= max(inline_limit, 1024):
                    small[status.key] = status
                else:
                    _leave_out(status)
        if small:
            for key, result in (await self._reader.read(list(small), accept, small=True)).items():
                if result.problem:
                    small[key].reason, small[key].value_outcome = result.problem, result.outcome
                else:
                    _add_value(small[key], result.encoding, result.data, inline_limit)
        return statuses

    def _status(self, lease: Lease | None, key: str) -> pb.TaskStatus:
        """Return the state of a task: as its lease knows it, or as it is now if no lease holds the task."""
        task = lease.tasks.get(key) if lease is not None else None
        if task is None:
            return self._status_now(key, 0)
        if task.outcome == outcomes.PENDING:
            return self._status_now(key, task.cursor)
        return _settled_status(task)

    def _status_now(self, key: str, cursor: int) -> pb.TaskStatus:
        """Return the state of a task that no lease holds, or that is not done."""
        state, why = views.progress_of(self._core, key, time.time())
        states = {
            "": pb.LEASED_STATE_UNKNOWN,
            "processing": pb.LEASED_STATE_RUNNING,
            "memory": pb.LEASED_STATE_DONE,
            "erred": pb.LEASED_STATE_FAILED,
        }
        status = pb.TaskStatus(key=key, state=states.get(state, pb.LEASED_STATE_PENDING), reason=why, cursor=cursor)
        if not state:
            status.reason = f"no task has the key {key!r}"
        elif state == "memory":
            ((_, status.nbytes, _),) = views.who_has(self._core, [key])
        return status


def _groups(tasks: Sequence[LeasedTask], size: int) -> Iterator[Sequence[LeasedTask]]:
    return (tasks[start : start + size] for start in range(0, len(tasks), size))


def _add_value(status: pb.TaskStatus, encoding: str, data: Buffer, limit: int) -> None:
    """Let a state have its result, if the result is small enough."""
    if memoryview(data).nbytes > limit:
        _leave_out(status)
        return
    status.value.encoding, status.value.data = encoding, bytes(data)
    status.value_outcome = data_pb2.DATA_OUTCOME_OK


def _leave_out(status: pb.TaskStatus) -> None:
    status.value_outcome = data_pb2.DATA_OUTCOME_DEFERRED
    status.reason = "the result is larger than inline_limit"


def _is_answered(status: pb.TaskStatus) -> bool:
    """Tell whether an answer with this state has all that there is to tell."""
    if status.state == pb.LEASED_STATE_DONE:
        return status.value_outcome == data_pb2.DATA_OUTCOME_OK
    return status.state in (pb.LEASED_STATE_FAILED, pb.LEASED_STATE_CANCELLED)


def _settled_status(task: LeasedTask) -> pb.TaskStatus:
    status = pb.TaskStatus(
        key=task.key,
        state=_STATES[task.outcome],
        nbytes=task.nbytes,
        type_name=task.type_name,
        reason=task.reason,
        cursor=task.cursor,
    )
    if task.failure is not None:
        status.failure.CopyFrom(failure_message(task.failure, task.origin_key))
        status.failure.ClearField("exception")
    return status


def _accepted(accept: Iterable[str]) -> list[str]:
    """Return the encodings that a caller accepts."""
    found = list(accept) or ["json"]
    unknown = [encoding for encoding in found if encoding not in _ENCODINGS]
    if unknown:
        raise InvalidRequestError(f"results come as {', '.join(sorted(_ENCODINGS))}, not as {unknown[0][:50]!r}")
    return found


def _seconds(duration: Duration) -> float:
    """Return the seconds of a duration, which must not be negative."""
    seconds = duration.seconds + duration.nanos / 1e9
    if seconds < 0:
        raise InvalidRequestError(f"a duration is at least 0; got {seconds:g} s")
    return seconds
