"""How tasks end before their time; `dagrpc.exceptions` has these, too."""

from __future__ import annotations

__all__ = ["Reschedule", "TaskInterrupted", "TaskTimeout"]


class TaskTimeout(TimeoutError):
    """A task ran longer than it may. See `Client.submit`.

    Attributes
    ----------
    key : str
        Key of the task, as on the wire.
    limit : float
        How long it may run, in seconds.
    worker : str
        Address of the worker that broke it off.

    Examples
    --------
    >>> def wait_for_ever():
    ...     while True:
    ...         pass
    >>> client.submit(wait_for_ever, timeout="100 ms").result()
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.TaskTimeout: ...
    """

    # Where users find it.
    __module__ = "dagrpc.exceptions"

    def __init__(self, key: str, limit: float, worker: str) -> None:
        self.key = key
        self.limit = limit
        self.worker = worker
        super().__init__(key, limit, worker)

    def __str__(self) -> str:
        return f"Task {self.key!r} ran longer than its limit of {self.limit:g} s on worker {self.worker}"


class TaskInterrupted(BaseException):
    """Raised inside a task that is broken off: its time is up, or it was cancelled with ``force=True``.

    Like `KeyboardInterrupt` it is no `Exception`, so that a task does not take it for a failure of what it calls. A
    task may catch it to clean up; whatever it returns or raises then, it counts as broken off.

    Examples
    --------
    >>> def work():
    ...     try:
    ...         while True:
    ...             pass
    ...     except TaskInterrupted:
    ...         log_of_work.put("cleaning up")
    ...         raise
    >>> log_of_work = Queue("log-of-work")
    >>> error = client.submit(work, timeout="100 ms").exception()
    >>> type(error).__name__, log_of_work.get(timeout=10)
    ('TaskTimeout', 'cleaning up')
    """

    # Where users find it.
    __module__ = "dagrpc.exceptions"


class Reschedule(Exception):
    """Raised by a task that wants to be run again, here or on another worker.

    Examples
    --------
    >>> def fetch(tries):
    ...     if tries.get() < 3:
    ...         tries.set(tries.get() + 1)
    ...         raise Reschedule()
    ...     return "fetched"
    >>> tries = Variable()
    >>> tries.set(1)
    >>> client.submit(fetch, tries).result()
    'fetched'
    """

    # Where users find it.
    __module__ = "dagrpc.exceptions"
