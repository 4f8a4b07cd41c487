"""The worker's session with its scheduler."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import grpc

from dagrpc import config
from dagrpc._auth.credentials import Credentials
from dagrpc._common.addresses import is_loopback
from dagrpc._loop.wakeup_queue import WakeUpQueue
from dagrpc._peer.session import Session
from dagrpc._rpc import channels, grpc_options, status
from dagrpc._rpc.channels import DisagreementError, ServiceClient
from dagrpc._rpc.probe import is_refused
from dagrpc.exceptions import CommClosedError, DuplicateWorkerError, LimitReachedError, NotReadyError
from dagrpc.v1 import worker_session_pb2
from dagrpc_worker.shell.session.translate_out import Report, encode_reports

logger = logging.getLogger("dagrpc.worker")

WORKER_SESSION_SERVICE = worker_session_pb2.DESCRIPTOR.services_by_name["WorkerSessionService"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_STARTING, _GLANCE = 5.0, 0.01
"""Seconds that a scheduler on this host may take to start before pauses grow; and between two looks until then."""
_DISAGREEMENTS = 3
"""So often in a row it has to be plain that the two sides cannot agree on TLS: one that ends may look like it."""
_NOTICE = 0.5
"""Seconds within which it is noticed that the session's stream broke, once calls fail."""
_LOG_EVERY = 30.0
_BACKLOG = 50_000
"""Reports that may wait before those who put more of them have to wait."""
_PATIENCE = 10.0
"""How long they do, in seconds."""


Introduction: TypeAlias = Callable[[grpc.aio.Channel], Awaitable[worker_session_pb2.WorkerHello]]
"""Returns who the worker is; called with each connection that is tried."""


class Reconnect(Protocol):
    """Opens another stream when one breaks."""

    async def come_back(self, session: Session[Report], broken: CommClosedError) -> None:
        """Return once there is another stream; raise if there will be none."""


def hello_message(hello: worker_session_pb2.WorkerHello) -> worker_session_pb2.ComputeRequest:
    """Return the message that opens a session."""
    return worker_session_pb2.ComputeRequest(hello=hello)


async def greet(
    client: ServiceClient, messages: Iterable[worker_session_pb2.ComputeRequest]
) -> tuple[Any, worker_session_pb2.WorkerWelcome]:
    """Open a stream, say what is to be said first, and return the stream with the scheduler's answer.

    Raises
    ------
    CommClosedError
        If there is none.
    DagrpcError
        If the scheduler does not want the worker.
    """
    stream = client.open_session("Compute")
    try:
        for message in messages:
            await stream.write(message.SerializeToString())
        answer = await stream.read()
    except grpc.aio.AioRpcError as error:
        raise status.from_rpc_error(error, client.peer) from None
    except asyncio.InvalidStateError:
        raise CommClosedError(f"{client.peer} ended the session before it began") from None
    except asyncio.CancelledError:
        stream.cancel()
        raise
    if answer is grpc.aio.EOF or not answer.HasField("welcome"):
        stream.cancel()
        raise CommClosedError(f"{client.peer} ended the session before it began")
    return stream, answer.welcome


