"""The identity of a scheduler: its id, its address and the time of its start."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field


@dataclass(slots=True)
class Identity:
    """The facts that a scheduler introduces itself with."""

    id: str = field(default_factory=lambda: f"Scheduler-{uuid.uuid4()}")
    started: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    address: str = ""
    """``host:port``; empty until the scheduler listens."""
    services: dict[str, int] = field(default_factory=dict)
    """Other services of the scheduler, with their ports."""
    http_prefix: str = ""
    """Path in front of all pages of the HTTP port, such as ``"/some/where"``; empty: none."""
