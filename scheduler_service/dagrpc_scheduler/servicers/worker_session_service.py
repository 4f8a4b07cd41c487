"""WorkerSessionService: a worker's session, and its heartbeats."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from dagrpc import config
from dagrpc._common.addresses import split_address
from dagrpc._common.versions import PROTOCOL_MAX, PROTOCOL_MIN, differences, mismatch_message, own_versions
from dagrpc._peer.session import Session
from dagrpc._rpc.probe import is_refused
from dagrpc._rpc.server import read_all
from dagrpc.exceptions import (
    DuplicateWorkerError,
    InvalidRequestError,
    UnknownSessionError,
    UnknownWorkerError,
    VersionUnsupportedError,
)
from dagrpc.v1 import common_pb2, worker_session_pb2
from dagrpc_scheduler.core import events, instructions, views
from dagrpc_scheduler.shell.coordination.topic_shell import ALL
from dagrpc_scheduler.shell.sessions.connected_peers import WorkerConnection
from dagrpc_scheduler.shell.sessions.peer_session import Tenure
from dagrpc_scheduler.shell.sessions.translate_in import STATUS_NAMES, worker_events
from dagrpc_scheduler.shell.sessions.translate_out import worker_messages

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

_FOR_SHELL = frozenset(("goodbye", "log_event", "run_details", "status_changed"))
_HOLDINGS_TIMEOUT = 60.0
_GONE = "its process is gone: nobody listens at its address any more"
_ADDRESS_TAKEN = "another process has its address"
_PLACE_TAKEN = "its nanny has started another in its place"
_ENDED = frozenset((_GONE, _ADDRESS_TAKEN, _PLACE_TAKEN))
"""Reasons that tell of a process that has ended: how, its nanny knows."""


def check_versions(versions: common_pb2.Versions, who: str) -> None:
    """Raise unless a peer speaks a protocol revision that this process speaks.

    Raises
    ------
    VersionUnsupportedError
        Naming both ranges.
    """
    if versions.protocol_max < PROTOCOL_MIN or versions.protocol_min > PROTOCOL_MAX:
        own = own_versions()
        raise VersionUnsupportedError(
            f"{who} (dagrpc {versions.dagrpc or 'unknown'}) speaks protocol revisions {versions.protocol_min} to "
            f"{versions.protocol_max}; this scheduler (dagrpc {own['dagrpc']}) speaks {PROTOCOL_MIN} to {PROTOCOL_MAX}"
        )


class WorkerSessionServicer:
    """What workers call.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    async def Compute(self, _: Any, context: Any) -> None:
        """Hold one stream of a worker's session."""
        service = self._service
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
            return
        held = await _holdings(context) if hello.returning else []
        connection = self._admit(hello, context)
        await service.plugin_registry.complete(connection)
        await connection.session.write_now(self._welcome(connection, None))
        # From here to the next line nothing can come in between.
        await service.plugin_registry.complete(connection)
        self._join(connection, held)
        await connection.tenure.hold(partial(self._take, connection))

    async def _resume(self, hello: worker_session_pb2.WorkerHello, context: Any) -> None:
        """Go on with the session of a worker whose stream broke, whether that was noticed or not."""
        connection = self._service.sessions.workers.get(hello.address)
        if connection is None or not connection.tenure.is_of(hello.session_token):
            raise UnknownSessionError(f"Worker {hello.address} has no session here any more")
        session = connection.session

        async def greet() -> None:
            await self._service.plugin_registry.complete(connection)
            assert session.delivery is not None
            await session.write_now(self._welcome(connection, common_pb2.Resumption(received=session.delivery.taken)))

        connection.plugins_revision = hello.plugins_revision
        await connection.tenure.resume(context, hello.resume.received, greet, partial(self._take, connection))

    def _join(self, connection: WorkerConnection, held: list[tuple[str, int, int]]) -> None:
        """Have a worker belong to the cluster."""
        service, hello = self._service, connection.hello
        self._check_free(hello)
        service.sessions.workers[hello.address] = connection
        service.shortage.joined(connection.name)
        stimulus = service.stimulus("worker-added")
        service.handle(
            events.WorkerAdded(
                hello.address,
                connection.name,
                hello.nthreads,
                split_address(hello.address)[0],
                hello.memory_limit,
                dict(hello.resources),
                hello.nanny,
                stimulus,
                hello.session_token,
                held,
            )
        )
        service.events.worker_added(hello.address, stimulus)
        service.scheduler_plugins.worker_added(hello.address)
        logger.info("Worker %s (%s) joined with %d threads", hello.address, connection.name, hello.nthreads)
        if not held:
            _warn_of_versions(hello)

    def _admit(self, hello: worker_session_pb2.WorkerHello, context: Any) -> WorkerConnection:
        """Return a new worker's connection, or raise if it cannot join."""
        for other in list(self._service.sessions.workers.values()):
            reason = _succession(hello, other)
            if reason:
                other.tenure.end(reason)
        if hello.returning:
            self._service.sessions.workers_cut_off.check(hello.session_token, time.monotonic())
        self._check_free(hello)
        session: Session[instructions.Instruction] = Session(
            context,
            worker_messages,
            worker_session_pb2.ComputeRequest,
            f"worker {hello.address}",
            worker_session_pb2.ComputeResponse if hello.session_token else None,
        )
        name = hello.name or hello.address
        connection = WorkerConnection(hello, name, session, time.time(), plugins_revision=hello.plugins_revision)
        connection.tenure = Tenure(
            session,
            hello.session_token,
            config.get_seconds("scheduler.worker-grace") or 0.0,
            on_away=lambda: self._away(connection),
            on_back=lambda: self._back(connection),
            on_over=lambda reason: self._over(connection, reason),
            why_gone=lambda: _why_gone(hello.address),
        )
        return connection

    def _check_free(self, hello: worker_session_pb2.WorkerHello) -> None:
        name = hello.name or hello.address
        workers = self._service.sessions.workers
        if hello.address in workers:
            raise DuplicateWorkerError(f"A worker at {hello.address} is connected already")
        if any(worker.name == name for worker in workers.values()):
            raise DuplicateWorkerError(f"A worker named {name!r} is connected already; give this one another name")

    def _welcome(
        self, connection: WorkerConnection, resumed: common_pb2.Resumption | None
    ) -> worker_session_pb2.ComputeResponse:
        return worker_session_pb2.ComputeResponse(
            welcome=worker_session_pb2.WorkerWelcome(
                scheduler_id=self._service.id,
                name=connection.name,
                inline_limit=config.get_bytes("comm.inline-limit"),
                versions=common_pb2.Versions(**own_versions()),
                recording=self._service.records.recording,
                details=self._service.scheduler_plugins.notes.wanted,
                resumed=resumed,
                grace_seconds=connection.tenure.grace,
                last_shuffle_run=self._service.shuffles.last_run if resumed is None else 0,
            )
        )

    def _take(self, connection: WorkerConnection, message: worker_session_pb2.ComputeRequest) -> None:
        """Give the core what a worker reports."""
        service = self._service
        connection.last_seen = time.time()
        for report in message.reports:
            if report.WhichOneof("report") in _FOR_SHELL:
                self._take_aside(connection, report)
        address = connection.hello.address
        batch = worker_events(address, message.reports, service.stimulus("worker"))
        service.scheduler_plugins.reported(batch)
        service.handle_batch(batch)

    def _take_aside(self, connection: WorkerConnection, report: worker_session_pb2.WorkerReport) -> None:
        """Take a report that is not the core's business, or not only."""
        log, address = self._service.events, connection.hello.address
        status, _ = views.worker_status(self._service.core, address)
        match report.WhichOneof("report"):
            case "log_event":
                log.take(report.log_event)
            case "run_details":
                self._service.scheduler_plugins.take_details(report.run_details)
            case "goodbye":
                connection.goodbye = connection.tenure.leaving = report.goodbye.reason or "no reason given"
                log.log(address, {"action": "closing-worker", "reason": connection.goodbye})
                log.status_changed(address, status, "closing", self._service.stimulus("worker-closing"))
            case "status_changed":
                after = STATUS_NAMES.get(report.status_changed.status, "running")
                connection.reported_status = after
                log.status_changed(address, status, after, self._service.stimulus("worker-status-change"))

    def _away(self, connection: WorkerConnection) -> None:
        service, address = self._service, connection.hello.address
        logger.warning("Worker %s (%s) is away: its connection broke", address, connection.name)
        stimulus = service.stimulus("worker-disconnected")
        before, _ = views.worker_status(service.core, address)
        service.handle(events.WorkerDisconnected(address, stimulus))
        service.events.status_changed(address, before, "disconnected", stimulus)

    def _back(self, connection: WorkerConnection) -> None:
        service, address = self._service, connection.hello.address
        logger.info("Worker %s (%s) is back", address, connection.name)
        connection.last_seen = time.time()
        stimulus = service.stimulus("worker-resumed")
        service.handle(events.WorkerResumed(address, stimulus))
        after, _ = views.worker_status(service.core, address)
        service.events.status_changed(address, "disconnected", after, stimulus)

    def _over(self, connection: WorkerConnection, reason: str) -> None:
        """Do without a worker, and say why, unless its nanny knows more."""
        if connection.goodbye is None and (reason not in _ENDED or not connection.nanny):
            connection.verdict = connection.verdict or reason
        self._service.departures.session_ended(connection)

    async def ReportGivenUp(
        self, request: worker_session_pb2.ReportGivenUpRequest
    ) -> worker_session_pb2.ReportGivenUpResponse:
        """Take note that a nanny has given up its worker."""
        service, name = self._service, request.name or request.nanny
        logger.warning("The nanny at %s has given up worker %s: %s", request.nanny, name, request.reason)
        service.shortage.given_up(name, request.reason)
        details = {"worker": name, "nanny": request.nanny, "reason": request.reason}
        service.events.log(ALL, {"action": "worker-given-up", **details})
        return worker_session_pb2.ReportGivenUpResponse()

    async def Heartbeat(self, _: Any, context: Any) -> None:
        """Take a worker's measurements."""
        interval = config.get_seconds("worker.heartbeat-interval") or 1.0
        async for message in read_all(context):
            connection = self._service.sessions.workers.get(message.address)
            if connection is None:
                raise UnknownWorkerError(f"No worker at {message.address} has a session here")
            now = time.time()
            connection.measured(now, dict(message.metrics))
            self._service.reports.measured(message.address, now, connection.metrics)
            records = self._service.records
            if message.HasField("records"):
                records.add(message.address, message.records)
            answer = worker_session_pb2.HeartbeatResponse(
                time=now,
                interval_seconds=interval,
                recording=records.recording,
                details=self._service.scheduler_plugins.notes.wanted,
            )
            await context.write(answer.SerializeToString())


