"""Samples the stacks of other threads at an interval, in a thread that sleeps while they are idle."""

from __future__ import annotations

import logging
import threading
import time
from types import FrameType
from typing import Protocol

from dagrpc._process.fork_locks import free_in_children

logger = logging.getLogger("dagrpc.profile")

_QUIET = 10
"""Number of idle intervals after which the thread goes to sleep."""
_SELECTORS = ("selectors.py", "select.py")
"""Files of the functions in which an idle event loop waits."""
_HANDLES = ("asyncio/events.py", "asyncio\\events.py")
"""The file of the innermost frame of asyncio's loop while it runs a callback."""
_RUNNERS = ("asyncio/runners.py", "asyncio\\runners.py", "dagrpc/_loop/io_loop.py", "dagrpc\\_loop\\io_loop.py")
"""Files of functions that run a loop. uvloop has no frames between theirs and the frames of the callback."""


class Subject(Protocol):
    """An object whose threads are sampled."""

    def busy(self) -> bool:
        """Return whether any thread of the subject is busy."""

    def sample(self, now: float) -> None:
        """Take a sample of the busy threads."""


class Sampler:
    """Samples the threads of this process for its subjects.

    A process has one sampler for all subjects. The sampler sleeps while no subject is busy, until it is woken.

    Parameters
    ----------
    interval : float
        Seconds between two samples.

    Attributes
    ----------
    asleep : bool
        Whether the sampler must be woken. A subject checks this when it becomes busy.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self.asleep = True
        self._subjects: tuple[Subject, ...] = ()
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, subject: Subject) -> None:
        """Add a subject, and wake the sampler."""
        with self._lock:
            self._subjects = (*self._subjects, subject)
        self.wake()

    def discard(self, subject: Subject) -> None:
        """Remove a subject."""
        with self._lock:
            self._subjects = tuple(each for each in self._subjects if each is not subject)

    def wake(self) -> None:
        """Start to sample. May be called from any thread."""
        self.asleep = False
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="dagrpc-profile", daemon=True)
                    self._thread.start()
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            self._watch()
            self.asleep = True
            # A subject that became busy just now may have found the sampler awake.
            if self._busy():
                self.wake()

    def _watch(self) -> None:
        quiet = 0
        while quiet < _QUIET:
            time.sleep(self.interval)
            if self._busy():
                quiet = 0
                self._sample()
            else:
                quiet += 1

    def _busy(self) -> bool:
        return any(subject.busy() for subject in self._subjects)

    def _sample(self) -> None:
        now = time.time()
        for subject in self._subjects:
            try:
                subject.sample(now)
            except Exception:
                logger.exception("A sample of %r failed", subject)


_process_sampler: list[Sampler] = []
_process_lock = free_in_children(threading.Lock())


def process_sampler(interval: float) -> Sampler:
    """Return the sampler of this process, which has the interval of the first call."""
    with _process_lock:
        if not _process_sampler:
            _process_sampler.append(Sampler(interval))
        return _process_sampler[0]


def stack_of(frame: FrameType | None) -> list[FrameType]:
    """Return the stack that ends with a frame, outermost frame first."""
    stack: list[FrameType] = []
    while frame is not None:
        stack.append(frame)
        frame = frame.f_back
    stack.reverse()
    return stack


def loop_stack(frame: FrameType | None) -> list[FrameType]:
    """Return the stack of the callback that an event loop runs, given the innermost frame of the loop's thread.

    Frames of the loop itself are left out, so the stack of a waiting loop is empty.
    """
    if frame is None or frame.f_code.co_filename.endswith(_SELECTORS):
        return []
    stack = stack_of(frame)
    running = -1
    for position, each in enumerate(stack):
        if each.f_code.co_filename.endswith(_HANDLES):
            return stack[position + 1 :] or stack[-1:]
        if each.f_code.co_filename.endswith(_RUNNERS):
            running = position
    return stack[running + 1 :]
