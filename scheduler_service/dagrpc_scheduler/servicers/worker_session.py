"""WorkerSessionService: a worker's session, and its heartbeats."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import grpc

from dagrpc import config
from dagrpc._io.server import read_all
from dagrpc._io.session import Session
from dagrpc._util.versions import PROTOCOL_MAX, PROTOCOL_MIN, own_versions
from dagrpc.exceptions import DuplicateWorkerError, InvalidRequestError, UnknownWorkerError, VersionUnsupportedError
from dagrpc.v1 import common_pb2, worker_session_pb2
from dagrpc_scheduler.core import effects, events, views
from dagrpc_scheduler.shell.sessions import WorkerConnection
from dagrpc_scheduler.shell.translate_in import STATUS_NAMES, worker_events
from dagrpc_scheduler.shell.translate_out import worker_messages

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

_FOR_SHELL = frozenset(("goodbye", "log_event", "status_changed"))


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
        """Hold a worker's session."""
        service = self._service
        first = await context.read()
        if first is grpc.aio.EOF or not first.HasField("hello"):
            raise InvalidRequestError("the first message of a worker's session must hold `hello`")
        connection = self._admit(first.hello, context)
        session, hello = connection.session, connection.hello
        await service.plugin_registry.complete(connection)
        await session.write_now(self._welcome(connection.name))
        # From here to the next line nothing can come in between.
        await service.plugin_registry.complete(connection)
        service.sessions.workers[hello.address] = connection
        stimulus = service.stimulus("worker-added")
        service.handle(
            events.WorkerAdded(
                hello.address,
                connection.name,
                hello.nthreads,
                hello.address.rpartition(":")[0].strip("[]"),
                hello.memory_limit,
                dict(hello.resources),
                hello.nanny,
                stimulus,
            )
        )
        service.events.worker_added(hello.address, stimulus)
        service.scheduler_plugins.worker_added(hello.address)
        logger.info("Worker %s (%s) joined with %d threads", hello.address, connection.name, hello.nthreads)
        try:
            await session.run(lambda message: self._take(connection, message))
        finally:
            service.departures.session_ended(connection)

    def _admit(self, hello: worker_session_pb2.WorkerHello, context: Any) -> WorkerConnection:
        """Return a new worker's connection, or raise if it cannot join."""
        if not hello.address or hello.nthreads < 1:
            raise InvalidRequestError(
                f"a worker needs an address and at least one thread; got {hello.address!r} and {hello.nthreads}"
            )
        check_versions(hello.versions, f"Worker {hello.address}")
        name = hello.name or hello.address
        workers = self._service.sessions.workers
        if hello.address in workers:
            raise DuplicateWorkerError(f"A worker at {hello.address} is connected already")
        if any(worker.name == name for worker in workers.values()):
            raise DuplicateWorkerError(f"A worker named {name!r} is connected already; give this one another name")
        session: Session[effects.Effect] = Session(
            context, worker_messages, worker_session_pb2.ComputeRequest, f"worker {hello.address}"
        )
        return WorkerConnection(hello, name, session, time.time(), plugins_revision=hello.plugins_revision)

    def _welcome(self, name: str) -> worker_session_pb2.ComputeResponse:
        return worker_session_pb2.ComputeResponse(
            welcome=worker_session_pb2.WorkerWelcome(
                scheduler_id=self._service.id,
                name=name,
                inline_limit=config.get_bytes("comm.inline-limit"),
                versions=common_pb2.Versions(**own_versions()),
                recording=self._service.records.recording,
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
            case "goodbye":
                connection.goodbye = report.goodbye.reason or "no reason given"
                log.log(address, {"action": "closing-worker", "reason": connection.goodbye})
                log.status_changed(address, status, "closing", self._service.stimulus("worker-closing"))
            case "status_changed":
                after = STATUS_NAMES.get(report.status_changed.status, "running")
                connection.reported_status = after
                log.status_changed(address, status, after, self._service.stimulus("worker-status-change"))

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
                time=now, interval_seconds=interval, recording=records.recording
            )
            await context.write(answer.SerializeToString())
