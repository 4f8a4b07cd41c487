"""Keeps measurements over time, while somebody makes a report."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dagrpc import config
from dagrpc._loop.io_loop import spawn
from dagrpc.exceptions import LimitReachedError, UnknownKeyError, UnknownSessionError
from dagrpc.v1 import diagnostics_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

_AT_ONCE = 100
_POINTS = 200_000
"""Most measurements that are kept, of all workers; beyond that, every other one goes."""
_INTERVAL = 1.0

Point = tuple[float, float, float, float, float]
"""Time, processors, memory, managed memory, tasks that run."""


class Series:
    """Measurements by process, in bounded memory: the more there are, the further apart they are kept.

    Parameters
    ----------
    limit : int
        Most points of all processes together.
    """

    def __init__(self, limit: int = _POINTS) -> None:
        self._limit = limit
        self._points: dict[str, list[Point]] = {}
        self._seen: dict[str, int] = {}
        self._total = 0
        self._stride = 1

    def add(self, worker: str, now: float, metrics: Mapping[str, float]) -> None:
        """Keep what a process has measured, or pass it over."""
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
        """Return what was measured from then on."""
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
    """A report in the making."""

    client: str
    start: float


@dataclass(slots=True)
class SubmittedGraph:
    """A graph, with the code that submitted it."""

    graph_id: str
    start: float
    client: str
    code: tuple[str, ...]
    tasks: int = 0


@dataclass(slots=True)
class Computations:
    """The latest graphs of which it is known what code submitted them."""

    entries: deque[SubmittedGraph] = field(
        default_factory=lambda: deque(maxlen=int(config.get("diagnostics.computations.max-history")))
    )

    def add(self, client: str, graph_id: str, code: tuple[str, ...], tasks: int) -> None:
        """Note a part of a graph."""
        latest = self.entries[-1] if self.entries else None
        if latest is None or latest.graph_id != graph_id or latest.client != client:
            latest = SubmittedGraph(graph_id, time.time(), client, code)
            self.entries.append(latest)
        latest.tasks += tasks

    def since(self, start: float) -> list[pb.Computation]:
        """Return those that were submitted from then on."""
        return [
            pb.Computation(start=entry.start, client_id=entry.client, tasks=entry.tasks, code=entry.code)
            for entry in self.entries
            if entry.start >= start
        ]


class Reports:
    """The reports that clients make.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self._open: dict[str, Report] = {}
        self._series = Series()
        self._task: asyncio.Task[None] | None = None
        self.computations = Computations()

    @property
    def under_way(self) -> bool:
        """Whether somebody makes a report."""
        return bool(self._open)

    def measured(self, worker: str, now: float, metrics: Mapping[str, float]) -> None:
        """Take what a process has measured, if that is anything."""
        if self._open and metrics:
            self._series.add(worker, now, metrics)

    def _measured_last(self, now: float) -> None:
        for address, worker in self._service.sessions.workers.items():
            self.measured(address, now, worker.metrics)

    def begin(self, client: str) -> tuple[str, float]:
        """Begin a report; return what it is called by, and the time.

        Raises
        ------
        UnknownSessionError
            If there is no such client.
        LimitReachedError
            If there are too many reports.
        """
        if client not in self._service.sessions.clients:
            raise UnknownSessionError(f"Client {client} has no session here")
        self._drop_abandoned()
        if len(self._open) >= _AT_ONCE:
            raise LimitReachedError(f"{_AT_ONCE} reports are under way; end one first")
        name, now = uuid.uuid4().hex, time.time()
        self._open[name] = Report(client, now)
        self._service.loop_profile.ask(now)
        self._measured_last(now)
        if self._task is None or self._task.done():
            self._task = spawn(self._measure(), self._service.tasks)
        return name, now

    def end(self, name: str) -> pb.EndReportResponse:
        """End a report and return what was measured.

        Raises
        ------
        UnknownKeyError
            If there is no such report.
        """
        report = self._open.get(name)
        if report is None:
            raise UnknownKeyError(f"There is no report {name!r}: it has ended")
        self._measured_last(time.time())
        del self._open[name]
        response = pb.EndReportResponse(
            measurements=self._series.since(report.start), computations=self.computations.since(report.start)
        )
        if not self._open:
            self._series = Series()
        return response

    def _drop_abandoned(self) -> None:
        clients = self._service.sessions.clients
        self._open = {name: report for name, report in self._open.items() if report.client in clients}

    async def _measure(self) -> None:
        """Measure the scheduler while a report is under way, and end those whose client is gone."""
        # Takes a while to import, and most schedulers never make a report.
        psutil = await asyncio.to_thread(__import__, "psutil")
        process = psutil.Process()
        process.cpu_percent()
        while self._open:
            await asyncio.sleep(_INTERVAL)
            now = time.time()
            self._service.loop_profile.ask(now)
            metrics = {"cpu": process.cpu_percent(), "memory": process.memory_info().rss}
            self.measured("", now, metrics)
            self._drop_abandoned()
        self._series = Series()
