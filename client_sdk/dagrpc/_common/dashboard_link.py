"""The link to a scheduler's pages, as the setting ``dashboard.link`` writes it."""

from __future__ import annotations

import os

from dagrpc import config
from dagrpc._common.addresses import split_address

_DEFAULT = "{scheme}://{host}:{port}/status"
"""The template of distributed's and of dagrpc's default settings, which does not know of prefixes."""


def dashboard_link(address: str, port: int | None, prefix: str = "") -> str | None:
    """Return the link to the pages of a scheduler; None if it has no HTTP port.

    Parameters
    ----------
    address : str
        The scheduler's address; its host is that of the link.
    port : int or None
        The scheduler's HTTP port.
    prefix : str
        Path in front of the scheduler's pages, such as ``"/some/where"``; empty: none. It is part of the link unless a
        template was configured that does not name it.

    Raises
    ------
    ValueError
        If the setting has a field that is neither scheme, host, port or prefix nor an environment variable.

    Examples
    --------
    >>> dashboard_link("127.0.0.1:8786", 8787)
    'http://127.0.0.1:8787/status'
    >>> dashboard_link("127.0.0.1:8786", 8787, "/some/where")
    'http://127.0.0.1:8787/some/where/status'
    """
    if not port:
        return None
    host, _ = split_address(address)
    template = str(config.get("dashboard.link"))
    if template == _DEFAULT:
        template = "{scheme}://{host}:{port}{prefix}/status"
    scheme = "https" if config.get("scheduler.dashboard.tls.cert") else "http"
    place = {"scheme": scheme, "host": f"[{host}]" if ":" in host else host, "port": str(port), "prefix": prefix}
    fields = {**os.environ, **place}
    try:
        return template.format_map(fields)
    except (KeyError, IndexError) as error:
        raise ValueError(f"dashboard.link is {template!r}, and there is no environment variable {error}") from None
