"""What a worker does when its stream breaks: it opens another, and goes on, or registers anew with what it holds."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import grpc

from dagrpc._codec.shared_store import SharedStore
from dagrpc._common.addresses import is_loopback
from dagrpc._peer.session import Session
from dagrpc._rpc import channels
from dagrpc._rpc.probe import is_refused
from dagrpc.exceptions import (
    CommClosedError,
    DuplicateWorkerError,
    NotReadyError,
    UnknownSessionError,
)
from dagrpc.v1 import common_pb2, worker_session_pb2
from dagrpc_worker.core.events import Event, SessionRenewed
from dagrpc_worker.core.views import WorkerView
from dagrpc_worker.shell.session.scheduler_session import SchedulerSession, greet, hello_message
from dagrpc_worker.shell.session.translate_out import Report, StatusReport
from dagrpc_worker.shell.shuffle.shuffle_runs import Shuffles
from dagrpc_worker.shell.worker_record import WorkerRecord

logger = logging.getLogger("dagrpc.worker")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_ATTEMPT = 5.0
"""Seconds for one attempt to go on."""
_ATTEMPT_ANEW = 60.0
"""Seconds for one to register, which tells of all results."""
_HOLDINGS = 20_000
"""Results that are told of in one message."""


class WorkerReconnect:
    """The attempts of a worker to be connected again.

    Parameters
    ----------
    death_timeout : float, optional
        Seconds to look for the scheduler before giving up; None: without end.
    introduce : callable
        Sets up the scheduler's plugins and returns the message that registers the worker.
    link : SchedulerSession
        Its connection.
    shared : SharedStore
        What the scheduler sent beside tasks.
    take : callable
        Gives events to the worker's core.
    """

    def __init__(
        self,
        worker: WorkerRecord,
        death_timeout: float | None,
        introduce: Callable[[grpc.aio.Channel], Awaitable[worker_session_pb2.WorkerHello]],
        view: WorkerView,
        shuffles: Shuffles,
        link: SchedulerSession,
        shared: SharedStore,
        take: Callable[[Iterable[Event]], None],
    ) -> None:
        self._worker = worker
        self._death_timeout = death_timeout
        self._introduce = introduce
        self._view = view
        self._shuffles = shuffles
        self._link = link
        self._shared = shared
        self._take = take
        self._known = True
        """Whether the scheduler may still know the session."""

    async def come_back(self, session: Session[Report], broken: CommClosedError) -> None:
        """Open another stream. The worker goes on with its tasks meanwhile.

        Raises
        ------
        CommClosedError
            If the scheduler's process is gone, is another than before, or cannot be reached for `death_timeout`.
        DagrpcError
            If the scheduler does not want the worker.
        """
        link, address = self._link, self._link.address
        link.go_away()
        with channels.recovering():
            await self._come_back(session, address, broken)

    async def _come_back(self, session: Session[Report], address: str, broken: CommClosedError) -> None:
        logger.warning("Worker %s looks for the scheduler at %s again: %s", self._worker.address, address, broken)
        patience = self._death_timeout
        deadline = None if patience is None else time.monotonic() + patience
        self._known, pause = True, _FIRST_PAUSE
        while True:
            # On another host it is for its supervisor to say whether it is gone.
            if is_loopback(address) and await is_refused(address):
                raise CommClosedError(f"The scheduler at {address} is gone")
            try:
                await (self._resume(session) if self._known else self._register())
                return
            except (CommClosedError, DuplicateWorkerError, NotReadyError, TimeoutError) as error:
                failure: Exception = error
            except UnknownSessionError:
                self._known = False
                continue
            if isinstance(failure, _AnotherScheduler) or (deadline is not None and time.monotonic() > deadline):
                raise failure
            logger.debug("The scheduler at %s cannot be reached: %s", address, failure)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _hello(self) -> worker_session_pb2.WorkerHello:
        channel = self._link.channel
        assert channel is not None
        async with asyncio.timeout(_ATTEMPT):
            await channels.wait_ready(channel, self._link.address, _ATTEMPT, self._worker.credentials)
        hello = await self._introduce(channel)
        hello.session_token = self._link.token
        return hello

    async def _resume(self, session: Session[Report]) -> None:
        """Go on with the session."""
        link = self._link
        assert link.client is not None
        assert session.delivery is not None
        hello = await self._hello()
        hello.resume.CopyFrom(common_pb2.Resumption(received=session.delivery.taken))
        async with asyncio.timeout(_ATTEMPT):
            stream, welcome = await greet(link.client, [hello_message(hello)])
        self._check(welcome)
        session.attach(stream, welcome.resumed.received)
        link.go_on(session, stream, welcome)
        logger.info("Worker %s is connected again", self._worker.address)

    async def _register(self) -> None:
        """Register anew: the scheduler has given the worker up."""
        link, worker = self._link, self._worker
        assert link.client is not None
        hello = await self._hello()
        hello.returning = True
        # From here on what happens is told after what there is.
        session = link.anew()
        self._shared.clear()
        # The scheduler ended them when it gave the worker up, and could not tell it.
        self._shuffles.end_all()
        self._take((SessionRenewed("session-renewed"),))
        held = self._view.holdings()
        if worker.status != common_pb2.WORKER_STATUS_RUNNING:
            session.send(StatusReport(worker.status))
        async with asyncio.timeout(_ATTEMPT_ANEW):
            stream, welcome = await greet(link.client, _introduction(hello, held))
        self._check(welcome)
        session.attach(stream, 0)
        self._shuffles.registered(welcome.last_shuffle_run)
        link.go_on(session, stream, welcome)
        logger.info("Worker %s has registered again, with %d results", worker.address, len(held))

    def _check(self, welcome: worker_session_pb2.WorkerWelcome) -> None:
        before = self._link.welcome.scheduler_id
        if welcome.scheduler_id != before:
            raise _AnotherScheduler(f"The scheduler at {self._link.address} is another one than before")


class _AnotherScheduler(CommClosedError):
    """What the worker holds means nothing to it."""


def _introduction(
    hello: worker_session_pb2.WorkerHello, held: Sequence[tuple[str, int, int]]
) -> Iterator[worker_session_pb2.ComputeRequest]:
    yield hello_message(hello)
    for start in range(0, max(len(held), 1), _HOLDINGS):
        message = worker_session_pb2.ComputeRequest()
        holdings = message.reports.add().holdings
        for key, nbytes, run_id in held[start : start + _HOLDINGS]:
            holdings.results.add(key=key, nbytes=nbytes, run_id=run_id)
        holdings.last = start + _HOLDINGS >= len(held)
        yield message
