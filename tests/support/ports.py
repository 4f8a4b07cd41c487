"""Ports for processes that are started later."""

from __future__ import annotations

import random
import socket

_FIRST, _LAST = 10_000, 32_000
"""Below those that systems give to connections: one of these would be somebody's before the process is there."""


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody gets who does not ask for it by its number."""
    while True:
        port = random.randrange(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
