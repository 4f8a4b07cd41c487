"""What the scheduler's own time goes into."""

from __future__ import annotations

import sys
import threading

from dagrpc import config
from dagrpc._profiling.history import ProfileHistory
from dagrpc._profiling.sampler import Sampler, loop_stack, process_sampler
from dagrpc._profiling.trees import Profile

_PATIENCE = 600.0
"""Seconds after which it ends unless somebody asks."""


class LoopProfile:
    """Samples what the scheduler's event loop does, from when somebody first asks until nobody has asked for long."""

    def __init__(self) -> None:
        self._thread = 0
        self._history = ProfileHistory(config.get_seconds("worker.profile.cycle") or 1.0)
        self._lock = threading.Lock()
        self._sampler: Sampler | None = None
        self._asked = 0.0

    def busy(self) -> bool:
        """Tell whether somebody wants to know."""
        return self._sampler is not None

    def sample(self, now: float) -> None:
        """Look at what the loop is at. Called by the sampler's thread."""
        if now - self._asked > _PATIENCE:
            self.stop()
            return
        stack = loop_stack(sys._current_frames().get(self._thread))
        if stack:
            with self._lock:
                self._history.add("", stack, now)

    def ask(self, now: float) -> None:
        """Have it sampled from now on. On the loop."""
        self._asked = now
        self._thread = threading.get_ident()
        if self._sampler is None and config.get("worker.profile.enabled"):
            self._sampler = process_sampler(config.get_seconds("worker.profile.interval") or 0.01)
            self._sampler.add(self)

    def get(self, start: float = 0.0, stop: float = 0.0) -> Profile:
        """Return what the loop spent its time on."""
        with self._lock:
            return self._history.get("", start, stop)

    def stop(self) -> None:
        """Sample no more."""
        sampler, self._sampler = self._sampler, None
        if sampler is not None:
            sampler.discard(self)
