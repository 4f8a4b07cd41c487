"""Measurements over time and submitted graphs, for the performance reports that clients make."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dagrpc import config
from dagrpc._loop.io_loop import spawn
from dagrpc.exceptions import InvalidRequestError, LimitReachedError, UnknownKeyError, UnknownSessionError
from dagrpc.v1 import diagnostics_service_pb2 as pb
from dagrpc_scheduler.shell.diagnostics.loop_profile import LoopProfile
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

_AT_ONCE = 100
"""How many reports may be under way."""
_LONGEST_ID = 100
"""Characters of a report's id."""
_POINTS = 200_000
"""How many measurements are kept of all processes; beyond that, every other one goes."""
_INTERVAL = 1.0
"""Seconds between two measurements of the scheduler."""

Point = tuple[float, float, float, float, float]
"""Time, processors, memory, managed memory, running tasks."""


class Series:
    """Measurements by process in bounded memory: the more there are, the further apart they are kept."""

    def __init__(self, limit: int = _POINTS) -> None:
        self._limit = limit
        self._points: dict[str, list[Point]] = {}
        self._seen: dict[str, int] = {}
        self._total = 0
        self._stride = 1

    def add(self, worker: str, now: float, metrics: Mapping[str, float]) -> None:
        """Keep a process's measurements, or skip them."""
        seen = self._seen[worker] = self._seen.get(worker, -1) + 1
        if seen % self._stride:
            return
        get = metrics.get
        point = (now, get("cpu", 0.0), get("memory", 0.0), get("managed_bytes", 0.0), get("executing", 0.0))
        self._points.setdefault(worker, []).append(point)
        self._total += 1
        if self._total > self._limit:
            self._thin()

    def _thin(self) -> None:
        self._stride *= 2
        self._points = {worker: points[::2] for worker, points in self._points.items()}
        self._total = sum(map(len, self._points.values()))

    def since(self, start: float) -> list[pb.Measurements]:
        """Return the measurements since a time."""
        found = []
        for worker, points in self._points.items():
            columns = list(zip(*[point for point in points if point[0] >= start], strict=True))
            if columns:
                times, cpu, memory, managed, executing = columns
                found.append(
                    pb.Measurements(
                        worker=worker, times=times, cpu=cpu, memory=memory, managed=managed, executing=executing
                    )
                )
        return found


@dataclass(slots=True)
class Report:
    """A report that a client makes."""

    client: str
    start: float


@dataclass(slots=True)
class SubmittedGraph:
    """A submitted graph with the code that submitted it."""

    graph_id: str
    start: float
    client: str
    code: tuple[str, ...]
    tasks: int = 0


@dataclass(slots=True)
class Computations:
    """The latest graphs whose submitting code is known."""

    entries: deque[SubmittedGraph] = field(
        default_factory=lambda: deque(maxlen=int(config.get("diagnostics.computations.max-history")))
    )

    def add(self, client: str, graph_id: str, code: tuple[str, ...], tasks: int) -> None:
        """Note a part of a submitted graph."""
        latest = self.entries[-1] if self.entries else None
        if latest is None or latest.graph_id != graph_id or latest.client != client:
            latest = SubmittedGraph(graph_id, time.time(), client, code)
            self.entries.append(latest)
        latest.tasks += tasks

    def since(self, start: float) -> list[pb.Computation]:
        """Return the graphs that were submitted since a time."""
        return [
            pb.Computation(start=entry.start, client_id=entry.client, tasks=entry.tasks, code=entry.code)
            for entry in self.entries
            if entry.start >= start
        ]


class Reports:
    """The performance reports that clients make."""

    def __init__(self, peers: ConnectedPeers, loop_profile: LoopProfile, background: set[asyncio.Task[Any]]) -> None:
        self._peers = peers
        self._loop_profile = loop_profile
        self._background = background
        self._open: dict[str, Report] = {}
        self._series = Series()
        self._task: asyncio.Task[None] | None = None
        self.computations = Computations()

    @property
    def under_way(self) -> bool:
        """Whether a client makes a report."""
        return bool(self._open)

    def measured(self, worker: str, now: float, metrics: Mapping[str, float]) -> None:
        """Keep the measurements of a process while a client makes a report."""
        if self._open and metrics:
            self._series.add(worker, now, metrics)

    def begin(self, client: str, report_id: str = "") -> tuple[str, float]:
        """Begin a client's report, unless a call with the same id began it already; return its id and the time.

        Raises `UnknownSessionError` for an unknown client, `InvalidRequestError` for an id that cannot be used, and
        `LimitReachedError` if there are too many reports.
        """
        if client not in self._peers.clients:
            raise UnknownSessionError(f"Client {client} has no session here")
        if len(report_id) > _LONGEST_ID:
            raise InvalidRequestError(f"a report's id has at most {_LONGEST_ID} characters; got {len(report_id)}")
        self._drop_abandoned()
        begun = self._open.get(report_id)
        if begun is not None:
            if begun.client != client:
                raise InvalidRequestError(f"report {report_id!r} is another client's")
            return report_id, begun.start
        if len(self._open) >= _AT_ONCE:
            raise LimitReachedError(f"{_AT_ONCE} reports are under way; end one first")
        report_id, now = report_id or uuid.uuid4().hex, time.time()
        self._open[report_id] = Report(client, now)
        self._loop_profile.ask(now)
        self._measure_workers(now)
        if self._task is None or self._task.done():
            self._task = spawn(self._measure_scheduler(), self._background)
        return report_id, now

    def end(self, report_id: str) -> pb.EndReportResponse:
        """End a report and return its measurements; raises `UnknownKeyError` for an unknown report."""
        report = self._open.get(report_id)
        if report is None:
            raise UnknownKeyError(f"There is no report {report_id!r}: it has ended")
        self._measure_workers(time.time())
        del self._open[report_id]
        response = pb.EndReportResponse(
            measurements=self._series.since(report.start), computations=self.computations.since(report.start)
        )
        if not self._open:
            self._series = Series()
        return response

    def _measure_workers(self, now: float) -> None:
        """Keep the last measurements of all workers."""
        for address, worker in self._peers.workers.items():
            self.measured(address, now, worker.metrics)

    def _drop_abandoned(self) -> None:
        """End the reports of clients that are gone."""
        self._open = {name: report for name, report in self._open.items() if report.client in self._peers.clients}

    async def _measure_scheduler(self) -> None:
        """Measure the scheduler's process while reports are under way."""
        # The import takes a while, and most schedulers never make a report.
        psutil = await asyncio.to_thread(__import__, "psutil")
        process = psutil.Process()
        process.cpu_percent()
        while self._open:
            await asyncio.sleep(_INTERVAL)
            now = time.time()
            self._loop_profile.ask(now)
            metrics = {"cpu": process.cpu_percent(), "memory": process.memory_info().rss}
            self.measured("", now, metrics)
            self._drop_abandoned()
        self._series = Series()
