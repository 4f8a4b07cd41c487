"""Peers that read more slowly than they are told things: what waits for them is bounded.

Nobody counts bytes while things go well. Twice a second it is looked which sessions have much waiting, and only what
waits there is measured. A client that is far behind is told less (results that would have come along it has to fetch),
and then nothing more is taken from it; a worker is given no more tasks. One that is further behind than the limit is
cut off: its wishes or its tasks go the way of those of any peer that is gone, and all others are served as before.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from dagrpc import config
from dagrpc.exceptions import LimitReachedError
from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.core.model import RUNNING

if TYPE_CHECKING:
    from dagrpc._peer.session import Session
    from dagrpc_scheduler.shell.service import SchedulerService
    from dagrpc_scheduler.shell.sessions.connected_peers import WorkerConnection

logger = logging.getLogger("dagrpc.scheduler")

_MANY: Final = 2_000
"""How many things may wait for a peer before they are measured."""
_OVERHEAD: Final = 300
"""Bytes that an effect takes, at least."""
_KEY: Final = 100
"""Bytes that a key takes."""


class Backlog:
    """What waits for one peer, measured as it grows."""

    __slots__ = ("_measured", "behind", "shedding")

    def __init__(self) -> None:
        self.behind = False
        """Whether the peer was found far behind."""
        self.shedding = False
        """Whether results are taken out of what waits: they can be fetched from the workers."""
        self._measured: dict[int, tuple[list[Any], int, int]] = {}

    def size(self, session: Session[Any]) -> int:
        """Return how many bytes wait for the session's peer, about."""
        measured: dict[int, tuple[list[Any], int, int]] = {}
        total = 0
        for items in session.backlog():
            _, count, nbytes = self._measured.get(id(items), (items, 0, 0))
            for item in islice(items, count, None):
                if self.shedding and type(item) is instructions.ReportFinished:
                    item.payload = None
                nbytes += size_of(item)
            # The list is kept with it, so that no other one gets its identity.
            measured[id(items)] = (items, len(items), nbytes)
            total += nbytes
        self._measured = measured
        return total + session.unacknowledged

    def shed(self) -> None:
        """Take results out of what waits, from the beginning."""
        self.shedding = True
        self._measured = {}


class Outboxes:
    """Looks after what waits for clients and workers.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self._client_limit = config.get_bytes("scheduler.limits.client-outbox")
        self._worker_limit = config.get_bytes("scheduler.limits.worker-outbox")
        self._backlogs: dict[Any, Backlog] = {}
        """Of those that had much waiting at the last look, by session."""

    def look(self) -> None:
        """Look who is behind, and do something about it."""
        sessions = self._service.sessions
        seen: dict[Any, Backlog] = {}
        if self._client_limit:
            for client, session in list(sessions.clients.items()):
                if _is_to_be_measured(session, self._client_limit) or session in self._backlogs:
                    self._look_at_client(client, session, seen)
        if self._worker_limit:
            for address, worker in list(sessions.workers.items()):
                if _is_to_be_measured(worker.session, self._worker_limit) or worker.session in self._backlogs:
                    self._look_at_worker(address, worker, seen)
        self._backlogs = seen

    def _look_at_client(self, client: str, session: Session[Any], seen: dict[Any, Backlog]) -> None:
        backlog = self._backlogs.get(session) or Backlog()
        nbytes, limit = backlog.size(session), self._client_limit
        if nbytes > limit // 4 and not backlog.shedding:
            backlog.shed()
            nbytes = backlog.size(session)
        if nbytes > limit:
            logger.warning("Client %s is cut off: it does not read, and %d bytes wait for it", client, nbytes)
            reason = _too_far_behind("the client", nbytes, limit, "client-outbox")
            self._service.sessions.cut_off_client(client, session, reason)
            return
        if nbytes > limit // 2 and not backlog.behind:
            backlog.behind = True
            session.hold_reading()
            logger.warning("Client %s reads too slowly, %d bytes wait for it: it has to wait, too", client, nbytes)
        elif backlog.behind and nbytes < limit // 4:
            backlog.behind = False
            session.go_on_reading()
            logger.info("Client %s has caught up", client)
        if session.queued or backlog.behind:
            seen[session] = backlog

    def _look_at_worker(self, address: str, worker: WorkerConnection, seen: dict[Any, Backlog]) -> None:
        session = worker.session
        backlog = self._backlogs.get(session) or Backlog()
        nbytes, limit = backlog.size(session), self._worker_limit
        if nbytes > limit:
            logger.warning("Worker %s is cut off: it does not read, and %d bytes wait for it", address, nbytes)
            reason = _too_far_behind("the worker", nbytes, limit, "worker-outbox")
            self._service.sessions.cut_off_worker(worker, reason)
            return
        if nbytes > limit // 2 and not backlog.behind:
            backlog.behind = True
            logger.warning("Worker %s reads too slowly, %d bytes wait for it: it gets no more tasks", address, nbytes)
        elif backlog.behind and nbytes < limit // 4:
            backlog.behind = False
            logger.info("Worker %s has caught up", address)
            self._set_status(address, worker.reported_status)
        if backlog.behind and worker.reported_status == RUNNING:
            self._set_status(address, "paused")
        if session.queued or backlog.behind:
            seen[session] = backlog

    def _set_status(self, address: str, status: str) -> None:
        stimulus = self._service.stimulus("worker-outbox")
        self._service.handle(events.WorkerStatusChanged(address, status, stimulus))


def _is_to_be_measured(session: Session[Any], limit: int) -> bool:
    return session.queued > _MANY or session.unacknowledged > limit // 4


def size_of(item: Any) -> int:
    """Return how many bytes something takes that waits for a peer, about. What tasks hold anyway does not count."""
    kind = type(item)
    if kind is instructions.ReportFinished:
        return _OVERHEAD + len(item.key) + (len(item.payload.data) if item.payload is not None else 0)
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


def _too_far_behind(who: str, nbytes: int, limit: int, key: str) -> LimitReachedError:
    return LimitReachedError(
        f"{who} does not read what it is told: {nbytes} bytes wait for it, and the limit is {limit} "
        f"(dagrpc.scheduler.limits.{key})"
    )
