"""Following tasks at the scheduler: how far they are, for progress bars."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc

from dagrpc._client.session import ClientSession
from dagrpc._common.keys import decode_key
from dagrpc._loop.io_loop import spawn
from dagrpc._rpc import status
from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import CommClosedError
from dagrpc.spans import Spans
from dagrpc.v1 import inquiry_service_pb2 as pb

INQUIRY_SERVICE = pb.DESCRIPTOR.services_by_name["InquiryService"]


def inquiry(session: ClientSession) -> ServiceClient:
    """Return a client of the scheduler's InquiryService."""
    session.check_open()
    assert session.scheduler is not None
    return ServiceClient(session.scheduler.channel, INQUIRY_SERVICE, session.scheduler.peer)


class Watch:
    """How far some tasks are, kept up to date by the scheduler. Lives on the IO loop, but may be read anywhere.

    Parameters
    ----------
    session : ClientSession
        The client's connection.
    request : WatchProgressRequest
        Which tasks.
    """

    def __init__(self, session: ClientSession, request: pb.WatchProgressRequest) -> None:
        self._session = session
        self._request = request
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self.state = pb.WatchProgressResponse()
        """The latest that the scheduler said."""
        self.ended = False
        """Whether there is nothing more to come."""

    async def follow(self, on_change: Callable[[], object] = lambda: None) -> None:
        """Follow the tasks until all are done.

        Raises
        ------
        CommClosedError
            If the connection to the scheduler is lost meanwhile.
        """
        call: Any = None
        try:
            # What was submitted before has to be known there.
            await self._session.ping()
            service = inquiry(self._session)
            call = service.open_download("WatchProgress", self._request)
            while (data := await call.read()) is not grpc.aio.EOF:
                self.state = pb.WatchProgressResponse.FromString(data)
                self._changed.set()
                on_change()
            # A stream that was refused ends like one that is over.
            if await call.code() is not grpc.StatusCode.OK:
                raise CommClosedError(f"{service.peer} stopped to tell of progress: {await call.details()}")
        except grpc.aio.AioRpcError as error:
            raise status.from_rpc_error(error, "the scheduler") from None
        finally:
            if call is not None:
                call.cancel()
            self.ended = True
            self._changed.set()
            on_change()

    def start(self, on_change: Callable[[], object] = lambda: None) -> None:
        """Follow the tasks in the background. To be called on the IO loop."""
        self._task = spawn(self._follow_quietly(on_change), self._session._tasks)

    async def _follow_quietly(self, on_change: Callable[[], object]) -> None:
        try:
            await self.follow(on_change)
        except Exception as error:
            self._error = error

    async def changed(self, timeout: float) -> pb.WatchProgressResponse:
        """Wait for news, but not for longer than `timeout` seconds, and return the latest.

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
        """Stop to follow the tasks. To be called on the IO loop."""
        if self._task is not None:
            self._task.cancel()


async def keys_below(session: ClientSession, wire_keys: Sequence[str]) -> list[str]:
    """Return keys as on the wire of tasks and of all that they depend on."""
    await session.ping()
    call = inquiry(session).open_download("ListTasksBelow", pb.ListTasksBelowRequest(keys=wire_keys))
    found: list[str] = []
    try:
        while (data := await call.read()) is not grpc.aio.EOF:
            found.extend(pb.ListTasksBelowResponse.FromString(data).keys)
    except grpc.aio.AioRpcError as error:
        raise status.from_rpc_error(error, "the scheduler") from None
    finally:
        call.cancel()
    return found


async def spans(session: ClientSession) -> Spans:
    """Return all spans that the scheduler remembers."""
    await session.ping()
    response = await inquiry(session).call("GetSpans", pb.GetSpansRequest(), pb.GetSpansResponse)
    threads = [(each.since, each.count) for each in response.threads]
    return Spans(_span_facts(info, threads, response.time) for info in response.spans)


def _span_facts(info: pb.SpanInfo, threads: list[tuple[float, int]], now: float) -> dict[str, Any]:
    names = ("id", "name", "parent", "enqueued", "start", "stop", "states", "seconds", "nbytes", "groups")
    found = {name: getattr(info, name) for name in names}
    return {**found, "threads": threads, "now": now, "metadata": json.loads(info.metadata) if info.metadata else {}}


def grouped(wire_keys: Iterable[str], name_of: Callable[[Any], object]) -> list[pb.TaskGrouping]:
    """Return tasks in the groups that a user's function puts them in by their keys."""
    groups: dict[str, list[str]] = {}
    for wire_key in wire_keys:
        groups.setdefault(str(name_of(decode_key(wire_key))), []).append(wire_key)
    return [pb.TaskGrouping(name=name, keys=keys) for name, keys in groups.items()]
