"""Access to an HTTP port: checks the host that a request names and the token that it shows.

A page of another site must not be able to read a cluster that listens on loopback: a name of the attacker's that
resolves to 127.0.0.1 (DNS rebinding) reaches the port, but names the wrong host. Numeric addresses cannot be rebound.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from dagrpc._auth.access import Access
from dagrpc._auth.tokens import HEADER, SCHEME

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

COOKIE = "dagrpc"
_PARAMETER = "token"
_DATA = ".json"
"""Paths that are asked by programs, such as JupyterLab's extension, which keep no cookies."""
OPEN_PATHS = frozenset(("/health",))
"""Paths that need no token: load balancers and kubelets ask them, and they tell nothing but that the service lives."""

_FOR_CALLERS = re.compile(r"(^|/)v1/[a-z]+:[a-z]+$")
"""Paths that tokens of the role caller open, too: calls of functions by name."""


class HttpAccess:
    """Lets requests in, or refuses them.

    Parameters
    ----------
    access : Access
        The rules of the service's gRPC port, whose tokens count here as well.
    allowed_hosts : iterable of str
        Host names beyond this machine's own; ``"*"`` allows all.

    Notes
    -----
    A request shows its token in the header ``Authorization: Bearer TOKEN``, or once as ``?token=TOKEN``: the answer to
    that sets a cookie and leads to the same page without the token, so that it stays out of histories and logs. Answers
    of JSON come at once.
    """

    def __init__(self, access: Access, allowed_hosts: Iterable[str] = ()) -> None:
        self._access = access
        names = {name.lower() for name in allowed_hosts}
        self._all_hosts = "*" in names
        self._hosts = names | {"localhost", socket.gethostname().lower(), socket.getfqdn().lower()}
        # The cookie is a secret of its own: it opens no gRPC port, and ends with the service.
        self._cookie = secrets.token_urlsafe(32)

    def is_known_host(self, header: str) -> bool:
        """Tell whether a ``Host`` header names this machine.

        Examples
        --------
        >>> HttpAccess(Access(None)).is_known_host("127.0.0.1:8787")
        True
        >>> HttpAccess(Access(None)).is_known_host("rebound.example:8787")
        False
        """
        if self._all_hosts:
            return True
        host = header[1:].partition("]")[0] if header.startswith("[") else header.rpartition(":")[0] or header
        host = host.lower().rstrip(".")
        if host in self._hosts:
            return True
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return False
        return True

    def is_let_in(self, request: web.Request) -> bool:
        """Tell whether a request shows a token or a cookie that is accepted, or needs none."""
        if self._access.open or request.path in OPEN_PATHS:
            return True
        if request.path.endswith(_DATA) and self._access.accepts_token(request.query.get(_PARAMETER, "")):
            return True
        shown = request.headers.get(HEADER, "")
        if shown.startswith(SCHEME) and self._access.accepts_token(shown[len(SCHEME) :]):
            return True
        if shown.startswith(SCHEME) and _FOR_CALLERS.search(request.path):
            return self._access.accepts_token(shown[len(SCHEME) :], b"caller")
        if hmac.compare_digest(_digest(request.cookies.get(COOKIE, "")), _digest(self._cookie)):
            return True
        certificate = request.get_extra_info("peercert")
        return bool(certificate) and self._access.accepts_certificate(_names(certificate))

    def redeem(self, request: web.Request) -> web.Response | None:
        """Return the answer to a request that shows its token as a parameter; None if it does not, or a wrong one."""
        token = request.query.get(_PARAMETER)
        if token is None or self._access.open or request.path.endswith(_DATA) or not self._access.accepts_token(token):
            return None
        rest = request.rel_url.without_query_params(_PARAMETER)
        # A relative target holds behind proxies that add a prefix.
        response = web.Response(status=303, headers={"Location": f"{rest.name or '.'}{_query(str(rest))}"})
        response.set_cookie(COOKIE, self._cookie, httponly=True, samesite="Strict", secure=request.secure)
        return response


def _names(certificate: Mapping[str, Any]) -> list[bytes]:
    """Return the alternative names in a certificate that TLS has verified."""
    return [str(value).encode() for _, value in certificate.get("subjectAltName", ())]


def _query(url: str) -> str:
    _, mark, query = url.partition("?")
    return mark + query


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def guard(access: HttpAccess) -> Middleware:
    """Return a middleware that refuses requests for other hosts and without a token."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not access.is_known_host(request.headers.get("Host", "")):
            raise web.HTTPForbidden(
                text=f"{request.headers.get('Host', '')!r} is not a host of this service: "
                "use its address, or add the name to http.allowed-hosts\n"
            )
        redeemed = access.redeem(request)
        if redeemed is not None:
            return redeemed
        if not access.is_let_in(request):
            raise web.HTTPUnauthorized(
                text="this cluster asks for a token: send 'Authorization: Bearer TOKEN', or open the page with "
                "?token=TOKEN. Without tokens, it asks for a client's certificate: set scheduler.dashboard.tls.*, "
                "with .ca-file\n",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return await handler(request)

    return middleware
