"""How a worker's life can end."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class EndKind(enum.Enum):
    """How a worker's life can end."""

    CLOSED = "closed"
    """Somebody wanted it to."""
    RESTART = "restart"
    """The scheduler wants another in its place."""
    LOST = "lost"
    """The scheduler is gone."""
    CUT_OFF = "cut off"
    """The scheduler does not take it back, since it could not keep up."""
    FAILED = "failed"
    """A bug in the worker."""


@dataclass(frozen=True, slots=True)
class End:
    """How a worker's life ended."""

    kind: EndKind
    reason: str
