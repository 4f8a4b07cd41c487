"""A client's session: commands in, events out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import grpc

from dagrpc._io.session import Session
from dagrpc._util.versions import own_versions
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import client_session_pb2, common_pb2
from dagrpc_scheduler.core import events
from dagrpc_scheduler.servicers.callers import check_commands
from dagrpc_scheduler.servicers.graph_limits import GraphLimits
from dagrpc_scheduler.servicers.worker_session import check_versions
from dagrpc_scheduler.shell.translate_in import client_event
from dagrpc_scheduler.shell.translate_out import client_messages

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")


async def hold_session(service: SchedulerService, context: Any) -> None:
    """Hold a client's session until either side ends it.

    Raises
    ------
    InvalidRequestError
        If the client breaks the contract; the session ends.
    VersionUnsupportedError
        If the two share no protocol revision.
    """
    first = await context.read()
    if first is grpc.aio.EOF or not first.HasField("hello") or not first.hello.client_id:
        raise InvalidRequestError("the first message of a client's session must hold `hello` with a client id")
    client = first.hello.client_id
    check_versions(first.hello.versions, f"Client {client}")
    if client in service.sessions.clients:
        raise InvalidRequestError(f"client {client} has a session already")
    session: Session[Any] = Session(context, client_messages, client_session_pb2.UpdateGraphRequest, f"client {client}")
    welcome = client_session_pb2.ClientWelcome(
        scheduler_id=service.id,
        versions=common_pb2.Versions(**own_versions()),
        code_allowed=service.options.allow_code,
        worker_versions=service.sessions.worker_versions(),
    )
    await session.write_now(client_session_pb2.UpdateGraphResponse(welcome=welcome))
    service.sessions.clients[client] = session
    service.handle(events.ClientAdded(client))
    service.events.client_added(client, first.hello.topics)
    service.scheduler_plugins.client_added(client)
    logger.info("Client %s connected", client)
    limits, may_ship_code = GraphLimits(client), service.access.may_ship_code(context)

    def take(message: client_session_pb2.UpdateGraphRequest) -> None:
        if not may_ship_code:
            check_commands(message.commands)
        for command in message.commands:
            if command.HasField("graph"):
                limits.add(command.graph)
        _take(service, client, session, message)

    try:
        await session.run(take)
    finally:
        service.sessions.clients.pop(client, None)
        service.coordination.client_gone(client)
        service.handle(events.ClientRemoved(client, service.stimulus("client-removed")))
        service.events.client_removed(client)
        service.records.client_gone(client)
        service.scheduler_plugins.client_removed(client)
        logger.info("Client %s disconnected", client)


_ABOUT_EVENTS = frozenset(("log_event", "subscribe", "unsubscribe"))


def _take(
    service: SchedulerService, client: str, session: Session[Any], message: client_session_pb2.UpdateGraphRequest
) -> None:
    """Carry out a batch of a client's commands, in order."""
    stimulus = service.stimulus("client")
    for command in message.commands:
        kind = command.WhichOneof("command")
        if kind == "ping":
            session.send(client_session_pb2.Pong(token=command.ping.token))
            continue
        if kind == "coordinate":
            service.coordination.take(client, command.coordinate)
            continue
        if kind in _ABOUT_EVENTS:
            _take_about_events(service, client, command, kind)
            continue
        if kind == "graph" and command.graph.code:
            graph = command.graph
            service.reports.computations.add(client, graph.graph_id, tuple(graph.code), len(graph.tasks))
        event = client_event(client, command, stimulus)
        if event is not None:
            if isinstance(event, events.GraphSubmitted) and service.scheduler_plugins.watch_graphs:
                service.scheduler_plugins.submit(event)
            else:
                service.handle(event)


def _take_about_events(
    service: SchedulerService, client: str, command: client_session_pb2.ClientCommand, kind: str
) -> None:
    match kind:
        case "log_event":
            service.events.take(command.log_event)
        case "subscribe":
            service.events.subscribe(client, command.subscribe.topics)
        case "unsubscribe":
            service.events.unsubscribe(client, command.unsubscribe.topics)
