"""``/proxy/PORT/HOST/...``: pages of workers that a viewer cannot reach, passed on by the scheduler."""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp import web
from yarl import URL

from dagrpc import config
from dagrpc._common.addresses import join_address
from dagrpc_scheduler.core import views
from dagrpc_scheduler.http.sources import SchedulerSources

_TIMEOUT = aiohttp.ClientTimeout(total=60.0, connect=10.0)
_PIECE = 1 << 16
_PASSED_ON = ("Authorization", "Accept")
"""Headers of a request that the worker gets. Cookies are the scheduler's own."""
_PASSED_BACK = ("Content-Type", "WWW-Authenticate")


class WorkerProxy:
    """Passes requests on to the HTTP ports of workers that the scheduler knows, and to no others.

    Parameters
    ----------
    sources : SchedulerSources
        The scheduler's parts that know the workers.
    """

    def __init__(self, sources: SchedulerSources) -> None:
        self._sources = sources

    def routes(self) -> list[web.RouteDef]:
        """Return the paths and their handlers."""
        return [web.get("/proxy/{port}/{host}/{path:.*}", self.proxy, allow_head=False)]

    async def proxy(self, request: web.Request) -> web.StreamResponse:
        """Return the page of a worker."""
        host, port = request.match_info["host"], request.match_info["port"]
        if not self._is_worker(host, port):
            raise web.HTTPNotFound(text=f"no worker serves HTTP at {host!r}, port {port!r}\n")
        scheme = "https" if config.get("scheduler.dashboard.tls.cert") else "http"
        target = URL(f"{scheme}://{join_address(host, int(port))}/").joinpath(request.match_info["path"])
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.get(
                    target.with_query(request.query), headers=headers, allow_redirects=False, ssl=_trust()
                ) as answer,
            ):
                passed = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
                response = web.StreamResponse(status=answer.status, headers=passed)
                await response.prepare(request)
                async for piece in answer.content.iter_chunked(_PIECE):
                    await response.write(piece)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise web.HTTPBadGateway(text=f"the worker at {host}:{port} does not answer: {error}\n") from None
        return response

    def _is_worker(self, host: str, port: str) -> bool:
        """Tell whether a worker that is connected serves HTTP there."""
        for address, worker in self._sources.peers.workers.items():
            info = views.worker_info(self._sources.core, address)
            number = worker.hello.services.get("dashboard", 0)
            if info is not None and info.host == host and number and str(number) == port:
                return True
        return False


def _trust() -> ssl.SSLContext | bool:
    """Return how the certificates of workers are checked."""
    authority = config.get("scheduler.dashboard.tls.ca-file")
    return ssl.create_default_context(cafile=authority) if authority else True
