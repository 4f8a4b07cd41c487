"""Bounds what waits for peers that read more slowly than the scheduler writes.

Nothing is counted while peers keep up: twice a second, the sessions with many waiting items are measured. A client that
falls behind first loses inline results, which it can fetch from workers, and then nothing more is read from it. A
worker that falls behind gets no more tasks. A peer that exceeds its limit at two looks in a row, and for which no less
waits at the second one, is evicted: the core releases or reschedules what it had, as for any peer that is gone. A peer
that reads a large burst is not.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import Any, Final

from dagrpc import config
from dagrpc._peer.session import Session
from dagrpc.exceptions import LimitReachedError
from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.core.model import RUNNING
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers, WorkerConnection
from dagrpc_scheduler.shell.sessions.translate_in import InlineResult

logger = logging.getLogger("dagrpc.scheduler")

_MANY: Final = 2_000
"""How many items may wait for a peer before they are measured."""
_OVERHEAD: Final = 300
"""Bytes that an instruction takes at least."""
_KEY: Final = 100
"""Bytes that a key takes."""


class Backlog:
    """The items that wait for one peer, measured as they grow."""

    __slots__ = ("_excess", "_measured", "behind", "shedding")

    def __init__(self) -> None:
        self.behind = False
        """Whether the peer was found far behind."""
        self.shedding = False
        """Whether inline results are taken out of the waiting items."""
        self._measured: dict[int, tuple[list[Any], int, int]] = {}
        self._excess: int | None = None
        """The bytes that waited at the last look, where they exceeded the limit."""

    def is_stuck(self, nbytes: int, limit: int) -> bool:
        """Return whether the limit is exceeded as at the last look, and by no fewer bytes."""
        before, self._excess = self._excess, nbytes if nbytes > limit else None
        return before is not None and nbytes >= before

    def size(self, session: Session[Any]) -> int:
        """Return about how many bytes wait for the session's peer."""
        measured: dict[int, tuple[list[Any], int, int]] = {}
        total = 0
        for items in session.backlog():
            _, count, nbytes = self._measured.get(id(items), (items, 0, 0))
            for item in islice(items, count, None):
                if self.shedding and type(item) is instructions.ReportFinished:
                    item.payload = None
                nbytes += size_of(item)
            # The list is kept with its size, so that no other list gets its identity.
            measured[id(items)] = (items, len(items), nbytes)
            total += nbytes
        self._measured = measured
        return total + session.unacknowledged

    def shed(self) -> None:
        """Take inline results out of all waiting items at the next measurement."""
        self.shedding = True
        self._measured = {}


