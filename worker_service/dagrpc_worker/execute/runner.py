"""Runs tasks: from the work as it came to the result in the store and an event for the core."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from threading import get_ident
from time import time
from types import CoroutineType
from typing import Any, Protocol

import dask._task_spec

from dagrpc._codec import payload, unpickling
from dagrpc._codec import tasks as task_codec
from dagrpc._codec.failures import encode_failure, type_name
from dagrpc._codec.shared_store import SharedStore, SharedValueGone
from dagrpc._codec.tracebacks import frames_in, innermost_line, without_first
from dagrpc._codec.unpickling import with_unpickle_lock
from dagrpc._common import running_task
from dagrpc._common.bytes_like import Buffer
from dagrpc._profiling.sampler import Sampler
from dagrpc.exceptions import Reschedule, TaskTimeout
from dagrpc.v1 import failure_pb2
from dagrpc_worker.core import events
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.execute import interrupts, task_context
from dagrpc_worker.execute.executors import ThreadPool
from dagrpc_worker.execute.named_functions import load_call
from dagrpc_worker.execute.result_size import measure
from dagrpc_worker.execute.task_context import TaskContext
from dagrpc_worker.execute.task_recorder import Recorder
from dagrpc_worker.execute.task_span import enter_span
from dagrpc_worker.execute.work import PythonTask, Work
from dagrpc_worker.exits import ExitCode, end_at_once

logger = logging.getLogger("dagrpc.worker")

_LOGGED = 200
"""Characters of an error's message that go to the log; the caller gets all of it."""

_Callee = tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]

# Tracebacks begin where the user's code does: frames of these files come before it.
_OWN_FILES = frozenset(
    (__file__, interrupts.__file__, task_codec.__file__, unpickling.__file__, dask._task_spec.__file__)
)
_TIMEOUT = failure_pb2.FAILURE_KIND_TIMEOUT
_AGAIN = 0.05
"""Seconds: much longer than a thread needs to begin with a task that it took up."""


@dataclass(slots=True)
class Job:
    """A task on its way through a pool of threads."""

    key: str
    run_id: int
    work: Work
    dependencies: Sequence[str] = ()
    """Keys of the results that it uses, all of them in the store."""
    actor: bool = False
    executor: str = ""
    annotations: str = ""
    timeout: float = 0.0
    """Seconds that it may run; 0: no limit."""
    pool: Any = None
    """The pool that it was given to; its name may mean another one by now."""


class ActorHolder(Protocol):
    """Holds the results that are actors."""

    instances: dict[str, Any]
    """By key."""

    def adopt(self, key: str, instance: Any) -> Any:
        """Hold an actor, and return what is to stand for it."""

    def as_argument(self, value: Any, hold: bool) -> Any:
        """Return what a task is to get as a value, if that may stand for an actor."""

    def drop(self, keys: Iterable[str]) -> None:
        """Hold actors no longer."""


