"""Statistical profiles of a worker's tasks and of its event loop."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from types import FrameType

from dask.utils import key_split

from dagrpc import config
from dagrpc._profiling.history import ProfileHistory
from dagrpc._profiling.sampler import Sampler, loop_stack, process_sampler, stack_of
from dagrpc._profiling.thread_frames import read_frames
from dagrpc._profiling.trees import Profile
from dagrpc_worker.execute.call_stacks import user_part
from dagrpc_worker.execute.runner import TaskRunner
from dagrpc_worker.execute.task_context import TaskContext


class WorkerProfile:
    """Samples the stacks of running tasks, by prefix of their keys, and of the event loop while tasks run.

    Parameters
    ----------
    loop_thread : int
        The thread of the event loop.
    cycle : float
        Resolution of the profiles in time, in seconds.
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
        """Start sampling, unless profiles are switched off."""
        if self.enabled:
            self._sampler = process_sampler(config.get_seconds("worker.profile.interval") or 0.01)
            self._sampler.add(self)
            self._runner.sampler = self._sampler

    def stop(self) -> None:
        """Stop sampling."""
        if self._sampler is not None:
            self._sampler.discard(self)

    def busy(self) -> bool:
        """Return whether tasks run."""
        return self._runner.is_busy()

    def sample(self, now: float) -> None:
        """Sample the stacks of all running tasks. Called by the sampler's thread."""
        contexts = self._runner.contexts()
        # Frames are read after the contexts: a frame belongs to the thread's task of then, or to a later task.
        read_frames(lambda frames: self._count_all(contexts, frames, now))

    def _count_all(self, contexts: Collection[TaskContext], frames: Mapping[int, FrameType], now: float) -> None:
        with self._lock:
            for context in contexts:
                if not context.on_loop:
                    self._count(context, frames.get(context.thread), now)
            loop = loop_stack(frames.get(self._loop_thread))
            if loop:
                self._loop.add("", loop, now)

    def _count(self, context: TaskContext, frame: FrameType | None, now: float) -> None:
        stack = stack_of(frame)
        # If the task has ended meanwhile, the frame belongs to another task.
        if stack and not context.ended:
            self._tasks.add(key_split(context.key), stack if self.whole_stacks else user_part(stack), now)

    def tasks(self, prefix: str = "", start: float = 0.0, stop: float = 0.0) -> Profile:
        """Return the profile of the tasks of a prefix between two times."""
        with self._lock:
            return self._tasks.get(prefix, start, stop)

    def loop(self, start: float = 0.0, stop: float = 0.0) -> Profile:
        """Return the profile of the event loop, while tasks ran, between two times."""
        with self._lock:
            return self._loop.get("", start, stop)
