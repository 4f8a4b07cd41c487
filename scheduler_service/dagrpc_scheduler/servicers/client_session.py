"""A client's session: commands in, events out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import grpc

from dagrpc import config
from dagrpc._common.versions import own_versions
from dagrpc._peer.session import Session
from dagrpc.exceptions import DagrpcError, InvalidRequestError, NotReadyError, UnknownSessionError
from dagrpc.v1 import client_session_pb2, common_pb2
from dagrpc_scheduler.core import events
from dagrpc_scheduler.servicers.caller_commands import check_commands
from dagrpc_scheduler.servicers.graph_limits import GraphLimits
from dagrpc_scheduler.servicers.worker_session_service import check_versions
from dagrpc_scheduler.shell.sessions.peer_session import Tenure
from dagrpc_scheduler.shell.sessions.translate_in import client_event
from dagrpc_scheduler.shell.sessions.translate_out import client_messages

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")


async def hold_session(service: SchedulerService, context: Any) -> None:
    """Hold one stream of a client's session until it ends.

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
    hello = first.hello
    check_versions(hello.versions, f"Client {hello.client_id}")
    if hello.HasField("resume"):
        service.sessions.check_cut_off(hello.session_token)
    tenure = service.sessions.tenures.get(hello.client_id)
    if tenure is not None:
        if not tenure.is_of(hello.session_token):
            raise InvalidRequestError(f"client {hello.client_id} has a session already")
        if hello.HasField("resume"):
            with contextlib.suppress(UnknownSessionError):
                await _resume(service, hello, tenure, context)
                return
        tenure.end("it has begun anew")
    await _begin(service, hello, context)


async def _resume(
    service: SchedulerService, hello: client_session_pb2.ClientHello, tenure: Tenure, context: Any
) -> None:
    client, session = hello.client_id, tenure.session

    async def greet() -> None:
        logger.info("Client %s is back", client)
        assert session.delivery is not None
        resumed = common_pb2.Resumption(received=session.delivery.taken)
        await session.write_now(client_session_pb2.UpdateGraphResponse(welcome=_welcome(service, tenure, resumed)))

    with _remembered(service, tenure):
        await tenure.resume(context, hello.resume.received, greet, _taker(service, client, tenure, context))


async def _begin(service: SchedulerService, hello: client_session_pb2.ClientHello, context: Any) -> None:
    client, sessions = hello.client_id, service.sessions
    session: Session[Any] = Session(
        context,
        client_messages,
        client_session_pb2.UpdateGraphRequest,
        f"client {client}",
        client_session_pb2.UpdateGraphResponse if hello.session_token else None,
    )
    tenure = Tenure(
        session,
        hello.session_token,
        config.get_seconds("scheduler.session-grace") or 0.0,
        on_away=lambda: logger.warning("Client %s is away: its connection broke", client),
        on_back=lambda: None,
        on_over=lambda reason: _remove(service, client, reason),
    )
    await session.write_now(client_session_pb2.UpdateGraphResponse(welcome=_welcome(service, tenure, None)))
    if client in sessions.tenures:
        raise InvalidRequestError(f"client {client} has a session already")
    sessions.clients[client] = session
    sessions.tenures[client] = tenure
    service.handle(events.ClientAdded(client))
    service.events.client_added(client, hello.topics)
    service.scheduler_plugins.client_added(client)
    logger.info("Client %s connected", client)
    tenure.graph_limits = GraphLimits(client)
    with _remembered(service, tenure):
        await tenure.hold(_taker(service, client, tenure, context))


@contextlib.contextmanager
def _remembered(service: SchedulerService, tenure: Tenure) -> Iterator[None]:
    """Remember why a session had to end: the status is lost if the client is just writing."""
    try:
        yield
    except (UnknownSessionError, NotReadyError):
        raise
    except DagrpcError as error:
        service.sessions.note_cut_off(tenure.token, error)
        raise


def _taker(
    service: SchedulerService, client: str, tenure: Tenure, context: Any
) -> Callable[[client_session_pb2.UpdateGraphRequest], None]:
    """Return what takes the messages of a stream."""
    limits, may_ship_code = tenure.graph_limits, service.access.may_ship_code(context)

    def take(message: client_session_pb2.UpdateGraphRequest) -> None:
        if not may_ship_code:
            check_commands(message.commands)
        for command in message.commands:
            if command.HasField("graph"):
                limits.add(command.graph)
        _take(service, client, tenure, message)

    return take


def _welcome(
    service: SchedulerService, tenure: Tenure, resumed: common_pb2.Resumption | None
) -> client_session_pb2.ClientWelcome:
    return client_session_pb2.ClientWelcome(
        scheduler_id=service.id,
        versions=common_pb2.Versions(**own_versions()),
        code_allowed=service.options.allow_code,
        worker_versions=service.sessions.worker_versions(),
        resumed=resumed,
        grace_seconds=tenure.grace,
    )


def _remove(service: SchedulerService, client: str, reason: str) -> None:
    """Release all that a client had."""
    service.sessions.clients.pop(client, None)
    service.sessions.tenures.pop(client, None)
    service.coordination.client_gone(client)
    service.handle(events.ClientRemoved(client, service.stimulus("client-removed")))
    service.events.client_removed(client)
    service.records.client_gone(client)
    service.scheduler_plugins.client_removed(client)
    logger.info("Client %s disconnected: %s", client, reason)


_ABOUT_EVENTS = frozenset(("log_event", "subscribe", "unsubscribe"))


def _take(
    service: SchedulerService, client: str, tenure: Tenure, message: client_session_pb2.UpdateGraphRequest
) -> None:
    """Carry out a batch of a client's commands, in order."""
    stimulus = service.stimulus("client")
    for command in message.commands:
        kind = command.WhichOneof("command")
        if kind == "ping":
            tenure.session.send(client_session_pb2.Pong(token=command.ping.token))
            continue
        if kind == "goodbye":
            tenure.leaving = "it left"
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
