"""Who is connected: the sessions of clients and workers, and what workers say of themselves."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from dagrpc import config
from dagrpc._peer.session import Session
from dagrpc.exceptions import DagrpcError, LimitReachedError
from dagrpc.v1 import client_session_pb2, common_pb2, worker_session_pb2
from dagrpc_scheduler.core import instructions
from dagrpc_scheduler.shell.memory.recent_minimum import RecentMinimum
from dagrpc_scheduler.shell.sessions.evictions import CutOffs
from dagrpc_scheduler.shell.sessions.peer_session import Tenure

TO_CLIENT: frozenset[type[Any]] = frozenset(
    (
        instructions.ReportFinished,
        instructions.ReportErred,
        instructions.ReportLost,
        instructions.ReportCancelled,
        instructions.ReportRetried,
        instructions.RejectGraph,
    )
)
"""The effects that go to a client; all others go to a worker."""

_CUT_OFF_KEPT = 100


class StandIn(Protocol):
    """A part of the scheduler that wants results as a client does."""

    def send(self, instruction: Any) -> None:
        """Take an effect that is addressed to it. Events that follow from it must wait for the next loop turn."""


@dataclass(slots=True)
class WorkerConnection:
    """A connected worker, as far as it is not the core's business."""

    hello: worker_session_pb2.WorkerHello
    """How it introduced itself."""
    name: str
    session: Session[instructions.Instruction]
    last_seen: float
    """When it was last heard of, in seconds since the epoch."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Its last measurements."""
    unmanaged: RecentMinimum = field(
        default_factory=lambda: RecentMinimum(config.get_seconds("worker.memory.recent-to-old-time") or 0.0)
    )
    """Memory of its process beside results, at least, lately."""
    plugins_revision: int = 0
    """The revision of the plugins that it is known to have."""
    vouched_until: float = 0.0
    """Until when its silence is no reason to take it out, in seconds since the epoch."""
    verdict: str = ""
    """Why the scheduler ended its session, if it did."""
    reported_status: str = "running"
    """The status that it last reported."""
    goodbye: str | None = None
    """Why it said that it leaves, if it did."""
    tenure: Tenure = field(init=False)
    """How long it belongs to the cluster."""

    def measured(self, now: float, metrics: dict[str, float]) -> None:
        """Take its measurements."""
        self.last_seen, self.metrics = now, metrics
        if "memory" in metrics:
            results = metrics.get("managed_bytes", 0.0) - metrics.get("spilled_bytes", 0.0)
            self.unmanaged.add(now, max(int(metrics["memory"] - results), 0))

    @property
    def nanny(self) -> str:
        """Address of its nanny; empty if it has none."""
        return self.hello.nanny


class Sessions:
    """The sessions by client id and by worker address."""

    def __init__(self) -> None:
        self.clients: dict[str, Session[Any]] = {}
        self.workers: dict[str, WorkerConnection] = {}
        self.tenures: dict[str, Tenure] = {}
        """Those of the clients, some of which may be away."""
        self._cut_off: dict[bytes, DagrpcError] = {}
        """Why clients were cut off, by their secrets."""
        self.workers_cut_off = CutOffs()
        """When workers were cut off."""
        self.stand_ins: dict[str, StandIn] = {}
        """Parts of the scheduler that the core takes for clients, by the names that it knows them by."""

    def worker_versions(self) -> list[common_pb2.Versions]:
        """Return the software of the workers, each combination of versions once."""
        found = {worker.hello.versions.SerializeToString(): worker.hello.versions for worker in self.workers.values()}
        return list(found.values())

    def cut_off_client(self, client: str, session: Session[Any], reason: LimitReachedError) -> None:
        """End a client's session, and let it know why, if only when it comes back."""
        tenure = self.tenures[client]
        if tenure.away:
            self.note_cut_off(tenure.token, reason)
            tenure.end(f"it was cut off: {reason}")
        else:
            session.abort(reason)

    def cut_off_worker(self, worker: WorkerConnection, reason: LimitReachedError) -> None:
        """End a worker's session. It may come back, but not too soon, nor too often."""
        self.workers_cut_off.note(worker.tenure.token, reason, time.monotonic())
        if worker.tenure.away:
            worker.tenure.end(f"it was cut off: {reason}")
        else:
            worker.session.abort(reason)

    def note_cut_off(self, token: bytes, reason: DagrpcError) -> None:
        """Remember why a client was cut off: it may come back without having heard of it."""
        if token:
            self._cut_off[token] = type(reason)(str(reason))
            if len(self._cut_off) > _CUT_OFF_KEPT:
                del self._cut_off[next(iter(self._cut_off))]

    def check_cut_off(self, token: bytes) -> None:
        """Raise if a client was cut off that wants to go on.

        Raises
        ------
        DagrpcError
            What it was cut off for.
        """
        reason = self._cut_off.get(token)
        if reason is not None:
            raise type(reason)(str(reason))

    def last_words(self, reason: str, may_return: bool) -> None:
        """Wait for nobody any more who is away, and tell the clients: the scheduler stops, perhaps to be restarted."""
        for tenure in [*self.tenures.values(), *(worker.tenure for worker in self.workers.values())]:
            tenure.leaving = reason
            if tenure.away:
                tenure.end(reason)
        for session in self.clients.values():
            session.send(client_session_pb2.SchedulerGoodbye(reason=reason, may_return=may_return))

    def dispatch(self, batch: list[instructions.Instruction]) -> None:
        """Queue effects for the peers that they are addressed to. Those for peers that are gone are dropped."""
        clients, workers = self.clients, self.workers
        for instruction in batch:
            if type(instruction) in TO_CLIENT:
                name: str = instruction.client  # type: ignore[union-attr]
                session = clients.get(name) or self.stand_ins.get(name)
                if session is not None:
                    session.send(instruction)
            else:
                connection = workers.get(instruction.worker)  # type: ignore[union-attr]
                if connection is not None:
                    connection.session.send(instruction)