def _succession(hello: worker_session_pb2.WorkerHello, other: WorkerConnection) -> str:
    """Return why a worker that is known must be gone, now that another introduces itself; empty if it need not be."""
    if other.tenure.is_of(hello.session_token):
        return "it has begun anew"
    if other.tenure.away:
        if other.hello.address == hello.address:
            return _ADDRESS_TAKEN
        if hello.nanny and other.nanny == hello.nanny and other.name == hello.name:
            return _PLACE_TAKEN
    return ""


def _warn_of_versions(hello: worker_session_pb2.WorkerHello) -> None:
    """Warn if a worker runs other software than the scheduler; what it does not have cannot differ."""
    own = own_versions()
    theirs = {name: getattr(hello.versions, name) for name in ("python", "dask", "dagrpc")}
    ours = {name: str(own[name]) for name, version in theirs.items() if version}
    found = differences({"scheduler": ours, f"worker {hello.address}": {name: theirs[name] for name in ours}})
    if found:
        logger.warning("%s", mismatch_message(found))


async def _why_gone(address: str) -> str:
    return _GONE if await is_refused(address) else ""


async def _holdings(context: Any) -> list[tuple[str, int, int]]:
    """Read what a worker holds that comes back."""
    held: list[tuple[str, int, int]] = []
    async with asyncio.timeout(_HOLDINGS_TIMEOUT):
        while True:
            message = await context.read()
            if message is grpc.aio.EOF or len(message.reports) != 1 or not message.reports[0].HasField("holdings"):
                raise InvalidRequestError("a worker that comes back must say what it holds")
            holdings = message.reports[0].holdings
            held.extend([(result.key, result.nbytes, result.run_id) for result in holdings.results])
            if holdings.last:
                return held
