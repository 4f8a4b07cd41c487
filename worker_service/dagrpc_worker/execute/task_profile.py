"""What a worker's time goes into."""

from __future__ import annotations

import sys
import threading
from types import FrameType

from dask.utils import key_split

from dagrpc import config
from dagrpc._profiling.history import ProfileHistory
from dagrpc._profiling.sampler import Sampler, loop_stack, process_sampler, stack_of
from dagrpc._profiling.trees import Profile
from dagrpc_worker.execute.call_stacks import user_part
from dagrpc_worker.execute.runner import TaskRunner
from dagrpc_worker.execute.task_context import TaskContext


class WorkerProfile:
    """Samples what tasks do in their threads, by prefix of their keys, and what the event loop does meanwhile.

    Parameters
    ----------
    runner : TaskRunner
        Runs the tasks.
    loop_thread : int
        The thread of the event loop.
    cycle : float
        How precisely times are told apart, in seconds.
    whole_stacks : bool
        Whether to keep the frames around a task's own code.
    """

    def __init__(self, runner: TaskRunner, loop_thread: int, cycle: float = 1.0, whole_stacks: bool = False) -> None:
        self.enabled = bool(config.get("worker.profile.enabled"))
        self.whole_stacks = whole_stacks
        self._runner = runner
        self._loop_thread = loop_thread
        self._tasks = ProfileHistory(cycle)
        self._loop = ProfileHistory(cycle)
        self._lock = threading.Lock()
        self._sampler: Sampler | None = None

    def start(self) -> None:
        """Begin, if profiles are wanted."""
        if self.enabled:
            self._sampler = process_sampler(config.get_seconds("worker.profile.interval") or 0.01)
            self._sampler.add(self)
            self._runner.sampler = self._sampler

    def stop(self) -> None:
        """Sample no more."""
        if self._sampler is not None:
            self._sampler.discard(self)

    def busy(self) -> bool:
        """Tell whether tasks run."""
        return self._runner.is_busy()

    def sample(self, now: float) -> None:
        """Look at what the tasks are at. Called by the sampler's thread."""
        contexts = self._runner.contexts()
        # After that: what is seen of a thread is of its task then, or of a later one, which shows.
        frames = sys._current_frames()
        # This thread's own frame refers to all of them: a cycle that would keep alive what the tasks have as locals.
        frames.pop(threading.get_ident(), None)
        with self._lock:
            for context in contexts:
                if not context.on_loop:
                    self._count(context, frames.get(context.thread), now)
            loop = loop_stack(frames.get(self._loop_thread))
            if loop:
                self._loop.add("", loop, now)

    def _count(self, context: TaskContext, frame: FrameType | None, now: float) -> None:
        stack = stack_of(frame)
        # A task that has ended since is not what its thread is at.
        if stack and not context.ended:
            self._tasks.add(key_split(context.key), stack if self.whole_stacks else user_part(stack), now)

    def tasks(self, prefix: str = "", start: float = 0.0, stop: float = 0.0) -> Profile:
        """Return what tasks spent their time on."""
        with self._lock:
            return self._tasks.get(prefix, start, stop)

    def loop(self, start: float = 0.0, stop: float = 0.0) -> Profile:
        """Return what the event loop spent its time on, while tasks ran."""
        with self._lock:
            return self._loop.get("", start, stop)
