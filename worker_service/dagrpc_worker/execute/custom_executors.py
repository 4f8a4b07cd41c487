"""Executors of users: any `concurrent.futures.Executor`, for the tasks that name it or for all tasks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from concurrent.futures import CancelledError, Executor, Future, InvalidStateError, ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import cloudpickle

from dagrpc.exceptions import TaskInterrupted
from dagrpc_worker.core import events
from dagrpc_worker.execute.executors import ThreadPool
from dagrpc_worker.execute.task_context import get_context

if TYPE_CHECKING:
    from dagrpc_worker.execute.runner import TaskRunner

DEFAULT = "default"
"""Name of the pool of tasks that name no executor."""
OFFLOAD = "offload"
"""Name of a pool of one thread, for tasks that must not take a place in the default pool."""

ACTORS = "actor"
"""Name of the pool that runs the methods of actors; tasks can name it as well."""


class ExecutorPool:
    """A user's executor of threads in place of a `ThreadPool`. The user shuts the executor down.

    Parameters
    ----------
    work : callable
        Called with each item, in the executor. Must not raise.
    """

    def __init__(self, name: str, executor: Executor, work: Callable[[Any], None]) -> None:
        self.name = name
        self.executor = executor
        self.size = size_of(executor)
        self.work = work

    def submit(self, item: Any) -> None:
        """Queue an item."""
        self.executor.submit(self.work, item)

    def secede(self, on_leave: Callable[[], None]) -> bool:
        """Free the calling thread's place for other tasks. The number of the executor's threads stays the same."""
        on_leave()
        return True

    def detach(self, ident: int) -> bool:
        """Do nothing: the number of the executor's threads is fixed."""
        return False

    def rejoin(self) -> None:
        """Do nothing: the thread has never left."""

    def close(self) -> None:
        """Do nothing: the user shuts the executor down."""


class ProcessPool(ThreadPool):
    """Runs functions in the processes of a user's executor, which the user shuts down.

    Threads of the worker load the tasks and store their results.
    """

    def __init__(self, name: str, executor: Executor, runner: TaskRunner) -> None:
        super().__init__(name, size_of(executor), lambda task: runner.work(task, self._call))
        self.executor = executor

    def _call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        # cloudpickle handles objects that the executor's own pickle does not, such as lambdas.
        pickled = cloudpickle.dumps((function, tuple(args), dict(kwargs)))
        running = self.executor.submit(_call_pickled, pickled)
        outcome: Future[Any] = Future()

        def interrupt() -> None:
            # A function that has begun in a process cannot be stopped, but its result need not be waited for.
            running.cancel()
            with contextlib.suppress(InvalidStateError):
                outcome.set_exception(TaskInterrupted("interrupted"))

        def pass_on(done: Future[Any]) -> None:
            with contextlib.suppress(InvalidStateError):
                error = CancelledError() if done.cancelled() else done.exception()
                outcome.set_result(done.result()) if error is None else outcome.set_exception(error)

        context = get_context()
        running.add_done_callback(pass_on)
        context.escape = interrupt
        if context.interruption is not None:
            interrupt()
        return outcome.result()


def _call_pickled(pickled: bytes) -> Any:
    """Call a pickled function. In a process of the executor."""
    function, args, kwargs = cloudpickle.loads(pickled)
    return function(*args, **kwargs)


def size_of(executor: Executor) -> int:
    """Return the number of tasks that an executor runs at once."""
    return int(getattr(executor, "_max_workers", 1) or 1)


def by_name(executor: Any) -> dict[str, Executor]:
    """Return the user's executors by name.

    Parameters
    ----------
    executor : Executor, mapping of executors, ``"offload"`` or None
        The option `executor` of a worker.

    Raises
    ------
    TypeError
        If `executor` is something else.

    Examples
    --------
    >>> by_name(None)
    {}
    """
    if executor is None or executor == OFFLOAD:
        return {}
    if isinstance(executor, Executor):
        return {DEFAULT: executor}
    if isinstance(executor, Mapping):
        for name, each in executor.items():
            if not isinstance(name, str) or not isinstance(each, Executor):
                raise TypeError(f"executor[{name!r}] is a {type(each).__name__}; executors by name are wanted")
        return dict(executor)
    raise TypeError(
        f"executor is a {type(executor).__name__}; it must be a concurrent.futures.Executor, a dict of them by name, "
        "or 'offload'"
    )


class Executors(MutableMapping[str, Executor]):
    """The pools of a worker, by name. Tasks that name an executor which a user adds run in it from then on.

    Parameters
    ----------
    prefix : str
        Beginning of the names of threads.
    post : callable, optional
        Takes the event that tells the size of an added executor.
    """

    def __init__(
        self, runner: TaskRunner, prefix: str, post: Callable[[events.ExecutorOffered], object] | None = None
    ) -> None:
        self._runner = runner
        self._prefix = prefix
        self._post = post

    def __getitem__(self, name: str) -> Executor:
        return self._runner.pools[name].executor

    def __setitem__(self, name: str, executor: Executor) -> None:
        by_name({name: executor})
        wanted = "" if name == DEFAULT else name
        pool = self._runner.own_pool(executor)
        if pool is None:
            pool = self._make(name, executor)
        self._runner.use_pool(wanted, pool)
        # The size of the default pool is the worker's number of threads, whatever executor it is.
        if wanted and self._post is not None:
            self._post(events.ExecutorOffered(name, pool.size))

    def _make(self, name: str, executor: Executor) -> Any:
        if isinstance(executor, ProcessPoolExecutor):
            if name == ACTORS:
                raise TypeError("The methods of actors need threads: they cannot run in a ProcessPoolExecutor")
            return ProcessPool(f"{self._prefix}-{name}", executor, self._runner)
        former = self._runner.pools.get(name)
        # The pool of actors runs methods as well as tasks.
        return ExecutorPool(name, executor, self._runner.work if former is None else former.work)

    def __delitem__(self, name: str) -> None:
        if name == DEFAULT:
            raise ValueError("The default executor of a worker cannot be removed; put another one in its place")
        self._runner.drop_pool(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._runner.pools)

    def __len__(self) -> int:
        return len(self._runner.pools)

    def __repr__(self) -> str:
        return repr(dict(self))


def install(runner: TaskRunner, executor: Any, prefix: str) -> None:
    """Add the user's executors to a runner."""
    executors = Executors(runner, prefix)
    executors.update(by_name(executor))
    if OFFLOAD not in runner.pools:
        runner.add_pool(OFFLOAD, runner.work)
    if executor == OFFLOAD:
        runner.use_pool("", runner.pools[OFFLOAD])
