"""The live status page: one stream of server-sent events for each viewer, computed only while somebody looks.

A viewer that reads slowly skips snapshots: the next one is made when the last one has been written. Nothing waits for
it, and nothing is kept for it.
"""

from __future__ import annotations

import asyncio
import json
from importlib import resources
from typing import Any

from aiohttp import web

from dagrpc_scheduler.core import views
from dagrpc_scheduler.http.cluster_counts import counts
from dagrpc_scheduler.http.sources import SchedulerSources

_INTERVAL = 0.5
"""Seconds between two snapshots."""
_WRITE_TIMEOUT = 30.0
"""Seconds until a viewer that does not read is dropped."""
MOST_VIEWERS = 200
_MOST_WORKERS = 1_000
_MOST_PREFIXES = 40
_TYPES = {".css": "text/css", ".js": "text/javascript", ".html": "text/html", ".svg": "image/svg+xml"}


class LivePages:
    """Serves the status page, its files and its stream.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that the page shows.
    """

    def __init__(self, sources: SchedulerSources) -> None:
        self._sources = sources
        self._viewers = 0
        folder = resources.files("dagrpc_scheduler.http") / "assets"
        self._files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and their handlers."""
        return [
            web.get("/status", self.status),
            web.get("/statics/{name}", self.static),
            web.get("/stream/status", self.stream),
        ]

    async def status(self, request: web.Request) -> web.Response:
        """Return the page."""
        return self._file("status.html")

    async def static(self, request: web.Request) -> web.Response:
        """Return a style sheet or a script."""
        return self._file(request.match_info["name"])

    def _file(self, name: str) -> web.Response:
        body = self._files.get(name)
        suffix = name[name.rfind(".") :]
        if body is None or suffix not in _TYPES:
            raise web.HTTPNotFound(text=f"there is no file {name!r}\n")
        return web.Response(body=body, content_type=_TYPES[suffix], charset="utf-8")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send snapshots until the viewer leaves."""
        if self._viewers >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_VIEWERS} viewers look already; close a page\n")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        self._viewers += 1
        try:
            await response.prepare(request)
            while True:
                data = json.dumps(snapshot(self._sources), separators=(",", ":"), allow_nan=False)
                async with asyncio.timeout(_WRITE_TIMEOUT):
                    await response.write(f"data: {data}\n\n".encode())
                await asyncio.sleep(_INTERVAL)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            self._viewers -= 1
        return response


def snapshot(sources: SchedulerSources) -> dict[str, Any]:
    """Return what the status page shows, as plain data."""
    core = sources.core
    memory = sources.cluster_memory()
    workers = []
    for info in views.workers(core)[:_MOST_WORKERS]:
        connection = sources.peers.workers.get(info.address)
        metrics = connection.metrics if connection is not None else {}
        workers.append(
            [
                info.address,
                info.name,
                info.status,
                info.nthreads,
                round(metrics.get("cpu", 0.0), 1),
                int(metrics.get("memory", 0)),
                info.memory_limit,
                round(info.occupancy, 3),
                info.processing,
                info.in_memory,
            ]
        )
    prefixes = views.prefix_counts(core)
    largest = sorted(prefixes.items(), key=lambda item: -sum(item[1].values()))[:_MOST_PREFIXES]
    return {
        "time": sources.now(),
        "counts": counts(core, len(sources.peers.clients), sources.desired_workers()),
        "occupancy": views.total_occupancy(core),
        "memory": {
            "managed": memory.managed,
            "unmanaged_old": memory.unmanaged_old,
            "unmanaged_recent": memory.unmanaged_recent,
            "spilled": memory.spilled,
        },
        "workers": workers,
        "prefixes": [[name, states] for name, states in largest],
    }
