"""Which pages may show those of an HTTP port in a frame, as JupyterLab does.

A page of another site could lay a frame over its own buttons, to have clicks land where the user does not see them.
Servers of the same machine, and of the host by which the port is called, do not belong to other sites.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

SETTING = "http.frame-ancestors"
_OWN = ("localhost", "127.0.0.1")
_SOURCE = re.compile(r"[^\s;,'\"]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+")


def checked_sources(names: Iterable[str]) -> tuple[str, ...]:
    """Return the configured origins.

    Raises
    ------
    ValueError
        If one of them cannot stand in the header.
    """
    found = tuple(names)
    for name in found:
        if not isinstance(name, str) or not _SOURCE.fullmatch(name):
            raise ValueError(f"{name!r} in {SETTING} is not an origin such as 'https://jupyter.example.org'")
    return found


def frame_ancestors(host: str, allowed: Iterable[str] = ()) -> str:
    """Return the directive of the header Content-Security-Policy.

    Parameters
    ----------
    host : str
        The header ``Host`` of the request.
    allowed : iterable of str
        Origins beyond those of the host and of this machine; ``"*"`` allows all.

    Examples
    --------
    >>> frame_ancestors("127.0.0.1:8787")
    "frame-ancestors 'self' http://localhost:* https://localhost:* http://127.0.0.1:* https://127.0.0.1:*"
    """
    name = host.rpartition(":")[0] or host
    # Addresses of IPv6 cannot stand in this header.
    hosts = dict.fromkeys([*_OWN, *([name] if _HOST.fullmatch(name) else [])])
    own = [f"{scheme}://{each}:*" for each in hosts for scheme in ("http", "https")]
    return " ".join(["frame-ancestors 'self'", *own, *allowed])
