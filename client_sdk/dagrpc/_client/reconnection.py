"""What a client does when its stream breaks: it opens another, and goes on where it was, or begins anew."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING, Any

import grpc

from dagrpc import config
from dagrpc._common.addresses import is_loopback
from dagrpc._rpc import status
from dagrpc._rpc.probe import is_refused
from dagrpc.exceptions import CommClosedError, DagrpcError, NotReadyError, UnknownSessionError

if TYPE_CHECKING:
    from dagrpc._client.session import ClientSession

logger = logging.getLogger("dagrpc.client")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_NOTICE = 0.5
"""Seconds within which it is noticed that the session's stream broke, once calls fail."""
_ATTEMPT = 5.0
"""Seconds for one attempt."""
_SHORTEST_ATTEMPT = 0.2
"""Seconds for one that would be over before."""


class Reconnection:
    """The attempts of a client to be connected again. Lives on the IO loop.

    Parameters
    ----------
    session : ClientSession
        The client's session.
    """

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._outcome: asyncio.Future[bool] | None = None
        self.breaks = 0
        """How often the connection broke."""
        self.refusal = ""
        """What the scheduler said when it did not accept the client again."""

    @property
    def under_way(self) -> bool:
        """Whether the connection is being made anew."""
        return self._outcome is not None

    async def recovered(self) -> bool:
        """Wait until the connection is there again, and return true; false if it will not be."""
        # A call may fail a moment before the session notices.
        deadline = time.monotonic() + _NOTICE
        while self._outcome is None and self._session.status == "running" and time.monotonic() < deadline:
            await asyncio.sleep(_NOTICE / 20)
        if self._outcome is None:
            return False
        return await asyncio.shield(self._outcome)

    async def greet_first(self, timeout: float) -> tuple[Any, Any]:
        """Introduce the client to begin with; once more whenever the connection breaks meanwhile.

        Returns
        -------
        tuple
            The stream and the scheduler's answer.

        Raises
        ------
        CommClosedError
            If what answers is no scheduler, or it cannot be reached again.
        DagrpcError
            As the scheduler refused it.
        """
        client = self._session
        while True:
            try:
                return await client.greet(None)
            except grpc.aio.AioRpcError as error:
                if not status.is_of_connection(error):
                    raise status.from_rpc_error(error, client.peer) from None
                logger.debug("The connection to %s broke at once: %s", client.peer, error.details())
            # The channel may not have noticed yet.
            await asyncio.sleep(_FIRST_PAUSE)
            await client.connected(timeout)

    def over(self, recovered: bool) -> None:
        """Have those go on who wait for the connection."""
        outcome, self._outcome = self._outcome, None
        if outcome is not None and not outcome.done():
            outcome.set_result(recovered)

    async def reopen(self, session: Any) -> Any | None:
        """Open another stream.

        Within the grace period the session goes on. After it, or as soon as it is known that the scheduler's process is
        gone, what it stood for is given up, and another session may begin for as long as it may take to connect to a
        scheduler.

        Returns
        -------
        Session or None
            The session that goes on or begins; None if there is none.
        """
        client = self._session
        client.status = "connecting"
        self.breaks += 1
        self._outcome = asyncio.get_running_loop().create_future()
        begun = time.monotonic()
        grace = client.welcome.grace_seconds
        more = config.get_seconds("comm.timeouts.connect") or 30.0
        patience = grace + more
        logger.info("Trying to reach the scheduler at %s again", client.address)
        kept, pause = True, _FIRST_PAUSE
        while client.status == "connecting":
            end = await self._end_of_scheduler() if kept else ""
            away = time.monotonic() - begun
            if end:
                kept, patience = False, away + more
                self._give_up(end)
            elif kept and away > grace:
                kept = False
                self._give_up(f"for more than {grace:g} s, for which it keeps what a client wants")
            if away > patience:
                self.refusal = client.lost(f"and none has answered there for {patience:.3g} s")
                return None
            # None lasts much longer than what it is made within: that is over, too, while one is under way.
            left = (grace if kept else patience) - (time.monotonic() - begun)
            try:
                async with asyncio.timeout(min(max(left, _SHORTEST_ATTEMPT), _ATTEMPT)):
                    return await self._attempt(session, kept)
            except (CommClosedError, NotReadyError, TimeoutError) as error:
                logger.debug("The scheduler at %s cannot be reached: %s", client.address, error)
            except (UnknownSessionError, asyncio.InvalidStateError):
                logger.info("The session with the scheduler at %s cannot go on", client.address)
            except DagrpcError as error:
                logger.warning("The scheduler at %s does not accept the client again: %s", client.address, error)
                self.refusal = f"The scheduler ended the session: {error}"
                return None
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)
        return None

    async def _end_of_scheduler(self) -> str:
        """Tell how the scheduler ended; empty if it may be there. On another host nobody knows that it was killed."""
        farewell, address = self._session.farewell, self._session.address
        if farewell is not None:
            return f"since it has stopped ({farewell.reason})"
        return "since its process is gone" if is_loopback(address) and await is_refused(address) else ""

    async def _attempt(self, session: Any, kept: bool) -> Any:
        client = self._session
        await client.connected(_ATTEMPT)
        before = client.welcome.scheduler_id
        try:
            call, welcome = await client.greet(session.delivery.taken if kept else None)
        except grpc.aio.AioRpcError as error:
            raise status.from_rpc_error(error, client.peer) from None
        if client.farewell is not None and welcome.scheduler_id == before:
            call.cancel()
            raise NotReadyError("It is the one that stops, still")
        client.go_on(call, welcome)
        if kept and welcome.HasField("resumed"):
            session.attach(call, welcome.resumed.received)
            logger.info("Connected to the scheduler at %s again", client.address)
            return session
        session.end()
        if kept:
            restarted = welcome.scheduler_id != before
            self._give_up("and it was started anew meanwhile" if restarted else "for longer than it keeps a session")
        logger.info("A new session with the scheduler at %s begins", client.address)
        return client.begin()

    def _give_up(self, how: str) -> None:
        message = self._session.lost(f"{how}: what the client wanted is given up, and has to be submitted again")
        if self._session.table.states:
            logger.warning("%s", message)
        self._session.renew(message)
