"""A client's session: commands in, events out."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import grpc

from dagrpc import config
from dagrpc._auth.access import Access
from dagrpc._common.versions import own_versions
from dagrpc._peer.peer_session import PeerSession
from dagrpc.exceptions import DagrpcError, InvalidRequestError, NotReadyError, UnknownSessionError
from dagrpc.v1 import client_session_pb2, common_pb2
from dagrpc_scheduler.servicers.caller_commands import check_commands
from dagrpc_scheduler.servicers.command_refusals import refusal
from dagrpc_scheduler.servicers.graph_limits import GraphLimits
from dagrpc_scheduler.servicers.protocol_versions import check_versions
from dagrpc_scheduler.shell.identity import Identity
from dagrpc_scheduler.shell.sessions.client_membership import ClientMembership
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.sessions.translate_out import ClientEncoder

logger = logging.getLogger("dagrpc.scheduler")


class ClientSessions:
    """Holds the streams of clients' sessions."""

    def __init__(
        self,
        *,
        identity: Identity,
        peers: ConnectedPeers,
        clients: ClientMembership,
        access: Access,
        code_allowed: bool,
    ) -> None:
        self._identity = identity
        self._peers = peers
        self._clients = clients
        self._access = access
        self._code_allowed = code_allowed
        self._graph_limits: WeakKeyDictionary[PeerSession, GraphLimits] = WeakKeyDictionary()

    async def hold(self, context: Any) -> None:
        """Hold one stream of a client's session until it ends."""
        first = await context.read()
        if first is grpc.aio.EOF or not first.HasField("hello") or not first.hello.client_id:
            raise InvalidRequestError("the first message of a client's session must hold `hello` with a client id")
        if first.commands:
            raise InvalidRequestError("the first message of a session holds `hello` and no commands")
        hello = first.hello
        check_versions(hello.versions, f"Client {hello.client_id}")
        if hello.HasField("resume"):
            self._peers.check_client_eviction(hello.session_token)
        peer = self._peers.client_sessions.get(hello.client_id)
        if peer is not None:
            if not peer.is_of(hello.session_token):
                raise InvalidRequestError(f"client {hello.client_id} has a session already")
            if hello.HasField("resume"):
                with contextlib.suppress(UnknownSessionError):
                    await self._resume(hello, peer, context)
                    return
            peer.end("it started a new session")
        await self._begin(hello, context)

    async def _resume(self, hello: client_session_pb2.ClientHello, peer: PeerSession, context: Any) -> None:
        """Continue a session with another stream."""
        with self._evictions_noted(peer):
            await peer.resume(context, hello.resume.received, self._taker(hello, peer, context))

    async def _begin(self, hello: client_session_pb2.ClientHello, context: Any) -> None:
        """Begin a session."""
        client = hello.client_id

        async def welcome(resumed: common_pb2.Resumption | None) -> client_session_pb2.UpdateGraphResponse:
            if resumed is not None:
                logger.info("Client %s is back", client, extra={"client": client})
            return client_session_pb2.UpdateGraphResponse(welcome=self._welcome(peer, resumed))

        peer = PeerSession(
            context,
            ClientEncoder(hello.encodings, hello.inline_limit),
            client_session_pb2.UpdateGraphRequest,
            client_session_pb2.UpdateGraphResponse,
            f"client {client}",
            hello.session_token,
            config.get_seconds("scheduler.session-grace") or 0.0,
            welcome=welcome,
            on_away=lambda: logger.warning("Client %s is away: its connection broke", client, extra={"client": client}),
            on_back=lambda: None,
            on_over=lambda reason: self._clients.left(client, reason),
            traffic=self._peers.client_traffic,
        )
        # The client is a member before it is welcomed: a program that has connected finds its client on the scheduler.
        self._clients.join(client, peer, hello.topics)
        self._graph_limits[peer] = GraphLimits(client)
        with self._evictions_noted(peer):
            await peer.begin(self._taker(hello, peer, context))

    @contextlib.contextmanager
    def _evictions_noted(self, peer: PeerSession) -> Iterator[None]:
        """Remember why a session failed: a client that is just writing does not learn the status."""
        try:
            yield
        except (UnknownSessionError, NotReadyError):
            raise
        except DagrpcError as error:
            self._peers.note_client_eviction(peer.token, error)
            raise

    def _taker(
        self, hello: client_session_pb2.ClientHello, peer: PeerSession, context: Any
    ) -> Callable[[client_session_pb2.UpdateGraphRequest], None]:
        """Return the function that checks and takes the messages of a stream."""
        client, limits, may_ship_code = hello.client_id, self._graph_limits[peer], self._access.may_ship_code(context)
        reports_refusals = hello.reports_refusals

        def take_each(message: client_session_pb2.UpdateGraphRequest) -> None:
            for command in message.commands:
                try:
                    check_and_take(client_session_pb2.UpdateGraphRequest(commands=[command]))
                except DagrpcError as error:
                    logger.info("A command of client %s was refused: %s", client, error, extra={"client": client})
                    peer.session.send(refusal(command, error))

        def take(message: client_session_pb2.UpdateGraphRequest) -> None:
            if message.HasField("hello"):
                raise InvalidRequestError("a session has one `hello` for each stream, in its first message")
            if reports_refusals:
                take_each(message)
            else:
                check_and_take(message)

        def check_and_take(message: client_session_pb2.UpdateGraphRequest) -> None:
            if not may_ship_code:
                check_commands(message.commands)
            for command in message.commands:
                if command.HasField("graph"):
                    limits.add(command.graph)
            self._clients.take(client, peer, message)

        return take

    def _welcome(self, peer: PeerSession, resumed: common_pb2.Resumption | None) -> client_session_pb2.ClientWelcome:
        return client_session_pb2.ClientWelcome(
            scheduler_id=self._identity.id,
            versions=common_pb2.Versions(**own_versions()),
            code_allowed=self._code_allowed,
            worker_versions=self._peers.worker_versions(),
            resumed=resumed,
            grace_seconds=peer.grace,
        )
