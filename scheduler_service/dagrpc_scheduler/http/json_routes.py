"""``/health`` and ``/json/*``: the cluster's figures for programs, by the paths that distributed has for them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from dagrpc._common.markup import Markup
from dagrpc._common.nested_metrics import nested_metrics
from dagrpc._http.application import json_response
from dagrpc._http.html_pages import link, page
from dagrpc_scheduler.core import views
from dagrpc_scheduler.http.cluster_counts import counts
from dagrpc_scheduler.http.dashboard.panels import individual_paths
from dagrpc_scheduler.http.sources import SchedulerSources


class JsonRoutes:
    """Answers questions about the cluster with JSON.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that the answers come from.
    """

    def __init__(self, sources: SchedulerSources) -> None:
        self._sources = sources

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and their handlers."""
        return [
            web.get("/health", self.health),
            web.get("/json/counts.json", self.counts),
            web.get("/json/identity.json", self.identity),
            web.get("/json/index.html", self.index),
            web.get("/individual-plots.json", self.individual_plots),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """Say that the scheduler serves."""
        return web.Response(text="ok")

    async def counts(self, request: web.Request) -> web.Response:
        """Return how many tasks, workers and clients there are."""
        sources = self._sources
        return json_response(counts(sources.core, len(sources.peers.clients), sources.desired_workers()))

    async def identity(self, request: web.Request) -> web.Response:
        """Return what the scheduler and its workers are."""
        return json_response(identity(self._sources))

    async def individual_plots(self, request: web.Request) -> web.Response:
        """List the pages of single panels, by titles as those of distributed's list."""
        # The title of a panel here says more, but JupyterLab's extension sorts and matches by these.
        return json_response({_plot_title(path): path for _, path in individual_paths()})

    async def index(self, request: web.Request) -> web.Response:
        """List the paths."""
        listed = [link("counts.json", "counts.json"), link("identity.json", "identity.json")]
        return page("JSON", "../", Markup("<ul>" + "".join(f"<li>{each}</li>" for each in listed) + "</ul>"))


def _plot_title(path: str) -> str:
    """Return the title of a panel's page, such as ``Individual Task Stream`` for ``/individual-task-stream``."""
    return path.removeprefix("/").replace("-", " ").title()


def identity(sources: SchedulerSources) -> dict[str, Any]:
    """Return what the scheduler and its workers are, by distributed's names."""
    scheduler = sources.identity
    workers = {address: worker_identity(sources, address) for address in sources.peers.workers}
    return {
        "type": "Scheduler",
        "id": scheduler.id,
        "address": scheduler.address,
        "services": scheduler.services,
        "started": scheduler.started,
        "n_workers": len(workers),
        "total_threads": sum(worker["nthreads"] for worker in workers.values()),
        "total_memory": sum(worker["memory_limit"] for worker in workers.values()),
        "workers": workers,
    }


def worker_identity(sources: SchedulerSources, address: str) -> dict[str, Any]:
    """Return what one worker is and measured last, by distributed's names."""
    connection = sources.peers.workers[address]
    hello = connection.hello
    info = views.worker_info(sources.core, address)
    return {
        "type": "Worker",
        "id": connection.name,
        "host": info.host if info is not None else "",
        "name": connection.name,
        "nthreads": hello.nthreads,
        "memory_limit": hello.memory_limit,
        "resources": dict(hello.resources),
        "local_directory": hello.local_directory,
        "services": dict(hello.services),
        "nanny": connection.nanny or None,
        "status": info.status if info is not None else "",
        "last_seen": connection.last_seen,
        "metrics": nested_metrics(connection.metrics),
    }
