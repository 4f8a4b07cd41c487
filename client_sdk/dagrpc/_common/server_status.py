"""What a server or a cluster is doing, in one word."""

from __future__ import annotations

import enum


class Status(enum.StrEnum):
    """What a server, a worker or a cluster is doing at the moment.

    Each is equal to its name as a string, too.

    Examples
    --------
    >>> Status.running == "running"
    True
    >>> Status["closing_gracefully"]
    <Status.closing_gracefully: 'closing_gracefully'>
    """

    undefined = "undefined"
    created = "created"
    init = "init"
    starting = "starting"
    running = "running"
    paused = "paused"
    stopping = "stopping"
    stopped = "stopped"
    closing = "closing"
    closing_gracefully = "closing_gracefully"
    closed = "closed"
    failed = "failed"
    dont_reply = "dont_reply"


ANY_RUNNING = frozenset({Status.running, Status.paused, Status.closing_gracefully})
"""Those in which a worker runs tasks."""
