"""A worker's way back to its scheduler: it resumes its session, or registers again with the results that it holds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import grpc

from dagrpc._codec.shared_store import SharedStore
from dagrpc._peer.reconnect import process_is_gone, reconnect
from dagrpc._rpc import channels
from dagrpc._rpc.recovery import recovering
from dagrpc.exceptions import (
    CommClosedError,
    DuplicateWorkerError,
    NotReadyError,
    UnknownSessionError,
)
from dagrpc.v1 import common_pb2, worker_session_pb2
from dagrpc_worker.core.events import Event, SessionRenewed
from dagrpc_worker.core.views import WorkerView
from dagrpc_worker.shell.session.scheduler_session import SchedulerSession, hello_message
from dagrpc_worker.shell.session.translate_out import StatusReport
from dagrpc_worker.shell.shuffle.shuffle_runs import Shuffles
from dagrpc_worker.shell.worker_record import WorkerRecord

logger = logging.getLogger("dagrpc.worker")

_ATTEMPT = 5.0
"""Seconds for one attempt to resume the session."""
_REGISTRATION = 60.0
"""Seconds for one attempt to register, which lists all results."""
_HOLDINGS = 20_000
"""Results that one message lists."""


class WorkerReconnect:
    """The rules by which a worker connects again.

    Parameters
    ----------
    death_timeout : float, optional
        Seconds to look for the scheduler before giving up; None: without end.
    introduce : callable
        Sets up the scheduler's plugins and returns the message that registers the worker.
    shared : SharedStore
        The blobs that the scheduler sent beside tasks.
    take : callable
        Gives events to the worker's core.
    """

    transient = (CommClosedError, DuplicateWorkerError, NotReadyError, TimeoutError, UnknownSessionError)

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
        self._begun = 0.0
        self._known = True
        """Whether the scheduler may still have the session."""

    async def come_back(self, broken: CommClosedError) -> None:
        """Open another stream. The worker goes on with its tasks meanwhile.

        Raises
        ------
        CommClosedError
            If the scheduler's process is gone, is another one than before, or cannot be reached for `death_timeout`.
        DagrpcError
            If the scheduler refuses the worker.
        """
        logger.warning(
            "Worker %s looks for %s again: %s",
            self._worker.address,
            self._link.peer.name,
            broken,
            extra={"worker": self._worker.address},
        )
        self._known, self._begun = True, time.monotonic()
        with recovering():
            await reconnect(self)

    async def before_attempt(self, begun: float) -> None:
        """Give up if the scheduler's process is gone. On another host the worker's supervisor has to judge that."""
        if await process_is_gone(self._link.address):
            raise CommClosedError(f"The scheduler at {self._link.address} is gone")

    async def attempt(self) -> None:
        """Resume the session; register again once the scheduler does not know it any more."""
        if self._known:
            try:
                await self._resume()
                return
            except UnknownSessionError:
                self._known = False
        await self._register()

    def after_failure(self, error: Exception) -> None:
        """Give up if another scheduler has answered, or after `death_timeout`."""
        patience = self._death_timeout
        late = patience is not None and time.monotonic() > self._begun + patience
        if late or isinstance(error, _AnotherScheduler):
            raise error
        logger.debug("%s cannot be reached: %s", self._link.peer.name, error)

    async def _hello(self) -> worker_session_pb2.WorkerHello:
        channel = self._link.channel
        assert channel is not None
        async with asyncio.timeout(_ATTEMPT):
            await channels.wait_ready(channel, self._link.address, _ATTEMPT, self._worker.credentials)
        hello = await self._introduce(channel)
        hello.session_token = self._link.peer.token
        return hello

    async def _resume(self) -> None:
        """Resume the session."""
        peer = self._link.peer
        hello = await self._hello()
        hello.resume.CopyFrom(common_pb2.Resumption(received=peer.received))
        async with asyncio.timeout(_ATTEMPT):
            stream, welcome = await peer.greet([hello_message(hello)])
        self._check(welcome)
        peer.resume(stream, welcome)
        logger.info("Worker %s is connected again", self._worker.address, extra={"worker": self._worker.address})

    async def _register(self) -> None:
        """Register again, with the results that the worker holds: the scheduler has removed the worker."""
        peer, worker = self._link.peer, self._worker
        hello = await self._hello()
        hello.returning = True
        # Reports of what happens from here on follow the list of results.
        session = peer.begin_without_stream()
        self._shared.clear()
        # The scheduler ended the shuffles when it removed the worker, and could not say so.
        self._shuffles.end_all()
        self._take((SessionRenewed("session-renewed"),))
        held = self._view.holdings()
        if worker.status != common_pb2.WORKER_STATUS_RUNNING:
            session.send(StatusReport(worker.status))
        async with asyncio.timeout(_REGISTRATION):
            stream, welcome = await peer.greet(_introduction(hello, held))
        self._check(welcome)
        peer.resume(stream, welcome)
        self._shuffles.registered(welcome.last_shuffle_run)
        logger.info(
            "Worker %s has registered again, with %d results",
            worker.address,
            len(held),
            extra={"worker": worker.address},
        )

    def _check(self, welcome: worker_session_pb2.WorkerWelcome) -> None:
        if welcome.scheduler_id != self._link.welcome.scheduler_id:
            raise _AnotherScheduler(f"The scheduler at {self._link.address} is another one than before")


class _AnotherScheduler(CommClosedError):
    """The scheduler at the address has no use for the worker's results."""


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
