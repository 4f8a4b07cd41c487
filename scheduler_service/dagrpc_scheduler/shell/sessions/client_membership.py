"""The clients' part in the cluster: they connect, send commands and leave."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from dagrpc._peer.peer_session import PeerSession
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import client_session_pb2
from dagrpc_scheduler.core import events
from dagrpc_scheduler.shell.coordination.coordination_shell import CoordinationShell
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.diagnostics.measurement_history import Computations
from dagrpc_scheduler.shell.diagnostics.task_stream_buffer import TaskStreamBuffer
from dagrpc_scheduler.shell.plugins.scheduler_plugins import SchedulerPlugins
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.sessions.translate_in import client_event

logger = logging.getLogger("dagrpc.scheduler")


class ClientMembership:
    """Brings what clients do to the core, the event log, the plugins and the coordination primitives."""

    def __init__(
        self,
        *,
        driver: CoreDriver,
        peers: ConnectedPeers,
        event_log: EventLog,
        plugins: SchedulerPlugins,
        coordination: CoordinationShell,
        task_stream: TaskStreamBuffer,
        computations: Computations,
    ) -> None:
        self._driver = driver
        self._peers = peers
        self._event_log = event_log
        self._plugins = plugins
        self._coordination = coordination
        self._task_stream = task_stream
        self._computations = computations

    def join(self, client: str, peer: PeerSession, topics: Iterable[str]) -> None:
        """Add a client and subscribe it to topics."""
        if client in self._peers.client_sessions:
            raise InvalidRequestError(f"client {client} has a session already")
        self._peers.clients[client] = peer.session
        self._peers.counts.clients_added += 1
        self._peers.client_sessions[client] = peer
        self._driver.handle(events.ClientAdded(client))
        self._event_log.client_added(client, topics)
        self._plugins.client_added(client)
        logger.info("Client %s connected", client, extra={"client": client})

    def left(self, client: str, reason: str) -> None:
        """Remove a client and release all that it had."""
        self._peers.clients.pop(client, None)
        self._peers.counts.clients_removed += 1
        self._peers.client_sessions.pop(client, None)
        self._coordination.client_gone(client)
        self._driver.handle(events.ClientRemoved(client, self._driver.stimulus("client-removed")))
        self._event_log.client_removed(client)
        self._task_stream.client_gone(client)
        self._plugins.client_removed(client)
        logger.info("Client %s disconnected: %s", client, reason, extra={"client": client})

    def take(self, client: str, peer: PeerSession, message: client_session_pb2.UpdateGraphRequest) -> None:
        """Carry out a batch of a client's commands, in order."""
        stimulus = self._driver.stimulus("client")
        for command in message.commands:
            match command.WhichOneof("command"):
                case "ping":
                    peer.session.send(client_session_pb2.Pong(token=command.ping.token))
                case "goodbye":
                    peer.leaving = "it left"
                case "coordinate":
                    self._coordination.take(client, command.coordinate)
                case "log_event":
                    self._event_log.take(command.log_event)
                case "subscribe":
                    self._event_log.subscribe(client, command.subscribe.topics)
                case "unsubscribe":
                    self._event_log.unsubscribe(client, command.unsubscribe.topics)
                case _:
                    self._take_for_core(client, command, stimulus)

    def _take_for_core(self, client: str, command: client_session_pb2.ClientCommand, stimulus: str) -> None:
        """Give the core a command; plugins are told of the tasks of a graph."""
        graph = command.graph if command.HasField("graph") else None
        if graph is not None and graph.code:
            self._computations.add(client, graph.graph_id, tuple(graph.code), len(graph.tasks))
        event = client_event(client, command, stimulus)
        if isinstance(event, events.GraphSubmitted) and self._plugins.watch_graphs:
            self._plugins.submit(event)
        elif event is not None:
            self._driver.handle(event)