class TaskRunner:
    """Runs tasks in pools of threads, and those that are coroutines on the event loop.

    Parameters
    ----------
    nthreads : int
        Size of the default pool.
    store : DataStore
        Where results are and go.
    shared : SharedStore
        The shared values that tasks refer to.
    post : callable
        Takes the event that ends a run. Called from any thread.
    run_on_loop : callable
        Takes a coroutine to run on the event loop. Called from any thread.
    executors : mapping, optional
        Sizes of named pools. Tasks that ask for another one fail.
    owner : optional
        What tasks are to see as their worker.
    """

    def __init__(
        self,
        nthreads: int,
        store: DataStore,
        shared: SharedStore,
        post: Callable[[events.Event], None],
        run_on_loop: Callable[[Coroutine[Any, Any, None]], None],
        executors: Mapping[str, int] | None = None,
        owner: Any = None,
        name: str = "",
    ) -> None:
        self.owner = owner
        self.address = ""
        """The worker's, for those who are told of failures."""
        self.inline_limit = 0
        """Results up to this many bytes are encoded at once and ride in the report."""
        self._store = store
        self._shared = shared
        self._post = post
        self._run_on_loop = run_on_loop
        self._sizes = dict(executors or {})
        self._prefix = f"dagrpc-task-{name}" if name else "dagrpc-task"
        self._default = ThreadPool(self._prefix, nthreads, self.work)
        self._pools: dict[str, Any] = {"": self._default}
        self._former_pools: list[Any] = []
        """Those whose names mean others by now: what they were given runs on, and they may come back."""
        # Who takes a job out of here owns it: a thread that runs it, or the loop that withdraws it.
        self._queued: dict[tuple[str, int], Job] = {}
        self._executing: dict[tuple[str, int], TaskContext] = {}
        self.actors: ActorHolder | None = None
        """Who holds the results that are actors."""
        self.sampler: Sampler | None = None
        """Whom to wake when tasks run."""
        self.recorder = Recorder()
        """Who notes what ran, if somebody wants to know."""

    # --- on the loop ---------------------------------------------------------------------------------------------

    def submit(self, job: Job) -> None:
        """Queue a task for its pool."""
        self._queued[job.key, job.run_id] = job
        pool = self._pools.get(job.executor)
        if pool is None:
            if job.executor not in self._sizes:
                self._refuse(job)
                return
            pool = self.add_pool(job.executor, self.work)
        job.pool = pool
        pool.submit(job)

    def _refuse(self, job: Job) -> None:
        """Fail a task that asks for a pool which is not here."""
        if self._queued.pop((job.key, job.run_id), None) is not None:
            names = ", ".join(sorted({*self.pools, *self._sizes}))
            error = ValueError(f"Invalid executor {job.executor!r}; expected one of: {names}")
            self._post(self._failed(job, error, 0.0))

    def use_pool(self, name: str, pool: Any) -> None:
        """Have tasks that ask for a pool of this name, empty for those that ask for none, run in another one."""
        former = self._pools.get(name)
        if former is not None and former not in self._former_pools:
            self._former_pools.append(former)
        self._pools[name] = pool

    def own_pool(self, executor: Any) -> Any:
        """Return the pool of this runner that is known under an executor; None if it is another's."""
        pools = (*self._pools.values(), *self._former_pools)
        return next((pool for pool in pools if pool.executor is executor), None)

    def drop_pool(self, name: str) -> None:
        """Have tasks that ask for a pool of this name fail from now on. What it was given already runs on."""
        self._former_pools.append(self._pools.pop(name))
        self._sizes.pop(name, None)

    def add_pool(self, name: str, work: Callable[[Any], None]) -> ThreadPool:
        """Return a new pool of threads. What runs in it that is a `Job` must be given to `work` of this runner."""
        pool = ThreadPool(f"{self._prefix}-{name}", self._sizes.get(name, 1), work)
        self._pools[name] = pool
        return pool

    def cancel(self, key: str, run_id: int) -> None:
        """Take a task back if no thread has begun with it."""
        if self._queued.pop((key, run_id), None) is not None:
            self._post(events.ExecuteSkipped(key, run_id))
        elif (context := self._executing.get((key, run_id))) is not None:
            context.cancelled = True

    def reclaim(self, key: str, run_id: int) -> None:
        """Take a task back if no thread has begun with it, or tell that one has."""
        if self._queued.pop((key, run_id), None) is not None:
            self._post(events.ExecuteSkipped(key, run_id))
        else:
            self._post(events.ExecuteKept(key, run_id))

    def interrupt(self, key: str, run_id: int, limit: float, again: bool = True) -> None:
        """Break a running task off, as far as that can be done. `limit`: how long it may run; 0: it was cancelled."""
        context = self._executing.get((key, run_id))
        if context is None:
            if again:
                # It has ended, or a thread is just about to begin with it.
                asyncio.get_running_loop().call_later(_AGAIN, self.interrupt, key, run_id, limit, False)
        elif interrupts.interrupt(context, limit) and limit:
            self._post(events.ExecuteInterrupted(key, run_id))

    def detach(self, key: str, run_id: int, replace: bool) -> None:
        """Let a task that cannot be broken off run on; with `replace`, another thread takes the place of its own."""
        context = self._executing.get((key, run_id))
        if context is None:
            return
        if replace and context.thread and not context.on_loop:
            replace = bool(context.job.pool.detach(context.thread))
        logger.warning(
            "Task %s was told that its time is up and goes on: it counts as failed%s",
            key,
            ", and another thread takes its place" if replace else "",
        )

    def pool(self, name: str) -> Any:
        """Return the pool of a name; None if there is none."""
        return self._pools.get(name)

    @property
    def pools(self) -> dict[str, ThreadPool]:
        """The pools of threads by name."""
        return {name or "default": pool for name, pool in self._pools.items()}

    @property
    def waiting(self) -> int:
        """How many tasks wait for a thread of the default pool."""
        return self._default.queue.qsize()

    def executing(self) -> dict[str, float]:
        """Return since when each task runs, in seconds since the epoch, by key."""
        return {context.key: context.started for context in self.contexts()}

    def contexts(self) -> list[TaskContext]:
        """Return the tasks that run. From any thread."""
        return list(self._executing.values())

    def context(self, job: Job) -> TaskContext | None:
        """Return a task's context while it runs."""
        return self._executing.get((job.key, job.run_id))

    def is_busy(self) -> bool:
        """Tell whether a task runs. From any thread."""
        return bool(self._executing)

    def close(self) -> None:
        """Take nothing more. Tasks that run are left to themselves."""
        self._queued.clear()
        for pool in (*self._pools.values(), *self._former_pools):
            pool.close()

    # --- in the task's thread ------------------------------------------------------------------------------------

    def work(self, job: Job, call: Callable[..., Any] | None = None) -> None:
        """Run a task. `call` is what calls its function with its arguments, elsewhere maybe."""
        identity = (job.key, job.run_id)
        if self._queued.pop(identity, None) is None:
            return
        start = time()
        current = self._executing[identity] = TaskContext(job, self, start, thread=get_ident())
        if self.sampler is not None and self.sampler.asleep:
            self.sampler.wake()
        # A context of its own: what a task sets must not be seen by the next one in this thread.
        context = copy_context()
        context.run(task_context.current.set, current)
        try:
            # In it, too: futures among the arguments find the client by it.
            function, args, kwargs = context.run(self._load, job)
        except SharedValueGone as error:
            self._run_on_loop(self._end_without_value(job, current, error))
            return
        except BaseException as error:
            self._end_unloaded(job, error)
            return
        context.run(enter_span, job.annotations)
        if self.recorder.on:
            current.loaded = time()
        try:
            if job.timeout:
                self._post(events.ExecuteStarted(job.key, job.run_id, time()))
            if call is not None:
                # What calls it elsewhere says how to break it off; an exception could hit the user's executor.
                current.escape = _not_yet
            current.open = True
            try:
                if current.interruption is not None:
                    interrupts.begin(current.interruption)
                if call is None:
                    result = context.run(function, *args, **kwargs)
                else:
                    result = context.run(call, function, args, kwargs)
            finally:
                # In this order, see `interrupts`.
                current.open = False
                if current.interruption is not None:
                    interrupts.end(current.interruption)
                if current.at_end is not None:
                    current.call_at_end()
            if current.interruption is not None:
                interrupts.check(current.interruption)
            if type(result) is CoroutineType:
                # This thread goes on to something else.
                current.thread = 0
                self._run_on_loop(self._await(job, result, start))
                return
            # They may be large, and storing the result may wait until there is room.
            del function, args, kwargs
            event = self._succeeded(job, result, start)
        # SystemExit and KeyboardInterrupt too: nothing else would tell of the task.
        except BaseException as error:
            event = self._ended(job, current, error, start)
        self._executing.pop(identity, None)
        self._post(event)

    async def _end_without_value(self, job: Job, context: TaskContext, error: Exception) -> None:
        """End a task whose function is gone: it was cancelled meanwhile, of which the loop knows by now."""
        if not context.cancelled:
            self._end_unloaded(job, error)
            return
        self._executing.pop((job.key, job.run_id), None)
        self._post(events.ExecuteSkipped(job.key, job.run_id))

    def _end_unloaded(self, job: Job, error: BaseException) -> None:
        """End a task that could not be loaded."""
        event = self._failed(job, error, 0.0, failure_pb2.FAILURE_KIND_DESERIALIZATION)
        self._executing.pop((job.key, job.run_id), None)
        self._post(event)

    def _ended(self, job: Job, context: TaskContext, error: BaseException, start: float) -> events.Event:
        """Tell of a task that did not come to a result: it failed, or was broken off."""
        interruption = context.interruption
        if interruption is None or not interruption.sent:
            if isinstance(error, (SystemExit, KeyboardInterrupt)) and running_task.is_workers_own():
                # As anywhere else: the process ends, with all that it does. The scheduler counts who died of the task.
                logger.error("Task %s raised %r: the worker ends", job.key, error, exc_info=error)
                end_at_once(ExitCode.TASK)
            return self._failed(job, error, start)
        if not interruption.limit:
            logger.info("Task %s was broken off: it was cancelled", job.key)
            return events.ExecuteSkipped(job.key, job.run_id)
        timeout = TaskTimeout(job.key, interruption.limit, self.address)
        return self._failed(job, timeout.with_traceback(error.__traceback__), start, _TIMEOUT)

    async def _await(self, job: Job, coroutine: Coroutine[Any, Any, Any], start: float) -> None:
        """Run a task that is a coroutine."""
        context = TaskContext(job, self, start, on_loop=True, thread=get_ident(), coroutine=coroutine, loaded=start)
        before = self._executing.get((job.key, job.run_id))
        # It may have been told to stop between its thread and here.
        context.interruption = before.interruption if before is not None else None
        self._executing[job.key, job.run_id] = context
        task_context.current.set(context)
        enter_span(job.annotations)
        current = asyncio.current_task()
        assert current is not None
        context.escape = current.cancel
        event: events.Event
        try:
            if context.interruption is not None:
                coroutine.close()
                interrupts.begin(context.interruption)
            context.open = True
            try:
                result = await coroutine
            finally:
                context.open = False
                if context.at_end is not None:
                    context.call_at_end()
            if context.interruption is not None:
                interrupts.check(context.interruption)
            # Measuring and encoding may take long, and may be anybody's code.
            event = await asyncio.to_thread(self._succeeded, job, result, start)
        # All of them: an exit that gets past here would end the loop.
        except BaseException as error:
            if context.interruption is not None and context.interruption.sent:
                current.uncancel()
            if isinstance(error, asyncio.CancelledError) and current.cancelling():
                # The worker closes.
                raise
            event = self._ended(job, context, error, start)
        finally:
            self._executing.pop((job.key, job.run_id), None)
        self._post(event)

    def _load(self, job: Job) -> _Callee:
        store = self._store
        results = {key: store[key] for key in job.dependencies}
        if self.actors is not None and (job.actor or self.actors.instances):
            # An actor may keep what it is given.
            results = {key: self.actors.as_argument(value, job.actor) for key, value in results.items()}
        work = job.work
        if type(work) is PythonTask:
            try:
                return with_unpickle_lock(task_codec.load_task, work.run_spec, work.shared, self._shared, results)
            except SharedValueGone:
                raise
            except BaseException as error:
                raise self._not_loaded(job, error) from error
        return with_unpickle_lock(load_call, work, results)  # type: ignore[arg-type]

    def _not_loaded(self, job: Job, error: BaseException) -> RuntimeError:
        """Return what tells of a function or an argument that cannot be unpickled."""
        error.__traceback__ = without_first(error.__traceback__, _own_frames(error))
        return RuntimeError(
            f"Deserialization of task {job.key!r} failed on worker {self.address}: {type(error).__name__}: {error}\n"
            "Its function or an argument cannot be unpickled there. Often the environment of the workers differs "
            "from the client's."
        )

    def _succeeded(self, job: Job, result: Any, start: float) -> events.Event:
        """Store a result and tell of it."""
        stop = time()
        result_type = type(result)
        nbytes, kind = measure(result), type_name(result_type)
        if job.actor and self.actors is not None:
            result = self.actors.adopt(job.key, result)
            encoded = self._encode_small(result)
        else:
            encoded = self._encode_small(result) if nbytes <= self.inline_limit and not job.actor else None
        # What the store has of an actor, and could move elsewhere, is the proxy.
        if self._store.put(job.key, result, measure(result) if job.actor else nbytes):
            # Here, so that results do not come faster than they can be written.
            self._store.make_room()
        if self.recorder.on:
            self.recorder.task(self.context(job), job.dependencies, stop, nbytes, kind, result_type=result_type)
        return events.ExecuteSucceeded(job.key, job.run_id, nbytes, kind, start, stop, encoded)

    def _encode_small(self, result: Any) -> tuple[str, list[Buffer]] | None:
        """Return encoding and frames of a result if these are small, too."""
        try:
            encoding, frames = payload.encode(result)
        except Exception:
            # The result stays here, where other tasks can use it; who fetches it is told why that cannot be.
            logger.debug("A result of type %s cannot be encoded", type(result).__name__, exc_info=True)
            return None
        return (encoding, frames) if sum(map(len, frames)) <= self.inline_limit else None

    def _failed(
        self,
        job: Job,
        error: BaseException,
        start: float,
        kind: failure_pb2.FailureKind = failure_pb2.FAILURE_KIND_APPLICATION,
    ) -> events.Event:
        """Tell of an error."""
        if isinstance(error, Reschedule):
            return events.ExecuteRescheduled(job.key, job.run_id)
        failure = encode_failure(error, kind, skip_frames=_own_frames(error))
        failure.origin_key, failure.worker = job.key, self.address
        told = f"{failure.type_name}: {failure.message[:_LOGGED]}"
        logger.warning("Task %s failed: %s%s", job.key, told, innermost_line(error.__traceback__))
        # An instance that is raised again, by another task, would bring this run's frames along.
        error.__traceback__ = None
        stop = time()
        if self.recorder.on:
            self.recorder.task(self.context(job), job.dependencies, stop, error=told)
        return events.ExecuteFailed(job.key, job.run_id, failure, start, stop)

    # --- called by tasks -----------------------------------------------------------------------------------------

    def secede(self, context: TaskContext) -> bool:
        """Let a task's thread leave its pool. Return whether it was in there."""

        def on_leave() -> None:
            # Once for each run: its place was given away for good.
            if not context.seceded:
                context.seceded = True
                job = context.job
                self._post(events.TaskSeceded(job.key, job.run_id, time() - context.started))

        if context.on_loop:
            on_leave()
            return False
        return bool(context.job.pool.secede(on_leave))

    def rejoin(self, context: TaskContext) -> None:
        """Let a task's thread come back into its pool."""
        if not context.on_loop:
            context.job.pool.rejoin()


def _not_yet() -> None:
    """Break nothing off: who sets something else in place of this finds that something was to be broken off."""


def _own_frames(error: BaseException) -> int:
    """Return how many of the outermost frames of a traceback are the worker's own."""
    return frames_in(error.__traceback__, _OWN_FILES)