class SchedulerSession:
    """The connection to the scheduler and the session on it.

    Parameters
    ----------
    address : str
        The scheduler.
    """

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        self.address = address
        self._credentials = credentials
        self.client: ServiceClient | None = None
        """Calls the scheduler's side of the worker's session. None before `connect`."""
        self.channel: grpc.aio.Channel | None = None
        """To the scheduler; the latest that was tried. None before `connect`."""
        self._stream: Any = None
        self._session: Session[Report] | None = None
        self.welcome = worker_session_pb2.WorkerWelcome()
        """What the scheduler answered last."""
        self.token = secrets.token_bytes(16)
        """Shows the scheduler that it is this worker which comes back."""
        self._recovery: asyncio.Future[bool] | None = None
        self.breaks = 0
        """How often the connection broke."""
        self._finishing = False
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._early: list[Report] = []
        """Reports from before the first session."""
        self._posted: WakeUpQueue[Report] = WakeUpQueue(self._loop, self._send_posted)
        """Reports from other threads."""
        self._loop_thread = threading.get_ident()

    async def connect(
        self,
        introduce: Introduction,
        deadline: float | None,
        duplicate_deadline: float = 0.0,
    ) -> worker_session_pb2.WorkerWelcome:
        """Open the session, trying again while nobody answers.

        Parameters
        ----------
        introduce : callable
            Returns who the worker is; called with each connection that is tried. What it has to wait for does not
            count.
        deadline : float or None
            When to give up, on `time.monotonic`'s clock. None: never.
        duplicate_deadline : float
            Until when to try again if the name is taken, by a predecessor that the scheduler has yet to miss.

        Raises
        ------
        CommClosedError
            If there is no scheduler by the deadline, or the two sides cannot agree on TLS.
        DagrpcError
            If the scheduler does not want the worker.
        """
        logger.info("Looking for the scheduler at %s", self.address)
        await self._await_listening(deadline)
        pause, told = _FIRST_PAUSE, time.monotonic()
        disagreements = 0
        while True:
            try:
                return await self._try(introduce, deadline)
            except (CommClosedError, NotReadyError, TimeoutError) as error:
                failure: Exception = error
                give_up = deadline
                disagreements = disagreements + 1 if isinstance(error, DisagreementError) else 0
                if disagreements == _DISAGREEMENTS:
                    raise
            except DuplicateWorkerError as error:
                failure = error
                give_up = duplicate_deadline
            now = time.monotonic()
            if give_up is not None and now >= give_up:
                raise failure
            if now - told > _LOG_EVERY:
                told = now
                logger.info("Waiting for the scheduler at %s: %s", self.address, failure)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _await_listening(self, deadline: float | None) -> None:
        """Wait a moment for a scheduler on this host that is started together with the worker.

        It is there as soon as it listens; gRPC would try again after growing pauses.
        """
        if not is_loopback(self.address):
            return
        until = time.monotonic() + _STARTING
        while await is_refused(self.address):
            now = time.monotonic()
            if now > until or (deadline is not None and now > deadline):
                return
            await asyncio.sleep(_GLANCE)

    async def _try(self, introduce: Introduction, deadline: float | None) -> worker_session_pb2.WorkerWelcome:
        """Open the session or leave nothing behind."""
        patience = config.get_seconds("comm.timeouts.connect") or 30.0
        if deadline is not None:
            patience = max(min(patience, deadline - time.monotonic()), 0.1)
        channel = channels.open_channel(self.address, grpc_options.CONTROL_CHANNEL, self._credentials)
        try:
            await channels.wait_ready(channel, self.address, patience, self._credentials)
            self.channel = channel
            hello = await introduce(channel)
            hello.session_token = self.token
            client = ServiceClient(channel, WORKER_SESSION_SERVICE, f"scheduler {self.address}")
            stream, welcome = await asyncio.wait_for(greet(client, [hello_message(hello)]), patience)
        except BaseException:
            await channel.close()
            raise
        self.client = client
        channels.expect_recovery(channel, self)
        self.begin(stream, welcome)
        return welcome

    def begin(self, stream: Any, welcome: worker_session_pb2.WorkerWelcome) -> None:
        """Begin a session with a stream."""
        self._stream, self.welcome = stream, welcome
        # A scheduler that keeps no sessions acknowledges nothing.
        kept = worker_session_pb2.ComputeRequest if welcome.grace_seconds else None
        self._session = Session(
            stream, encode_reports, worker_session_pb2.ComputeResponse, f"scheduler {self.address}", kept
        )
        early, self._early = self._early, []
        self.send(early)

    def send(self, reports: Sequence[Report]) -> None:
        """Queue reports."""
        if self._session is None:
            # The scheduler's welcome may still be on its way when clients that know of the worker put data here.
            self._early.extend(reports)
            return
        if self._posted.items:
            # What a task put before it ended is to arrive before its end.
            self._send_posted()
        self._session.send_many(reports)

    def post(self, report: Report) -> None:
        """Queue a report, from any thread. While very many wait, this waits too, unless it is the loop that calls."""
        if self._behind() and threading.get_ident() != self._loop_thread:
            deadline = time.monotonic() + _PATIENCE
            while self._behind() and time.monotonic() < deadline:
                time.sleep(_FIRST_PAUSE)
        # A closed loop sends nothing.
        self._posted.put(report)

    def _behind(self) -> bool:
        session = self._session
        return len(self._posted.items) + (session.queued if session is not None else 0) > _BACKLOG

    def _send_posted(self) -> None:
        self._posted.rearm()
        posted = self._posted.items
        while posted and self._session is not None:
            self._session.send(posted.popleft())

    async def run(
        self, on_message: Callable[[worker_session_pb2.ComputeResponse], Any], reconnect: Reconnect | None = None
    ) -> None:
        """Hold the session, on one stream after the other, until it ends.

        Parameters
        ----------
        reconnect : Reconnect, optional
            Opens another stream when one breaks.

        Raises
        ------
        CommClosedError
            Always: the session ended, or broke, and there is no other.
        DagrpcError
            If the scheduler ended it with a reason.
        """
        try:
            while True:
                broken = await self._hold(on_message)
                assert self._session is not None
                if reconnect is None or self._session.delivery is None or self._finishing:
                    raise broken
                await reconnect.come_back(self._session, broken)
        finally:
            self._recovered(False)
            self._ended.set()

    async def _hold(self, on_message: Callable[[worker_session_pb2.ComputeResponse], Any]) -> CommClosedError:
        """Hold a stream until it ends; return how it did."""
        assert self._session is not None
        try:
            await self._session.run(on_message)
        except grpc.aio.AioRpcError as error:
            failure = status.from_rpc_error(error, f"scheduler {self.address}")
            if isinstance(failure, CommClosedError):
                return failure
            if isinstance(failure, TimeoutError | NotReadyError | LimitReachedError):
                return CommClosedError(str(failure))
            raise failure from None
        except asyncio.InvalidStateError:
            # Written to after it broke.
            return CommClosedError(f"The session with the scheduler at {self.address} broke")
        return CommClosedError(f"The scheduler at {self.address} ended the session")

    # --- coming back ---------------------------------------------------------------------------------------------

    @property
    def away(self) -> bool:
        """Whether the connection is broken, and is being made anew."""
        return self._recovery is not None

    async def recovered(self) -> bool:
        """Wait until the connection is there again, and return true; false if it will not be."""
        # A call may fail a moment before the session notices.
        deadline = time.monotonic() + _NOTICE
        while self._recovery is None and not self._ended.is_set() and time.monotonic() < deadline:
            await asyncio.sleep(_NOTICE / 20)
        return self._recovery is not None and await asyncio.shield(self._recovery)

    def go_away(self) -> None:
        """Note that the connection is being made anew."""
        if self._recovery is None:
            self._recovery = self._loop.create_future()
            self.breaks += 1

    def go_on(self, session: Session[Report], stream: Any, welcome: worker_session_pb2.WorkerWelcome) -> None:
        """Go on with another stream. What was sent meanwhile is in the session."""
        self._session, self._stream, self.welcome = session, stream, welcome
        self._recovered(True)

    def anew(self) -> Session[Report]:
        """Begin a session whose stream is yet to come: what is sent from here on is for it."""
        if self._session is not None:
            self._session.end()
        self._session = Session(
            None,
            encode_reports,
            worker_session_pb2.ComputeResponse,
            f"scheduler {self.address}",
            worker_session_pb2.ComputeRequest,
        )
        return self._session

    def _recovered(self, recovered: bool) -> None:
        recovery, self._recovery = self._recovery, None
        if recovery is not None and not recovery.done():
            recovery.set_result(recovered)

    async def finish(self, timeout: float) -> None:
        """Send what is queued, then end the session in good order. Each step takes `timeout` seconds at most.

        A stream that is cut off takes with it what the scheduler has not read yet.
        """
        if self._session is None or self._ended.is_set():
            return
        self._finishing = True
        if self.away:
            return
        await self._session.drain(timeout)
        try:
            async with asyncio.timeout(timeout):
                await self._stream.done_writing()
                await self._ended.wait()
        except TimeoutError:
            logger.info("The scheduler at %s did not end the session within %g s", self.address, timeout)
        except (grpc.aio.BaseError, asyncio.InvalidStateError):
            logger.debug("The session with the scheduler at %s broke while it ended", self.address, exc_info=True)

    async def close(self) -> None:
        """Close the connection."""
        if self.client is not None:
            await self.client.channel.close()