class Backpressure:
    """Slows down or evicts the peers that do not keep up."""

    def __init__(self, driver: CoreDriver, peers: ConnectedPeers) -> None:
        self._driver = driver
        self._peers = peers
        self._client_limit = config.get_bytes("scheduler.limits.client-outbox")
        self._worker_limit = config.get_bytes("scheduler.limits.worker-outbox")
        self._backlogs: dict[Any, Backlog] = {}
        """The backlogs that were large at the last look, by session."""

    def look(self) -> None:
        """Measure the sessions with large backlogs and act on the result."""
        seen: dict[Any, Backlog] = {}
        if self._client_limit:
            for client, session in list(self._peers.clients.items()):
                if _is_to_be_measured(session, self._client_limit) or session in self._backlogs:
                    self._look_at_client(client, session, seen)
        if self._worker_limit:
            for address, worker in list(self._peers.workers.items()):
                if _is_to_be_measured(worker.session, self._worker_limit) or worker.session in self._backlogs:
                    self._look_at_worker(address, worker, seen)
        self._backlogs = seen

    def _look_at_client(self, client: str, session: Session[Any], seen: dict[Any, Backlog]) -> None:
        backlog = self._backlogs.get(session) or Backlog()
        nbytes, limit = backlog.size(session), self._client_limit
        if nbytes > limit // 4 and not backlog.shedding:
            backlog.shed()
            nbytes = backlog.size(session)
        if backlog.is_stuck(nbytes, limit):
            logger.warning("Evicting client %s: it does not read, %d bytes wait for it", client, nbytes)
            self._peers.evict_client(client, session, _limit_reached("the client", nbytes, limit, "client-outbox"))
            return
        if nbytes > limit // 2 and not backlog.behind:
            backlog.behind = True
            session.hold_reading()
            logger.warning(
                "Client %s reads too slowly, %d bytes wait for it: reading from it stops",
                client,
                nbytes,
                extra={"client": client},
            )
        elif backlog.behind and nbytes < limit // 4:
            backlog.behind = False
            session.go_on_reading()
            logger.info("Client %s has caught up: reading from it resumes", client, extra={"client": client})
        if session.queued or backlog.behind:
            seen[session] = backlog

    def _look_at_worker(self, address: str, worker: WorkerConnection, seen: dict[Any, Backlog]) -> None:
        session = worker.session
        backlog = self._backlogs.get(session) or Backlog()
        nbytes, limit = backlog.size(session), self._worker_limit
        if backlog.is_stuck(nbytes, limit):
            logger.warning("Evicting worker %s: it does not read, %d bytes wait for it", address, nbytes)
            self._peers.evict_worker(worker, _limit_reached("the worker", nbytes, limit, "worker-outbox"))
            return
        if nbytes > limit // 2 and not backlog.behind:
            backlog.behind = True
            logger.warning(
                "Worker %s reads too slowly, %d bytes wait for it: it gets no tasks",
                address,
                nbytes,
                extra={"worker": address},
            )
        elif backlog.behind and nbytes < limit // 4:
            backlog.behind = False
            logger.info("Worker %s has caught up: it gets tasks again", address, extra={"worker": address})
            self._set_status(address, worker.reported_status)
        if backlog.behind and worker.reported_status == RUNNING:
            self._set_status(address, "paused")
        if session.queued or backlog.behind:
            seen[session] = backlog

    def _set_status(self, address: str, status: str) -> None:
        self._driver.handle(events.WorkerStatusChanged(address, status, self._driver.stimulus("worker-outbox")))


def _is_to_be_measured(session: Session[Any], limit: int) -> bool:
    return session.queued > _MANY or session.unacknowledged > limit // 4


def size_of(item: Any) -> int:
    """Return about how many bytes a waiting item takes, without the data that tasks hold anyway."""
    kind = type(item)
    if kind is instructions.ReportFinished:
        return _OVERHEAD + len(item.key) + _payload_size(item.payload)
    if kind is instructions.ComputeTask:
        shared = sum(len(data) for _, data in item.new_shared)
        return 2 * _OVERHEAD + shared + _KEY * len(item.dependencies)
    if kind is instructions.ReportErred:
        return _OVERHEAD + (item.failure.ByteSize() if hasattr(item.failure, "ByteSize") else 0)
    if kind is instructions.FreeKeys:
        return _OVERHEAD + _KEY * len(item.keys)
    if kind in (instructions.AcquireReplicas, instructions.RefreshWhoHas):
        return _OVERHEAD + 2 * _KEY * len(item.data)
    byte_size = getattr(item, "ByteSize", None)
    return _OVERHEAD + (byte_size() if byte_size is not None else 0)


def _payload_size(payload: Any) -> int:
    if isinstance(payload, InlineResult):
        return len(payload.plain.data) + _payload_size(payload.pickled)
    return len(payload.data) if payload is not None else 0


def _limit_reached(who: str, nbytes: int, limit: int, key: str) -> LimitReachedError:
    return LimitReachedError(
        f"{who} does not read what it is sent: {nbytes} bytes wait for it, and the limit is {limit} "
        f"(dagrpc.scheduler.limits.{key})"
    )
