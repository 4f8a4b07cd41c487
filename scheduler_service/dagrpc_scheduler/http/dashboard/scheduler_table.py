"""The table about the scheduler's own process."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from dagrpc._common.versions import host_facts, package_versions
from dagrpc_scheduler.core import views
from dagrpc_scheduler.http.dashboard.feeds import Rows
from dagrpc_scheduler.http.sources import SchedulerSources


class SchedulerTable:
    """Makes rows about the scheduler's process and its sessions."""

    def __init__(self, sources: SchedulerSources) -> None:
        self._sources = sources
        self._process: Any = None
        self._longest = sources.ticks.longest()
        self._versions: dict[str, str] = {}

    async def rows(self) -> tuple[Rows, float]:
        """Return figures by name."""
        if self._process is None:
            psutil = await asyncio.to_thread(__import__, "psutil")
            self._process = psutil.Process()
            self._process.cpu_percent()
            self._versions = await asyncio.to_thread(lambda: {**host_facts(), **package_versions()})
        begun = time.perf_counter()
        rows = self._rows()
        return rows, time.perf_counter() - begun

    def _rows(self) -> dict[str, Any]:
        peers, process = self._sources.peers, self._process
        workers = [connection.session for connection in peers.workers.values()]
        clients = list(peers.clients.values())
        stealing = views.stealing(self._sources.core)
        return {
            "address": self._sources.identity.address,
            "id": self._sources.identity.id,
            "started": self._sources.identity.started,
            "cpu": process.cpu_percent(),
            "memory": process.memory_info().rss,
            "fds": process.num_fds() if hasattr(process, "num_fds") else 0,
            "lag": round(max(self._longest.take() - self._sources.ticks.interval, 0.0), 4),
            "queued_workers": sum(session.queued for session in workers),
            "queued_clients": sum(session.queued for session in clients),
            "workers_added": peers.counts.workers_added,
            "workers_removed": peers.counts.workers_removed,
            "clients_added": peers.counts.clients_added,
            "clients_removed": peers.counts.clients_removed,
            "steals_requested": stealing["requested"],
            "steals_confirmed": stealing["confirmed"],
            "versions": self._versions,
        }
