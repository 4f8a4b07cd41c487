"""Functions for code inside tasks: get the worker or a client, and leave the worker's pool of threads."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._client.submission_options import Duration
from dagrpc._common import running_task
from dagrpc._common.running_task import Running

if TYPE_CHECKING:
    from dagrpc import Client

__all__ = ["get_worker", "local_client", "rejoin", "secede", "worker_client"]


def _running() -> Running:
    found = running_task.current.get()
    if found is None:
        raise ValueError("No worker found: this works only in a task, in the thread that runs it")
    return found


def get_worker() -> Any:
    """Return the worker that runs the calling task.

    Returns
    -------
    Worker
        With ``address``, ``name``, ``id``, ``local_directory``, ``data``, ``nthreads``, ``resources``, ``client``,
        ``scheduler``, ``get_current_task()`` and others. Tasks may set further attributes to keep objects for later
        tasks.

    Raises
    ------
    ValueError
        If the caller is not part of a task.

    Examples
    --------
    >>> def where():
    ...     return get_worker().address
    >>> client.submit(where).result()
    '127.0.0.1:...'
    """
    return _running().worker


def secede() -> None:
    """Leave the worker's thread pool, so that another task can run in place of this task.

    For tasks that wait for other tasks. A second call does nothing.

    Raises
    ------
    ValueError
        If the caller is not in the thread of a task.

    Examples
    --------
    >>> def total(n):
    ...     client = get_client()
    ...     futures = client.map(inc, range(n))
    ...     secede()  # let others run while this waits
    ...     return sum(client.gather(futures))
    >>> client.submit(total, 3).result()
    6
    """
    _running().secede()


def rejoin() -> None:
    """Wait for a place in the worker's thread pool, which `secede` left.

    Does nothing if the task is in the thread pool.

    Raises
    ------
    ValueError
        If the caller is not in the thread of a task.

    Examples
    --------
    >>> def total(n):
    ...     client = get_client()
    ...     futures = client.map(inc, range(n))
    ...     secede()
    ...     numbers = client.gather(futures)
    ...     rejoin()  # wait for a thread before the work goes on
    ...     return sum(numbers)
    >>> client.submit(total, 3).result()
    6
    """
    _running().rejoin()


class worker_client:
    """Context manager that gives a task a client and leaves the worker's thread pool within the block.

    Coroutine tasks use ``async with``. All tasks of a worker share its client, which stays open.

    Parameters
    ----------
    timeout : number or str, optional
        How long to try to reach the scheduler.
    separate_thread : bool
        Whether to leave the thread pool. Tasks that do not wait for other tasks need not.

    Raises
    ------
    ValueError
        On entry, if the caller is not part of a task.

    Examples
    --------
    >>> def fib(n):
    ...     if n < 2:
    ...         return n
    ...     with worker_client() as client:
    ...         return sum(client.gather(client.map(fib, [n - 1, n - 2])))
    >>> client.submit(fib, 5).result()
    5
    """

    def __init__(self, timeout: Duration = None, separate_thread: bool = True) -> None:
        self._timeout = config.seconds(timeout)
        self._separate_thread = separate_thread
        self._left: Running | None = None

    def __enter__(self) -> Client:
        task = _running()
        client: Client = task.worker.get_client(self._timeout)
        # A task that seceded before the block stays outside of the thread pool after it.
        if self._separate_thread and task.secede():
            self._left = task
        return client

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._left = self._left, None
        if task is not None:
            task.rejoin()

    async def __aenter__(self) -> Client:
        return await self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def local_client(timeout: Duration = None, separate_thread: bool = True) -> worker_client:
    """Old name of `worker_client`, which warns about the new name.

    Parameters
    ----------
    timeout, separate_thread
        As for `worker_client`.

    Examples
    --------
    >>> def total(n):
    ...     with local_client() as client:
    ...         return sum(client.gather(client.map(inc, range(n))))
    >>> client.submit(total, 3).result()
    6
    """
    warnings.warn("local_client has moved to worker_client", UserWarning, stacklevel=2)
    return worker_client(timeout, separate_thread)
