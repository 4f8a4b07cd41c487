"""The states of servers and clusters."""

from __future__ import annotations

import enum


class Status(enum.StrEnum):
    """The state of a server, a worker or a cluster.

    A member also equals its name as a string.

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
"""The states in which a worker runs tasks."""
