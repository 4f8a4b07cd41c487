"""WorkerSessionService: the sessions and heartbeats of workers."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import grpc

from dagrpc import config
from dagrpc._common.versions import own_versions
from dagrpc._peer.peer_session import PeerSession
from dagrpc._rpc.probe import is_refused
from dagrpc._rpc.server import read_all
from dagrpc.exceptions import InvalidRequestError, UnknownSessionError, UnknownWorkerError
from dagrpc.v1 import common_pb2, worker_session_pb2
from dagrpc_scheduler.servicers.protocol_versions import check_versions
from dagrpc_scheduler.shell.coordination.shuffle_shell import ShuffleShell
from dagrpc_scheduler.shell.diagnostics.measurement_history import Reports
from dagrpc_scheduler.shell.diagnostics.task_stream_buffer import TaskStreamBuffer
from dagrpc_scheduler.shell.identity import Identity
from dagrpc_scheduler.shell.plugins.plugin_registry import PluginRegistry
from dagrpc_scheduler.shell.plugins.run_notes import RunNotes
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers, WorkerConnection
from dagrpc_scheduler.shell.sessions.translate_out import worker_messages
from dagrpc_scheduler.shell.sessions.worker_connections import PROCESS_GONE, WorkerMembership

_HOLDINGS_TIMEOUT = 60.0
"""Seconds that a returning worker has for listing the results that it holds."""


class WorkerSessionServicer:
    """Serves workers and their nannies; each method is the rpc of its name."""

    def __init__(
        self,
        *,
        identity: Identity,
        peers: ConnectedPeers,
        workers: WorkerMembership,
        plugin_registry: PluginRegistry,
        notes: RunNotes,
        task_stream: TaskStreamBuffer,
        reports: Reports,
        shuffles: ShuffleShell,
    ) -> None:
        self._identity = identity
        self._peers = peers
        self._workers = workers
        self._plugin_registry = plugin_registry
        self._notes = notes
        self._task_stream = task_stream
        self._reports = reports
        self._shuffles = shuffles

    # --- sessions ------------------------------------------------------------------------------------------------

    async def Compute(self, _: Any, context: Any) -> None:
        """Hold one stream of a worker's session."""
        first = await context.read()
        if first is grpc.aio.EOF or not first.HasField("hello"):
            raise InvalidRequestError("the first message of a worker's session must hold `hello`")
        hello = first.hello
        if not hello.address or hello.nthreads < 1:
            raise InvalidRequestError(
                f"a worker needs an address and at least one thread; got {hello.address!r} and {hello.nthreads}"
            )
        check_versions(hello.versions, f"Worker {hello.address}")
        if hello.HasField("resume"):
            await self._resume(hello, context)
        else:
            await self._begin(hello, context)

    async def _begin(self, hello: worker_session_pb2.WorkerHello, context: Any) -> None:
        """Begin a session."""
        held = await _holdings(context) if hello.returning else []
        self._workers.make_room(hello)
        connection = self._connection(hello, context)
        # No plugin can be registered between the end of this call and the next line.
        await self._plugin_registry.complete(connection)
        # The worker is a member before it is welcomed: a program whose worker has started finds it on the scheduler.
        self._workers.join(connection, held)
        await connection.peer_session.begin(partial(self._workers.reported, connection))

    async def _resume(self, hello: worker_session_pb2.WorkerHello, context: Any) -> None:
        """Continue a session whose stream broke, whether the scheduler has noticed that or not."""
        connection = self._peers.workers.get(hello.address)
        if connection is None or not connection.peer_session.is_of(hello.session_token):
            raise UnknownSessionError(f"Worker {hello.address} has no session here any more")
        connection.plugins_revision = hello.plugins_revision
        await connection.peer_session.resume(
            context, hello.resume.received, partial(self._workers.reported, connection)
        )

    def _connection(self, hello: worker_session_pb2.WorkerHello, context: Any) -> WorkerConnection:
        """Return the connection of a new worker."""

        async def welcome(resumed: common_pb2.Resumption | None) -> worker_session_pb2.ComputeResponse:
            await self._plugin_registry.complete(connection)
            return self._welcome(connection, resumed)

        peer_session = PeerSession(
            context,
            worker_messages,
            worker_session_pb2.ComputeRequest,
            worker_session_pb2.ComputeResponse,
            f"worker {hello.address}",
            hello.session_token,
            config.get_seconds("scheduler.worker-grace") or 0.0,
            welcome=welcome,
            on_away=lambda: self._workers.disconnected(connection),
            on_back=lambda: self._workers.resumed(connection),
            on_over=lambda reason: self._workers.left(connection, reason),
            why_gone=lambda: _why_gone(hello.address),
            traffic=self._peers.worker_traffic,
        )
        connection = WorkerConnection(
            hello,
            hello.name or hello.address,
            peer_session.session,
            peer_session,
            time.time(),
            plugins_revision=hello.plugins_revision,
        )
        return connection

    def _welcome(
        self, connection: WorkerConnection, resumed: common_pb2.Resumption | None
    ) -> worker_session_pb2.ComputeResponse:
        return worker_session_pb2.ComputeResponse(
            welcome=worker_session_pb2.WorkerWelcome(
                scheduler_id=self._identity.id,
                name=connection.name,
                inline_limit=config.get_bytes("comm.inline-limit"),
                versions=common_pb2.Versions(**own_versions()),
                recording=self._task_stream.recording,
                details=self._notes.wanted,
                resumed=resumed,
                grace_seconds=connection.peer_session.grace,
                last_shuffle_run=self._shuffles.last_run if resumed is None else 0,
            )
        )

    # --- other calls ---------------------------------------------------------------------------------------------

    async def ReportGivenUp(
        self, request: worker_session_pb2.ReportGivenUpRequest
    ) -> worker_session_pb2.ReportGivenUpResponse:
        """Note that a nanny does not start its worker again."""
        self._workers.given_up(request.name or request.nanny, request.nanny, request.reason)
        return worker_session_pb2.ReportGivenUpResponse()

    async def Heartbeat(self, _: Any, context: Any) -> None:
        """Take a worker's measurements and records."""
        interval = config.get_seconds("worker.heartbeat-interval") or 1.0
        async for message in read_all(context):
            connection = self._peers.workers.get(message.address)
            if connection is None:
                raise UnknownWorkerError(f"No worker at {message.address} has a session here")
            now = time.time()
            connection.measured(now, dict(message.metrics))
            self._reports.measured(message.address, now, connection.metrics)
            if message.HasField("records"):
                self._task_stream.add(message.address, message.records)
            answer = worker_session_pb2.HeartbeatResponse(
                time=now,
                interval_seconds=interval,
                recording=self._task_stream.recording,
                details=self._notes.wanted,
            )
            await context.write(answer.SerializeToString())


async def _why_gone(address: str) -> str:
    """Return why a worker that is away cannot come back; empty if it may."""
    return PROCESS_GONE if await is_refused(address) else ""


async def _holdings(context: Any) -> list[tuple[str, int, int]]:
    """Read the results that a returning worker holds: key, size in bytes and run id of each."""
    held: list[tuple[str, int, int]] = []
    async with asyncio.timeout(_HOLDINGS_TIMEOUT):
        while True:
            message = await context.read()
            if message is grpc.aio.EOF or len(message.reports) != 1 or not message.reports[0].HasField("holdings"):
                raise InvalidRequestError("a worker that rejoins must list its results")
            holdings = message.reports[0].holdings
            held.extend([(result.key, result.nbytes, result.run_id) for result in holdings.results])
            if holdings.last:
                return held
