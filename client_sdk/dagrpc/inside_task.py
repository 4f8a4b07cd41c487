"""Functions for code inside tasks: get the worker or a client, and leave the worker's pool of threads."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._client.options import Duration
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
    """Return the worker that runs the task which the caller is part of.

    Returns
    -------
    Worker
        With ``address``, ``name``, ``id``, ``local_directory``, ``data``, ``nthreads``, ``resources``, ``client``,
        ``scheduler``, ``get_current_task()`` and others. Tasks may put attributes of their own on it, to keep
        something between tasks.

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
    """Leave the worker's pool of threads: another task may run in this one's place.

    For tasks that wait for other tasks. Does nothing the second time.

    Raises
    ------
    ValueError
        If the caller is not part of a task, or not in the thread that runs it.

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
    """Wait for a place in the worker's pool of threads, which `secede` left.

    Does nothing if the task did not leave.

    Raises
    ------
    ValueError
        If the caller is not part of a task, or not in the thread that runs it.

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
    """Gives a task a client, and leaves the worker's pool of threads while the task uses it.

    A context manager; an asynchronous one too, for tasks that are coroutines. The client is the worker's: all tasks
    share it, and it stays open.

    Parameters
    ----------
    timeout : number or str, optional
        How long to try to reach the scheduler.
    separate_thread : bool
        Whether to leave the pool of threads; for tasks that do not wait for others it is not necessary.

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
        # Who has left before stays outside.
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
    """Give a task a client: an old name of `worker_client`, and warn that it is one.

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
