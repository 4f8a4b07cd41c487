"""An aiohttp application with what all pages of dagrpc share: access, headers, errors, the list of paths."""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from dagrpc import config
from dagrpc._http.address import path_prefix
from dagrpc._http.framing import SETTING, checked_sources, frame_ancestors
from dagrpc._http.http_access import Handler, HttpAccess, guard

logger = logging.getLogger("dagrpc.http")

PATHS: web.AppKey[Iterable[str]] = web.AppKey("paths", Iterable)
"""All paths of an application, for the sitemap and for answers to unknown paths."""
LARGEST_BODY = 1 << 20
"""Bytes that the body of a request may have."""
_FRAMERS: web.AppKey[Iterable[str]] = web.AppKey("framers", Iterable)
_POLICY = (
    # Pages load nothing from elsewhere, and run no script that is not a file of ours.
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'self'; object-src 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def make_application(
    access: HttpAccess,
    routes: Iterable[web.RouteDef],
    prefix: str = "",
    user_modules: Iterable[str] = (),
    server: Any = None,
) -> web.Application:
    """Return an application that serves routes under a prefix.

    Parameters
    ----------
    access : HttpAccess
        Who may ask.
    routes : iterable of aiohttp.web.RouteDef
        The service's own routes; those of users' modules come after them.
    prefix : str
        Path in front of all routes, such as ``"/cluster-1"``; the routes are served without it as well, because some
        proxies take it off.
    user_modules : iterable of str
        Names of modules with a function ``routes(server)`` that returns more routes.
    server : object
        What such functions get: the `Scheduler` or `Worker`.

    Raises
    ------
    ImportError, AttributeError
        If a user's module is not there, or has no ``routes``.
    ValueError
        If a setting is malformed.
    """
    framers = checked_sources(config.get(SETTING) or ())
    defined = [*routes, *_user_routes(user_modules, server)]
    application = web.Application(middlewares=[_errors, guard(access)], client_max_size=LARGEST_BODY)
    defined += [web.get("/sitemap.json", _sitemap), web.get("/", _index)]
    application[PATHS] = sorted({route.path for route in defined})
    application[_FRAMERS] = framers
    application.add_routes(defined)
    application.on_response_prepare.append(_add_headers)
    prefix = path_prefix(prefix)
    if not prefix:
        return application
    outer = web.Application(middlewares=[_errors, guard(access)], client_max_size=LARGEST_BODY)
    outer.on_response_prepare.append(_add_headers)
    inner = web.Application()
    inner[PATHS] = outer[PATHS] = application[PATHS]
    inner[_FRAMERS] = outer[_FRAMERS] = framers
    inner.add_routes(defined)
    outer.add_subapp(prefix + "/", inner)
    outer.add_routes(defined)
    return outer


def _user_routes(modules: Iterable[str], server: Any) -> list[web.RouteDef]:
    found: list[web.RouteDef] = []
    for name in modules:
        found.extend(importlib.import_module(name).routes(server))
    return found


async def _index(request: web.Request) -> web.Response:
    """Lead to the first page."""
    # Relative, for proxies that add a prefix.
    raise web.HTTPFound("status" if "/status" in request.app[PATHS] else "sitemap.json")


async def _sitemap(request: web.Request) -> web.Response:
    return json_response({"paths": list(request.app[PATHS])})


def json_response(data: Any, status: int = 200) -> web.Response:
    """Return an answer of JSON."""
    return web.json_response(data, status=status, dumps=lambda value: json.dumps(value, default=str, allow_nan=False))


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    policy = f"{_POLICY}; {frame_ancestors(request.headers.get('Host', ''), request.app[_FRAMERS])}"
    for name, value in {"Content-Security-Policy": policy, **_HEADERS}.items():
        response.headers.setdefault(name, value)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into answers in words: unknown paths list those that there are, faults are logged and hidden."""
    try:
        return await handler(request)
    except web.HTTPNotFound as error:
        if error.text != "404: Not Found":
            raise
        paths = "\n".join(request.app[PATHS])
        return web.Response(status=404, text=f"there is no page {request.path}; there are:\n{paths}\n")
    except web.HTTPException:
        raise
    except Exception:
        logger.exception("HTTP request %s %s failed", request.method, request.path)
        return web.Response(status=500, text="the service failed to answer; its log says why\n")
