"""The ways in which a worker ends."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class EndKind(enum.Enum):
    """A way in which a worker ends."""

    CLOSED = "closed"
    """The worker was told to close."""
    RESTART = "restart"
    """The scheduler wants another worker in this one's place."""
    LOST = "lost"
    """The scheduler is gone."""
    CUT_OFF = "cut off"
    """The scheduler has disconnected the worker because it could not keep up."""
    FAILED = "failed"
    """An internal error of the worker."""


@dataclass(frozen=True, slots=True)
class End:
    """The end of a worker."""

    kind: EndKind
    reason: str
