"""The connected clients and workers: their sessions, and what workers report of themselves."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from dagrpc import config
from dagrpc._peer.peer_session import PeerSession
from dagrpc._peer.session import Session
from dagrpc._peer.traffic import Traffic
from dagrpc.exceptions import DagrpcError, LimitReachedError
from dagrpc.v1 import client_session_pb2, common_pb2, worker_session_pb2
from dagrpc_scheduler.core.instructions import ClientInstruction, Instruction
from dagrpc_scheduler.shell.memory.recent_minimum import RecentMinimum
from dagrpc_scheduler.shell.sessions.evictions import WorkerEvictions
from dagrpc_scheduler.shell.sessions.worker_counts import WorkerCounts

_EVICTED_CLIENTS_REMEMBERED = 100


class StandIn(Protocol):
    """A part of the scheduler that the core takes for a client."""

    def send(self, instruction: Any) -> None:
        """Take an instruction; events that follow from it must wait for the next turn of the loop."""


@dataclass(slots=True)
class WorkerConnection:
    """A connected worker, as far as the core does not know it."""

    hello: worker_session_pb2.WorkerHello
    """The message with which the worker introduced itself."""
    name: str
    session: Session[Instruction]
    peer_session: PeerSession
    """The session with its streams."""
    last_seen: float
    """Time of the last message or heartbeat, in seconds since the epoch."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The measurements of the last heartbeat."""
    unmanaged: RecentMinimum = field(
        default_factory=lambda: RecentMinimum(config.get_seconds("worker.memory.recent-to-old-time") or 0.0)
    )
    """The least memory that the process recently used beside results, in bytes."""
    plugins_revision: int = 0
    """The revision of the plugins that the worker is known to have."""
    vouched_until: float = 0.0
    """Until when missed heartbeats do not matter, in seconds since the epoch."""
    verdict: str = ""
    """Why the scheduler ended the session; empty if it did not."""
    reported_status: str = "running"
    """The status that the worker last reported."""
    goodbye: str | None = None
    """Why the worker said that it leaves; None if it did not."""

    def measured(self, now: float, metrics: dict[str, float]) -> None:
        """Take the measurements of a heartbeat."""
        self.last_seen, self.metrics = now, metrics
        if "memory" in metrics:
            results = metrics.get("managed_bytes", 0.0) - metrics.get("spilled_bytes", 0.0)
            self.unmanaged.add(now, max(int(metrics["memory"] - results), 0))

    @property
    def nanny(self) -> str:
        """Address of the worker's nanny; empty if it has none."""
        return self.hello.nanny


@dataclass(slots=True)
class PeerCounts:
    """Numbers of clients and workers that have come and gone since the scheduler started."""

    clients_added: int = 0
    clients_removed: int = 0
    workers_added: int = 0
    workers_removed: int = 0


class ConnectedPeers:
    """Clients by id and workers by address."""

    def __init__(self) -> None:
        self.counts = PeerCounts()
        self.worker_counts = WorkerCounts()
        self.clients: dict[str, Session[Any]] = {}
        self.workers: dict[str, WorkerConnection] = {}
        self.client_sessions: dict[str, PeerSession] = {}
        """The clients' sessions with their streams; some clients may be away."""
        self.client_traffic = Traffic()
        self.worker_traffic = Traffic()
        self.worker_evictions = WorkerEvictions()
        self.stand_ins: dict[str, StandIn] = {}
        """Parts of the scheduler that the core takes for clients, by client id."""
        self._evicted_clients: dict[bytes, DagrpcError] = {}
        """Why clients were evicted, by session token."""

    def worker_versions(self) -> list[common_pb2.Versions]:
        """Return the software versions of the workers, each combination once."""
        found = {worker.hello.versions.SerializeToString(): worker.hello.versions for worker in self.workers.values()}
        return list(found.values())

    # --- evictions -----------------------------------------------------------------------------------------------

    def evict_client(self, client: str, session: Session[Any], reason: LimitReachedError) -> None:
        """End a client's session and tell it why, at the latest when it comes back."""
        peer_session = self.client_sessions[client]
        if peer_session.away:
            self.note_client_eviction(peer_session.token, reason)
            peer_session.end(f"it was evicted: {reason}")
        else:
            session.abort(reason)

    def evict_worker(self, worker: WorkerConnection, reason: LimitReachedError) -> None:
        """End a worker's session; `WorkerEvictions` says when it may come back."""
        self.worker_evictions.note(worker.peer_session.token, reason, time.monotonic())
        if worker.peer_session.away:
            worker.peer_session.end(f"it was evicted: {reason}")
        else:
            worker.session.abort(reason)

    def note_client_eviction(self, token: bytes, reason: DagrpcError) -> None:
        """Remember why a client's session ended: the client may come back without having learned it."""
        if token:
            self._evicted_clients[token] = type(reason)(str(reason))
            if len(self._evicted_clients) > _EVICTED_CLIENTS_REMEMBERED:
                del self._evicted_clients[next(iter(self._evicted_clients))]

    def check_client_eviction(self, token: bytes) -> None:
        """Raise the reason for which a client that wants to resume its session was evicted."""
        reason = self._evicted_clients.get(token)
        if reason is not None:
            raise type(reason)(str(reason))

    # --- out -----------------------------------------------------------------------------------------------------

    def say_goodbye(self, reason: str, may_return: bool) -> None:
        """Stop waiting for peers that are away, and tell clients that the scheduler stops or is restarted."""
        for peer_session in [
            *self.client_sessions.values(),
            *(worker.peer_session for worker in self.workers.values()),
        ]:
            peer_session.leaving = reason
            if peer_session.away:
                peer_session.end(reason)
        for session in self.clients.values():
            session.send(client_session_pb2.SchedulerGoodbye(reason=reason, may_return=may_return))

    def dispatch(self, batch: list[Instruction]) -> None:
        """Queue instructions for their peers, and drop the ones whose peers are gone."""
        clients, workers = self.clients, self.workers
        for instruction in batch:
            if isinstance(instruction, ClientInstruction):
                session = clients.get(instruction.client) or self.stand_ins.get(instruction.client)
                if session is not None:
                    session.send(instruction)
            else:
                connection = workers.get(instruction.worker)
                if connection is not None:
                    connection.session.send(instruction)
