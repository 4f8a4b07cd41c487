"""A client's way back to a scheduler: it resumes its session, or begins a new one at the same address."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Protocol

import grpc

from dagrpc import config
from dagrpc._client.key_table import KeyTable
from dagrpc._peer.calling_session import CallingSession, greet
from dagrpc._peer.reconnect import FIRST_PAUSE, process_is_gone, reconnect
from dagrpc._rpc import error_status
from dagrpc.exceptions import (
    ClosedClientError,
    CommClosedError,
    DagrpcError,
    NotReadyError,
    UnknownSessionError,
)
from dagrpc.v1 import client_session_pb2

logger = logging.getLogger("dagrpc.client")

_ATTEMPT = 5.0
"""Timeout of one attempt, in seconds."""
_SHORTEST_ATTEMPT = 0.2
"""Shortest timeout of an attempt, used just before the grace period or the client's patience ends."""


class ReconnectingClient(Protocol):
    """The part of a `ClientSession` that a reconnection uses."""

    address: str
    status: str
    table: KeyTable
    peer: CallingSession[Any]
    farewell: client_session_pb2.SchedulerGoodbye | None

    @property
    def welcome(self) -> Any:
        """The scheduler's last welcome."""

    def hello(self, *, resume: bool) -> Any:
        """Return the message that introduces the client."""

    async def connected(self, timeout: float) -> None:
        """Wait until there is a connection."""

    def lost(self, how: str) -> str:
        """Return the message about the lost connection."""

    def renew(self, message: str) -> None:
        """Cancel all futures and requests of the session."""


class Reconnection:
    """The rules by which a client connects again. Lives on the IO loop.

    Within the grace period the session can be resumed. After it, or as soon as the scheduler's process is known to be
    gone, the client gives up the futures and requests of the session. It then tries to begin a new session for as long
    as `comm.timeouts.connect`.
    """

    transient = (CommClosedError, NotReadyError, TimeoutError, UnknownSessionError, asyncio.InvalidStateError)

    def __init__(self, client: ReconnectingClient) -> None:
        self._client = client
        self._resumable = True
        """Whether the session may still be resumed."""
        self._patience = 0.0
        """Seconds after the break at which the client gives up."""
        self._connect_timeout = 0.0

    async def greet_first(self, timeout: float) -> tuple[Any, Any]:
        """Introduce the client for the first time; try again if the connection breaks meanwhile.

        Returns the stream and the scheduler's welcome.

        Raises
        ------
        CommClosedError
            If the other side is no scheduler, or cannot be reached again.
        DagrpcError
            If the scheduler refuses the client.
        """
        client, peer = self._client, self._client.peer
        assert peer.service is not None
        while True:
            try:
                return await greet(peer.service, "UpdateGraph", [client.hello(resume=False)])
            except grpc.aio.AioRpcError as error:
                if not error_status.is_of_connection(error):
                    raise error_status.from_rpc_error(error, peer.name) from None
                logger.debug("The connection to %s broke at once: %s", peer.name, error.details())
            # The channel may not have noticed the break yet.
            await asyncio.sleep(FIRST_PAUSE)
            await client.connected(timeout)

    async def reopen(self) -> str:
        """Resume the session or begin a new one on a new stream. Return why this failed, or an empty string."""
        client = self._client
        client.status = "connecting"
        client.peer.recovery.broke()
        self._resumable = True
        self._connect_timeout = config.get_seconds("comm.timeouts.connect") or 30.0
        self._patience = client.welcome.grace_seconds + self._connect_timeout
        logger.info("Trying to reach the scheduler at %s again", client.address)
        try:
            await reconnect(self)
        except (CommClosedError, ClosedClientError) as error:
            return str(error)
        except DagrpcError as error:
            logger.warning("The scheduler at %s does not accept the client again: %s", client.address, error)
            return f"The scheduler ended the session: {error}"
        return ""

    async def before_attempt(self, begun: float) -> float:
        """Give up the session once it cannot be resumed, and the client once its patience ends."""
        client = self._client
        if client.status != "connecting":
            raise ClosedClientError("The client is closed.")
        grace = client.welcome.grace_seconds
        if self._resumable:
            end = await self._end_of_scheduler()
            away = time.monotonic() - begun
            if end:
                self._patience = away + self._connect_timeout
                self._give_up(end)
            elif away > grace:
                self._give_up(f"for more than {grace:g} s, for which it keeps what a client wants")
        if time.monotonic() - begun > self._patience:
            raise CommClosedError(client.lost(f"and none has answered there for {self._patience:.3g} s"))
        left = (grace if self._resumable else self._patience) - (time.monotonic() - begun)
        return min(max(left, _SHORTEST_ATTEMPT), _ATTEMPT)

    async def attempt(self) -> None:
        """Open another stream."""
        client, peer = self._client, self._client.peer
        await client.connected(_ATTEMPT)
        before = peer.welcome.scheduler_id
        stream, welcome = await peer.greet([client.hello(resume=self._resumable)])
        if client.farewell is not None and welcome.scheduler_id == before:
            stream.cancel()
            raise NotReadyError("The scheduler at this address is still the one that stops")
        if self._resumable and welcome.HasField("resumed"):
            peer.resume(stream, welcome)
            logger.info("Connected to the scheduler at %s again", client.address)
            return
        peer.begin(stream, welcome)
        if self._resumable:
            restarted = welcome.scheduler_id != before
            self._give_up("and it was restarted meanwhile" if restarted else "for longer than it keeps a session")
        logger.info("A new session with the scheduler at %s begins", client.address)

    def after_failure(self, error: Exception) -> None:
        """Log why an attempt failed."""
        if isinstance(error, (UnknownSessionError, asyncio.InvalidStateError)):
            logger.info("The session with the scheduler at %s cannot go on", self._client.address)
        else:
            logger.debug("The scheduler at %s cannot be reached: %s", self._client.address, error)

    async def _end_of_scheduler(self) -> str:
        """Return how the scheduler ended; empty if it may live. The death of a process on another host is not known."""
        farewell, address = self._client.farewell, self._client.address
        if farewell is not None:
            return f"since it has stopped ({farewell.reason})"
        return "since its process is gone" if await process_is_gone(address) else ""

    def _give_up(self, how: str) -> None:
        """Cancel everything that the session stood for: the scheduler does not keep it."""
        self._resumable = False
        message = self._client.lost(f"{how}: what the client wanted is given up, and has to be submitted again")
        if self._client.table.states:
            logger.warning("%s", message)
        self._client.renew(message)
