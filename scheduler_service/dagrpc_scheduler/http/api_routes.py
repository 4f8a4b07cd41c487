"""``/api/v1``: what adaptive deployments ask over HTTP, and the retirement of workers where it is switched on."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from dagrpc import config
from dagrpc._http.application import json_response
from dagrpc_scheduler.core import views
from dagrpc_scheduler.http.json_routes import worker_identity
from dagrpc_scheduler.http.sources import SchedulerSources

SWITCHES = frozenset(("distributed.http.scheduler.api", "dagrpc.http.scheduler.api"))
"""Entries of ``scheduler.http.routes`` each of which allows requests that change the cluster."""


class ApiRoutes:
    """Answers the requests of ``/api/v1``.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that the answers come from.
    """

    def __init__(self, sources: SchedulerSources) -> None:
        self._sources = sources
        self._may_change = not SWITCHES.isdisjoint(config.get("scheduler.http.routes") or ())

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and their handlers."""
        return [
            web.get("/api/v1", self.version),
            web.get("/api/v1/get_workers", self.get_workers),
            web.get("/api/v1/adaptive_target", self.adaptive_target),
            web.post("/api/v1/retire_workers", self.retire_workers),
        ]

    async def version(self, request: web.Request) -> web.Response:
        """Name the version."""
        return web.Response(text="API V1")

    async def get_workers(self, request: web.Request) -> web.Response:
        """List the workers."""
        workers = [{"name": info.name, "address": info.address} for info in views.workers(self._sources.core)]
        return json_response({"num_workers": len(workers), "workers": workers})

    async def adaptive_target(self, request: web.Request) -> web.Response:
        """Return how many workers the tasks at hand could use."""
        return json_response({"workers": self._sources.desired_workers()})

    async def retire_workers(self, request: web.Request) -> web.Response:
        """Retire workers, by address or as many as asked for; return what they were."""
        if not self._may_change:
            raise web.HTTPForbidden(
                text="requests that change the cluster are switched off: "
                "add 'distributed.http.scheduler.api' to scheduler.http.routes\n"
            )
        # A page of another site can send a form, but no JSON.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="send JSON, with the header Content-Type: application/json\n")
        chosen = self._chosen(_parameters(await request.read()))
        known = {address: worker_identity(self._sources, address) for address in chosen}
        gone = await self._sources.retirement.retire(chosen)
        return json_response({address: {**known[address], "status": "closed"} for address in gone})

    def _chosen(self, parameters: dict[str, Any]) -> list[str]:
        """Return the addresses of the workers to retire."""
        sources = self._sources
        unknown = sorted(set(parameters) - {"workers", "n"})
        if unknown or len(parameters) > 1:
            raise web.HTTPBadRequest(
                text=f"give workers, a list of addresses, or n, a number; got {sorted(parameters)}\n"
            )
        workers, number = parameters.get("workers"), parameters.get("n")
        if workers is not None:
            if not isinstance(workers, list) or not all(isinstance(worker, str) for worker in workers):
                raise web.HTTPBadRequest(text=f"workers is a list of addresses; got {workers!r}\n")
            try:
                found = views.resolve_workers(sources.core, workers)
            except views.UnknownWorkerError as error:
                raise web.HTTPBadRequest(text=f"{error}\n") from None
            return [address for address in found if address in sources.peers.workers]
        if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 0):
            raise web.HTTPBadRequest(text=f"n is a number of workers; got {number!r}\n")
        return [address for address in sources.scaling.workers_to_close(number) if address in sources.peers.workers]


def _parameters(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(text=f"the body is no JSON: {error}\n") from None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(text=f'the body is an object of JSON, such as {{"workers": [...]}}; got {found!r}\n')
    return found
