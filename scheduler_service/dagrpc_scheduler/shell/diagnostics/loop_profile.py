"""A profile of the scheduler's event loop."""

from __future__ import annotations

import threading
from types import FrameType

from dagrpc import config
from dagrpc._profiling.history import ProfileHistory
from dagrpc._profiling.sampler import Sampler, loop_stack, process_sampler
from dagrpc._profiling.thread_frames import read_frames
from dagrpc._profiling.trees import Profile

_PATIENCE = 600.0
"""Seconds after the last request until sampling ends."""


class LoopProfile:
    """Samples the scheduler's event loop from the first request on, until there were no requests for long."""

    def __init__(self) -> None:
        self._thread = 0
        self._history = ProfileHistory(config.get_seconds("worker.profile.cycle") or 1.0)
        self._lock = threading.Lock()
        self._sampler: Sampler | None = None
        self._asked = 0.0

    def busy(self) -> bool:
        """Tell whether the loop is being sampled."""
        return self._sampler is not None

    def sample(self, now: float) -> None:
        """Take a sample; called by the sampler's thread."""
        if now - self._asked > _PATIENCE:
            self.stop()
            return
        read_frames(lambda frames: self._count(frames.get(self._thread), now))

    def _count(self, frame: FrameType | None, now: float) -> None:
        stack = loop_stack(frame)
        if stack:
            with self._lock:
                self._history.add("", stack, now)

    def ask(self, now: float) -> None:
        """Note a request, on the loop, and start sampling."""
        self._asked = now
        self._thread = threading.get_ident()
        if self._sampler is None and config.get("worker.profile.enabled"):
            self._sampler = process_sampler(config.get_seconds("worker.profile.interval") or 0.01)
            self._sampler.add(self)

    def get(self, start: float = 0.0, stop: float = 0.0) -> Profile:
        """Return the profile of a period."""
        with self._lock:
            return self._history.get("", start, stop)

    def stop(self) -> None:
        """Stop sampling."""
        sampler, self._sampler = self._sampler, None
        if sampler is not None:
            sampler.discard(self)
