"""The worker's session with its scheduler."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import grpc

from dagrpc import config
from dagrpc._auth.credentials import Credentials
from dagrpc._common.addresses import is_loopback
from dagrpc._common.backoff import pauses
from dagrpc._loop.wakeup_queue import WakeUpQueue
from dagrpc._peer.calling_session import CallingSession
from dagrpc._peer.reconnect import FIRST_PAUSE, LONGEST_PAUSE
from dagrpc._rpc import channels, grpc_options
from dagrpc._rpc.channels import DisagreementError, ServiceClient
from dagrpc._rpc.probe import is_refused
from dagrpc._rpc.recovery import expect_recovery
from dagrpc.exceptions import CommClosedError, DuplicateWorkerError, LimitReachedError, NotReadyError
from dagrpc.v1 import worker_session_pb2
from dagrpc_worker.shell.session.translate_out import Report, encode_reports

logger = logging.getLogger("dagrpc.worker")

WORKER_SESSION_SERVICE = worker_session_pb2.DESCRIPTOR.services_by_name["WorkerSessionService"]

_STARTING, _GLANCE = 5.0, 0.01
"""Seconds that a scheduler on this host may take to start before the pauses grow; and seconds between two attempts
until then."""
_DISAGREEMENTS = 3
"""Number of attempts in a row that must look like a mismatch of TLS: a scheduler that is ending may look like it."""
_LOG_EVERY = 30.0
_BACKLOG = 50_000
"""Number of waiting reports from which on threads that post reports must wait."""
_PATIENCE = 10.0
"""Maximum seconds that a thread waits before it posts a report."""
_LOOK_EVERY = 0.05
"""Seconds between two checks of the number of waiting reports."""
_RECOVERABLE = (TimeoutError, NotReadyError, LimitReachedError)
"""Reasons of the scheduler for ending a stream after which the worker connects again."""


Introduction: TypeAlias = Callable[[grpc.aio.Channel], Awaitable[worker_session_pb2.WorkerHello]]
"""Returns the message that registers the worker; called with each connection that is tried."""


def hello_message(hello: worker_session_pb2.WorkerHello) -> worker_session_pb2.ComputeRequest:
    """Return the message that opens a session."""
    return worker_session_pb2.ComputeRequest(hello=hello)


class SchedulerSession:
    """The worker's session with its scheduler, on one stream after another."""

    def __init__(self, address: str, credentials: Credentials | None = None) -> None:
        self.address = address
        self._credentials = credentials
        self.channel: grpc.aio.Channel | None = None
        """The latest channel to the scheduler; None before `connect`."""
        self.peer: CallingSession[Report] = CallingSession(
            "Compute", encode_reports, worker_session_pb2.ComputeRequest, worker_session_pb2.ComputeResponse
        )
        self.peer.address = address
        self._finishing = False
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._early: list[Report] = []
        """Reports sent before the first session."""
        self._posted: WakeUpQueue[Report] = WakeUpQueue(self._loop, self._send_posted)
        """Reports from other threads."""
        self._loop_thread = threading.get_ident()

    @property
    def client(self) -> ServiceClient | None:
        """Calls the scheduler's side of the worker's session. None before `connect`."""
        return self.peer.service

    @property
    def welcome(self) -> worker_session_pb2.WorkerWelcome:
        """The scheduler's latest answer to the worker's introduction."""
        welcome: worker_session_pb2.WorkerWelcome = self.peer.welcome
        return welcome

    async def connect(
        self,
        introduce: Introduction,
        deadline: float | None,
        duplicate_deadline: float = 0.0,
    ) -> worker_session_pb2.WorkerWelcome:
        """Open the session; try again while there is no scheduler.

        Parameters
        ----------
        introduce : callable
            Returns the message that registers the worker; called with each connection that is tried. Its duration does
            not count.
        deadline : float or None
            When to give up, by `time.monotonic`; None: never.
        duplicate_deadline : float
            Until when to try again if the name is taken, maybe by a former worker that the scheduler has not missed
            yet.

        Raises
        ------
        CommClosedError
            If there is no scheduler by the deadline, or the two sides cannot agree on TLS.
        DagrpcError
            If the scheduler refuses the worker.
        """
        logger.info("Looking for the scheduler at %s", self.address)
        await self._await_listening(deadline)
        told, disagreements = time.monotonic(), 0
        for pause in pauses(FIRST_PAUSE, LONGEST_PAUSE):
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
        raise AssertionError("the pauses never end")

    async def _await_listening(self, deadline: float | None) -> None:
        """Wait a moment until a scheduler on this host listens, which may be started together with the worker.

        gRPC would try again after growing pauses.
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
        """Open the session, or close the channel again."""
        patience = config.get_seconds("comm.timeouts.connect") or 30.0
        if deadline is not None:
            patience = max(min(patience, deadline - time.monotonic()), 0.1)
        channel = channels.open_channel(self.address, grpc_options.CONTROL_CHANNEL, self._credentials)
        try:
            await channels.wait_ready(channel, self.address, patience, self._credentials)
            self.channel = channel
            hello = await introduce(channel)
            hello.session_token = self.peer.token
            service = ServiceClient(channel, WORKER_SESSION_SERVICE, self.peer.name)
            async with asyncio.timeout(patience):
                stream, welcome = await self.peer.greet([hello_message(hello)], service)
        except BaseException:
            await channel.close()
            raise
        self.peer.service = service
        expect_recovery(channel, self.peer.recovery)
        self.peer.begin(stream, welcome)
        early, self._early = self._early, []
        self.send(early)
        return self.welcome

    def send(self, reports: Sequence[Report]) -> None:
        """Queue reports."""
        session = self.peer.session
        if session is None:
            # Clients that know the worker may store results here before the scheduler's welcome arrives.
            self._early.extend(reports)
            return
        if self._posted.items:
            # A report that a task posts arrives before the report of the task's end.
            self._send_posted()
        session.send_many(reports)

    def post(self, report: Report) -> None:
        """Queue a report. From any thread; while very many reports wait, a thread other than the loop's waits."""
        if self._behind() and threading.get_ident() != self._loop_thread:
            deadline = time.monotonic() + _PATIENCE
            while self._behind() and time.monotonic() < deadline:
                time.sleep(_LOOK_EVERY)
        # A closed loop sends nothing.
        self._posted.put(report)

    def _behind(self) -> bool:
        session = self.peer.session
        return len(self._posted.items) + (session.queued if session is not None else 0) > _BACKLOG

    def _send_posted(self) -> None:
        self._posted.rearm()
        posted, session = self._posted.items, self.peer.session
        while posted and session is not None:
            session.send(posted.popleft())

    async def run(
        self,
        on_message: Callable[[worker_session_pb2.ComputeResponse], Any],
        come_back: Callable[[CommClosedError], Awaitable[None]] | None = None,
    ) -> None:
        """Hold the session, on one stream after another, until it ends.

        `come_back` opens another stream when one breaks.

        Raises
        ------
        CommClosedError
            Always: the session ended, or broke and there is no other stream.
        DagrpcError
            If the scheduler ended the session with a reason.
        """
        recovery = self.peer.recovery
        try:
            while True:
                ended = await self.peer.hold(on_message)
                if not isinstance(ended, CommClosedError):
                    if not isinstance(ended, _RECOVERABLE):
                        raise ended
                    ended = CommClosedError(str(ended))
                if come_back is None or not self.peer.resumable or self._finishing:
                    raise ended
                recovery.broke()
                await come_back(ended)
                recovery.over(True)
        finally:
            recovery.close()
            self._ended.set()

    async def finish(self, timeout: float) -> None:
        """Send the queued reports, then end the session. Each step takes at most `timeout` seconds.

        Ending the stream at once would lose the reports that the scheduler has not read yet.
        """
        session = self.peer.session
        if session is None or self._ended.is_set():
            return
        self._finishing = True
        if self.peer.recovery.away:
            return
        await session.drain(timeout)
        try:
            async with asyncio.timeout(timeout):
                await self.peer.stream.done_writing()
                await self._ended.wait()
        except TimeoutError:
            logger.info("The scheduler at %s did not end the session within %g s", self.address, timeout)
        except (grpc.aio.BaseError, asyncio.InvalidStateError):
            logger.debug("The session with the scheduler at %s broke while it ended", self.address, exc_info=True)

    async def close(self) -> None:
        """Close the connection."""
        if self.client is not None:
            await self.client.channel.close()
