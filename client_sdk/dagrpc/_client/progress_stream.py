"""The progress of tasks, streamed by the scheduler for progress bars; spans."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc

from dagrpc._client.client_session import ClientSession
from dagrpc._client.services import scheduler_service
from dagrpc._common.keys import decode_key
from dagrpc._rpc import error_status
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import CommClosedError
from dagrpc.spans import Spans
from dagrpc.v1 import inquiry_service_pb2 as pb

_INQUIRY_SERVICE = pb.DESCRIPTOR.services_by_name["InquiryService"]


def inquiry_service(session: ClientSession) -> ServiceClient:
    """Return a client of the scheduler's InquiryService."""
    return scheduler_service(session, _INQUIRY_SERVICE)


class Watch:
    """The progress of some tasks, which the scheduler streams. Lives on the IO loop; any thread may read it."""

    def __init__(self, session: ClientSession, request: pb.WatchProgressRequest) -> None:
        self._session = session
        self._request = request
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self.state = pb.WatchProgressResponse()
        """The scheduler's last message."""
        self.ended = False
        """Whether the stream has ended."""

    async def follow(self, on_change: Callable[[], object] = lambda: None) -> None:
        """Follow the tasks until all are done.

        Raises
        ------
        CommClosedError
            If the connection to the scheduler is lost.
        """
        call: Any = None
        try:
            # The scheduler has to know all tasks that were submitted before.
            await self._session.ping()
            service = inquiry_service(self._session)
            call = service.open_download("WatchProgress", self._request)
            while (data := await call.read()) is not grpc.aio.EOF:
                self.state = pb.WatchProgressResponse.FromString(data)
                self._changed.set()
                on_change()
            # A refused stream ends as a completed stream does; only the code tells them apart.
            if await call.code() is not grpc.StatusCode.OK:
                raise CommClosedError(f"{service.peer} ended the progress stream: {await call.details()}")
        except grpc.aio.AioRpcError as error:
            raise error_status.from_rpc_error(error, "the scheduler") from None
        finally:
            if call is not None:
                call.cancel()
            self.ended = True
            self._changed.set()
            on_change()

    def start(self, on_change: Callable[[], object] = lambda: None) -> None:
        """Follow the tasks in the background. Called on the IO loop."""
        self._task = self._session.track(self._follow_quietly(on_change))

    async def _follow_quietly(self, on_change: Callable[[], object]) -> None:
        try:
            await self.follow(on_change)
        except Exception as error:
            self._error = error

    async def changed(self, timeout: float) -> pb.WatchProgressResponse:
        """Wait at most `timeout` seconds for the next message and return the last one.

        Raises
        ------
        CommClosedError
            If the connection to the scheduler is lost.
        """
        if self._task is None:
            self.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        self._changed.clear()
        if self._error is not None and not self.state.done:
            raise self._error
        return self.state

    def stop(self) -> None:
        """Stop following the tasks. Called on the IO loop."""
        if self._task is not None:
            self._task.cancel()


async def keys_below(session: ClientSession, wire_keys: Sequence[str]) -> list[str]:
    """Return the wire keys of tasks and of all tasks that they depend on."""
    await session.ping()
    call = inquiry_service(session).open_download("ListTasksBelow", pb.ListTasksBelowRequest(keys=wire_keys))
    found: list[str] = []
    try:
        while (data := await call.read()) is not grpc.aio.EOF:
            found.extend(pb.ListTasksBelowResponse.FromString(data).keys)
    except grpc.aio.AioRpcError as error:
        raise error_status.from_rpc_error(error, "the scheduler") from None
    finally:
        call.cancel()
    return found


async def spans(session: ClientSession) -> Spans:
    """Return all spans that the scheduler keeps."""
    await session.ping()
    response = await inquiry_service(session).call("GetSpans", pb.GetSpansRequest(), pb.GetSpansResponse)
    threads = [(each.since, each.count) for each in response.threads]
    return Spans(_span_facts(info, threads, response.time) for info in response.spans)


def _span_facts(info: pb.SpanInfo, threads: list[tuple[float, int]], now: float) -> dict[str, Any]:
    names = ("id", "name", "parent", "enqueued", "start", "stop", "states", "seconds", "nbytes", "groups")
    found = {name: getattr(info, name) for name in names}
    return {**found, "threads": threads, "now": now, "metadata": json.loads(info.metadata) if info.metadata else {}}


def grouped(wire_keys: Iterable[str], name_of: Callable[[Any], object]) -> list[pb.TaskGrouping]:
    """Return tasks in groups, named by a user's function of the key."""
    groups: dict[str, list[str]] = {}
    for wire_key in wire_keys:
        groups.setdefault(str(name_of(decode_key(wire_key))), []).append(wire_key)
    return [pb.TaskGrouping(name=name, keys=keys) for name, keys in groups.items()]
