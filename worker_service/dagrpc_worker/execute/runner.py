"""Runs tasks: takes each `Execute` of the core through a thread, to a result in the store and an event for the core."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import copy_context
from threading import get_ident
from time import time
from types import CoroutineType
from typing import Any

import dask._task_spec

from dagrpc._codec import payload, unpickling
from dagrpc._codec import run_specs as task_codec
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
from dagrpc_worker.core.instructions import Execute
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.execute import interrupts, task_context
from dagrpc_worker.execute.actor_holder import ActorHolder
from dagrpc_worker.execute.executors import ThreadPool
from dagrpc_worker.execute.named_functions import load_call, refuse_code_if_told
from dagrpc_worker.execute.result_size import measure
from dagrpc_worker.execute.task_context import TaskContext
from dagrpc_worker.execute.task_recorder import Recorder
from dagrpc_worker.execute.task_span import RunTraces, enter_span
from dagrpc_worker.execute.work import NamedCall, PythonTask
from dagrpc_worker.exits import ExitCode, end_at_once

logger = logging.getLogger("dagrpc.worker")

_LOGGED = 200
"""Characters of an error's message that go to the log; the client gets the whole message."""

_Callee = tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]

# Tracebacks begin with the user's code: the frames of these files come before it and are cut off.
_OWN_FILES = frozenset(
    (__file__, interrupts.__file__, task_codec.__file__, unpickling.__file__, dask._task_spec.__file__)
)
_TIMEOUT = failure_pb2.FAILURE_KIND_TIMEOUT
_AGAIN = 0.05
"""Seconds; much longer than a thread needs to begin with a task after taking it from the queue."""


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
        Takes the event that ends a run. Called from all threads.
    run_on_loop : callable
        Runs a coroutine on the event loop. Called from all threads.
    executors : mapping, optional
        Sizes of named pools. A task that asks for any other pool fails.
    owner : optional
        The object that tasks get as their worker.
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
        """The worker's address, which failures name."""
        self.inline_limit = 0
        """Results up to this size in bytes are encoded in the task's thread and sent in the report."""
        self._store = store
        self._shared = shared
        self._post = post
        self._run_on_loop = run_on_loop
        self._sizes = dict(executors or {})
        self._prefix = f"dagrpc-task-{name}" if name else "dagrpc-task"
        self._default = ThreadPool(self._prefix, nthreads, self.work)
        self._pools: dict[str, Any] = {"": self._default}
        self._former_pools: list[Any] = []
        """Replaced pools: the tasks they were given run on, and a pool may be put back under a name."""
        # The pool of each waiting task, by key and run. Whichever takes the entry out owns the task: the thread that
        # runs it, or the loop that cancels it.
        self._queued: dict[tuple[str, int], Any] = {}
        self._executing: dict[tuple[str, int], TaskContext] = {}
        self.actors: ActorHolder | None = None
        """Holds the results that are actors."""
        self.sampler: Sampler | None = None
        """Sleeps while no task runs, and is woken by the next one."""
        self.recorder = Recorder()
        """Records the tasks that ran, while a client or a plugin asks for records."""
        self.traces: RunTraces | None = None
        """Makes spans for OpenTelemetry, if tracing is switched on."""

    def trace(self, traces: RunTraces) -> None:
        """Make spans of all runs from now on."""
        self.traces, self._post = traces, traces.watching(self._post)

    # --- on the loop ---------------------------------------------------------------------------------------------

    def submit(self, task: Execute) -> None:
        """Queue a task for its pool."""
        pool = self._pools.get(task.executor)
        if pool is None:
            if task.executor not in self._sizes:
                self._refuse(task)
                return
            pool = self.add_pool(task.executor, self.work)
        self._queued[task.key, task.run_id] = pool
        pool.submit(task)

    def _refuse(self, task: Execute) -> None:
        """Fail a task that asks for a pool which this worker does not have."""
        names = ", ".join(sorted({*self.pools, *self._sizes}))
        error = ValueError(f"Invalid executor {task.executor!r}; expected one of: {names}")
        if self.traces is not None:
            self.traces.begin(task, time())
        self._post(self._failed(task, error, 0.0))

    def use_pool(self, name: str, pool: Any) -> None:
        """Run tasks that name this executor in `pool` from now on. The empty name is the default executor's."""
        former = self._pools.get(name)
        if former is not None and former not in self._former_pools:
            self._former_pools.append(former)
        self._pools[name] = pool

    def own_pool(self, executor: Any) -> Any:
        """Return the pool of this runner whose executor is `executor`; None if there is none."""
        pools = (*self._pools.values(), *self._former_pools)
        return next((pool for pool in pools if pool.executor is executor), None)

    def drop_pool(self, name: str) -> None:
        """Remove a pool: tasks that ask for it fail from now on, and tasks that it was given run on."""
        self._former_pools.append(self._pools.pop(name))
        self._sizes.pop(name, None)

    def add_pool(self, name: str, work: Callable[[Any], None]) -> ThreadPool:
        """Add a pool of threads and return it. `work` must hand each `Execute` to this runner's `work`."""
        pool = ThreadPool(f"{self._prefix}-{name}", self._sizes.get(name, 1), work)
        self._pools[name] = pool
        return pool

    def cancel(self, key: str, run_id: int) -> None:
        """Cancel a task if no thread has begun with it."""
        if self._queued.pop((key, run_id), None) is not None:
            self._post(events.ExecuteSkipped(key, run_id))
        elif (context := self._executing.get((key, run_id))) is not None:
            context.cancelled = True

    def reclaim(self, key: str, run_id: int) -> None:
        """Give a task back to the core if no thread has begun with it; otherwise post that it is kept."""
        if self._queued.pop((key, run_id), None) is not None:
            self._post(events.ExecuteSkipped(key, run_id))
        else:
            self._post(events.ExecuteKept(key, run_id))

    def interrupt(self, key: str, run_id: int, limit: float, again: bool = True) -> None:
        """Interrupt a running task, as far as Python allows. `limit` is its timeout in seconds; 0: it is cancelled."""
        context = self._executing.get((key, run_id))
        if context is None:
            if again:
                # The task has ended, or a thread is about to begin with it.
                asyncio.get_running_loop().call_later(_AGAIN, self.interrupt, key, run_id, limit, False)
        elif interrupts.interrupt(context, limit) and limit:
            self._post(events.ExecuteInterrupted(key, run_id))

    def detach(self, key: str, run_id: int, replace: bool) -> None:
        """Leave a timed-out task running; with `replace`, a new thread takes the place of the task's thread."""
        context = self._executing.get((key, run_id))
        if context is None:
            return
        if replace and context.thread and not context.on_loop:
            replace = bool(context.pool.detach(context.thread))
        logger.warning(
            "Task %s did not stop after its timeout: it has failed, and its thread %s",
            key,
            "is replaced" if replace else "stays busy",
            extra={"key": key},
        )

    def pool(self, name: str) -> Any:
        """Return the pool of this name; None if there is none."""
        return self._pools.get(name)

    @property
    def pools(self) -> dict[str, ThreadPool]:
        """The pools of threads by name."""
        return {name or "default": pool for name, pool in self._pools.items()}

    @property
    def waiting(self) -> int:
        """Number of tasks that wait for a thread of the default pool."""
        return self._default.queue.qsize()

    def executing(self) -> dict[str, float]:
        """Return when each running task started, in seconds since the epoch, by key."""
        return {context.key: context.started for context in self.contexts()}

    def contexts(self) -> list[TaskContext]:
        """Return the contexts of the running tasks. From any thread."""
        return list(self._executing.values())

    def context(self, task: Execute) -> TaskContext | None:
        """Return the context of a running task; None if it does not run."""
        return self._executing.get((task.key, task.run_id))

    def is_busy(self) -> bool:
        """Return whether any task runs. From any thread."""
        return bool(self._executing)

    def close(self) -> None:
        """Drop the tasks that wait and close the pools. Running tasks are not stopped."""
        self._queued.clear()
        for pool in (*self._pools.values(), *self._former_pools):
            pool.close()

    # --- in the task's thread ------------------------------------------------------------------------------------

    def work(self, task: Execute, call: Callable[..., Any] | None = None) -> None:
        """Run a task in this thread. `call` calls its function with its arguments, for instance in another process."""
        identity = (task.key, task.run_id)
        pool = self._queued.pop(identity, None)
        if pool is None:
            return
        start = time()
        current = self._executing[identity] = TaskContext(task, self, start, pool, thread=get_ident())
        if self.sampler is not None and self.sampler.asleep:
            self.sampler.wake()
        # Each task has a context of its own: a variable that it sets must not be seen by the thread's next task.
        context = copy_context()
        try:
            # Arguments are unpickled inside the context: futures among them find the client by it.
            function, args, kwargs = context.run(self._enter, current)
        except SharedValueGone as error:
            self._run_on_loop(self._end_without_value(task, current, error))
            return
        except BaseException as error:
            self._end_unloaded(task, error)
            return
        if task.annotations:
            context.run(enter_span, task.annotations)
        current.loaded = time()
        try:
            if task.timeout:
                self._post(events.ExecuteStarted(task.key, task.run_id, time()))
            if call is not None:
                # `call` sets how to interrupt the function: an exception in this thread could hit the user's executor.
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
                # The order matters, see `interrupts`.
                current.open = False
                if current.interruption is not None:
                    interrupts.end(current.interruption)
                if current.at_end is not None:
                    current.call_at_end()
            if current.interruption is not None:
                interrupts.check(current.interruption)
            if type(result) is CoroutineType:
                # This thread takes the next task.
                current.thread = 0
                self._run_on_loop(self._await(task, result, start))
                return
            # The arguments may be large, and storing the result may wait until there is memory.
            del function, args, kwargs
            event = self._succeeded(task, result, start)
        # SystemExit and KeyboardInterrupt too: the task would never be reported otherwise.
        except BaseException as error:
            event = self._ended(task, current, error, start)
        self._executing.pop(identity, None)
        self._post(event)

    async def _end_without_value(self, task: Execute, context: TaskContext, error: Exception) -> None:
        """End a task whose function was freed. On the loop, which knows by now whether the task was cancelled."""
        if not context.cancelled:
            self._end_unloaded(task, error)
            return
        self._executing.pop((task.key, task.run_id), None)
        self._post(events.ExecuteSkipped(task.key, task.run_id))

    def _end_unloaded(self, task: Execute, error: BaseException) -> None:
        """End a task that could not be loaded."""
        event = self._failed(task, error, 0.0, failure_pb2.FAILURE_KIND_DESERIALIZATION)
        self._executing.pop((task.key, task.run_id), None)
        self._post(event)

    def _ended(self, task: Execute, context: TaskContext, error: BaseException, start: float) -> events.Event:
        """Return the event for a task that has no result: it failed, or it was interrupted."""
        interruption = context.interruption
        if interruption is None or not interruption.sent:
            if isinstance(error, (SystemExit, KeyboardInterrupt)) and running_task.is_workers_own():
                # As in any Python program, the process ends. The scheduler counts the workers that died of the task.
                logger.error(
                    "Task %s raised %r: worker %s exits",
                    task.key,
                    error,
                    self.address,
                    exc_info=error,
                    extra={"key": task.key},
                )
                end_at_once(ExitCode.TASK)
            return self._failed(task, error, start)
        if not interruption.limit:
            logger.info("Task %s was cancelled while it ran", task.key, extra={"key": task.key})
            return events.ExecuteSkipped(task.key, task.run_id)
        timeout = TaskTimeout(task.key, interruption.limit, self.address)
        return self._failed(task, timeout.with_traceback(error.__traceback__), start, _TIMEOUT)

    async def _await(self, task: Execute, coroutine: Coroutine[Any, Any, Any], start: float) -> None:
        """Run a task that is a coroutine."""
        context = TaskContext(task, self, start, on_loop=True, thread=get_ident(), coroutine=coroutine, loaded=start)
        before = self._executing.get((task.key, task.run_id))
        # The task may have been interrupted after it left its thread.
        context.interruption = before.interruption if before is not None else None
        self._executing[task.key, task.run_id] = context
        task_context.current.set(context)
        enter_span(task.annotations)
        if self.traces is not None:
            self.traces.enter(task)
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
            # Measuring and encoding may take long and may run the user's code.
            event = await asyncio.to_thread(self._succeeded, task, result, start)
        # Every exception: SystemExit would end the event loop.
        except BaseException as error:
            if context.interruption is not None and context.interruption.sent:
                current.uncancel()
            if isinstance(error, asyncio.CancelledError) and current.cancelling():
                # The worker closes.
                raise
            event = self._ended(task, context, error, start)
        finally:
            self._executing.pop((task.key, task.run_id), None)
        self._post(event)

    def _enter(self, current: TaskContext) -> _Callee:
        """Set this context's task; return what to call."""
        task_context.current.set(current)
        if self.traces is not None:
            self.traces.begin(current.task, current.started)
            self.traces.enter(current.task)
        return self._load(current.task)

    def _load(self, task: Execute) -> _Callee:
        store = self._store
        results = {key: store[key] for key in task.dependencies}
        if self.actors is not None and (task.actor or self.actors.instances):
            # An actor may keep its arguments.
            results = {key: self.actors.as_argument(value, task.actor) for key, value in results.items()}
        work = task.work
        if type(work) is PythonTask:
            refuse_code_if_told()
            try:
                return with_unpickle_lock(task_codec.load_task, work.run_spec, work.shared, self._shared, results)
            except SharedValueGone:
                raise
            except BaseException as error:
                raise self._not_loaded(task, error) from error
        return with_unpickle_lock(load_call, work, results)

    def _not_loaded(self, task: Execute, error: BaseException) -> RuntimeError:
        """Return the error for a function or an argument that cannot be unpickled."""
        error.__traceback__ = without_first(error.__traceback__, _own_frames(error))
        return RuntimeError(
            f"Deserialization of task {task.key!r} failed on worker {self.address}: {type(error).__name__}: {error}\n"
            "Its function or an argument cannot be unpickled there. Often the environment of the workers differs "
            "from the client's."
        )

    def _succeeded(self, task: Execute, result: Any, start: float) -> events.Event:
        """Store a result and return the event that reports it."""
        stop = time()
        result_type = type(result)
        nbytes, kind = measure(result), type_name(result_type)
        encoded: tuple[Any, ...] | None
        if task.actor and self.actors is not None:
            result = self.actors.adopt(task.key, result)
            encoded = self._encode_small(result)
        else:
            encoded = self._encode_small(result) if nbytes <= self.inline_limit and not task.actor else None
        if type(task.work) is NamedCall and not task.actor and nbytes <= self.inline_limit:
            # Callers in other languages read no pickles.
            encoded = (*(encoded or (None, ())), payload.plain_form(result, self.inline_limit))
        # Of an actor, the store has the proxy only, which can be copied to other workers.
        if self._store.put(task.key, result, measure(result) if task.actor else nbytes):
            # In the task's thread, so that results are not made faster than they can be written to disk.
            self._store.make_room()
        self.recorder.task(self.context(task), task.dependencies, stop, nbytes, kind, result_type=result_type)
        return events.ExecuteSucceeded(task.key, task.run_id, nbytes, kind, start, stop, encoded)

    def _encode_small(self, result: Any) -> tuple[str, list[Buffer]] | None:
        """Return the encoding and frames of a result if the frames are small as well."""
        try:
            encoding, frames = payload.encode(result)
        except Exception:
            # Tasks on this worker can use the result; a request to fetch it is answered with the error.
            logger.debug("A result of type %s cannot be encoded", type(result).__name__, exc_info=True)
            return None
        return (encoding, frames) if sum(map(len, frames)) <= self.inline_limit else None

    def _failed(
        self,
        task: Execute,
        error: BaseException,
        start: float,
        kind: failure_pb2.FailureKind = failure_pb2.FAILURE_KIND_APPLICATION,
    ) -> events.Event:
        """Log an error and return the event that reports it."""
        if isinstance(error, Reschedule):
            return events.ExecuteRescheduled(task.key, task.run_id)
        failure = encode_failure(error, kind, skip_frames=_own_frames(error))
        failure.origin_key, failure.worker = task.key, self.address
        summary = f"{failure.type_name}: {failure.message[:_LOGGED]}"
        logger.warning(
            "Task %s failed: %s%s", task.key, summary, innermost_line(error.__traceback__), extra={"key": task.key}
        )
        # If another task raises the same instance, the traceback must not have the frames of this run.
        error.__traceback__ = None
        stop = time()
        self.recorder.task(self.context(task), task.dependencies, stop, error=summary)
        return events.ExecuteFailed(task.key, task.run_id, failure, start, stop)

    # --- called by tasks -----------------------------------------------------------------------------------------

    def secede(self, context: TaskContext) -> bool:
        """Let a task's thread leave its pool. Return whether the thread was in the pool."""

        def on_leave() -> None:
            # Once for each run: the thread's place was given away for good.
            if not context.seceded:
                context.seceded = True
                task = context.task
                self._post(events.TaskSeceded(task.key, task.run_id, time() - context.started))

        if context.on_loop:
            on_leave()
            return False
        return bool(context.pool.secede(on_leave))

    def rejoin(self, context: TaskContext) -> None:
        """Let a task's thread return into its pool."""
        if not context.on_loop:
            context.pool.rejoin()


def _not_yet() -> None:
    """Do nothing: the function that is to be interrupted has not been called yet."""


def _own_frames(error: BaseException) -> int:
    """Return the number of a traceback's outermost frames that are the worker's own code."""
    return frames_in(error.__traceback__, _OWN_FILES)
