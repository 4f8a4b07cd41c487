"""How tasks fail or end early, besides the exceptions of their own code."""

from __future__ import annotations


class KilledWorker(Exception):
    """Workers died repeatedly while they ran a task.

    Attributes
    ----------
    task : str
        Key of the task.
    last_worker : str
        Address of the last worker that died.
    allowed_failures : int
        How many deaths are allowed (``scheduler.allowed-failures``).
    reason : str
        Why the worker is gone, in words: its exit code or signal, its memory limit, or the kernel. Without a nanny only
        its broken connection is known.
    exit_code : int or None
        Exit code of the worker, or the negative number of the signal that ended the worker. None if it is unknown.
    log : tuple of str
        The last lines of the worker's log, if its nanny has them.

    Examples
    --------
    >>> import os
    >>> with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
    ...     with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
    ...         client.submit(os._exit, 1).result()
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.KilledWorker: ...
    """

    def __init__(
        self,
        task: str,
        last_worker: str,
        allowed_failures: int,
        reason: str = "",
        exit_code: int | None = None,
        log: tuple[str, ...] = (),
    ) -> None:
        self.reason = reason
        self.exit_code = exit_code
        self.log = log
        self.task = task
        self.last_worker = last_worker
        self.allowed_failures = allowed_failures
        super().__init__(task, last_worker, allowed_failures)

    def __str__(self) -> str:
        text = (
            f"Attempted to run task {self.task!r} on {self.allowed_failures + 1} different workers, but all those "
            f"workers died while running it. The last worker that attempted to run the task was {self.last_worker}"
        )
        text += f": {self.reason}. " if self.reason else ". "
        if self.log:
            return text + "The last lines of its log:\n  " + "\n  ".join(self.log)
        return text + "Inspecting its log, or that of its nanny, may tell why."


class NoValidWorkerError(Exception):
    """No worker satisfied a task's restrictions within ``scheduler.no-workers-timeout``.

    Examples
    --------
    >>> with dask.config.set({"distributed.scheduler.no-workers-timeout": "100 ms"}):
    ...     with LocalCluster(n_workers=1, processes=False) as cluster, Client(cluster) as client:
    ...         client.submit(inc, 1, resources={"GPU": 1}).result()
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.NoValidWorkerError: ...
    """


class LostActorError(RuntimeError):
    """An actor is gone: its worker was lost, or its last proxy was released.

    Examples
    --------
    >>> with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
    ...     numbers = client.submit(list, [1, 2], actor=True).result()
    ...     client.restart()
    ...     numbers.count(1).result()
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.LostActorError: ...
    """


class RemoteTaskError(Exception):
    """A task failed with an exception that cannot be rebuilt here.

    Attributes
    ----------
    type_name : str
        Qualified name of the exception's type.
    traceback_text : str
        The formatted traceback.

    Examples
    --------
    >>> from dagrpc.exceptions import RemoteTaskError
    >>> str(RemoteTaskError("sensors.Busy", "the sensor does not answer"))
    'sensors.Busy: the sensor does not answer'
    """

    def __init__(self, type_name: str, message: str, traceback_text: str = "") -> None:
        self.type_name = type_name
        self.message = message
        self.traceback_text = traceback_text
        super().__init__(type_name, message, traceback_text)

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}" + (f"\n\n{self.traceback_text}" if self.traceback_text else "")


class TaskTimeout(TimeoutError):
    """A task ran longer than its limit. See `Client.submit`.

    Attributes
    ----------
    key : str
        Wire key of the task.
    limit : float
        How long the task may run, in seconds.
    worker : str
        Address of the worker that interrupted the task.

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

    def __init__(self, key: str, limit: float, worker: str) -> None:
        self.key = key
        self.limit = limit
        self.worker = worker
        super().__init__(key, limit, worker)

    def __str__(self) -> str:
        return f"Task {self.key!r} ran longer than its limit of {self.limit:g} s on worker {self.worker}"


class TaskInterrupted(BaseException):
    """Raised inside a task that is interrupted: its time limit has passed, or it was cancelled with ``force=True``.

    Like `KeyboardInterrupt` it is not an `Exception`, so that the error handling of a task does not catch it by
    accident. A task may catch it to clean up. The task is interrupted all the same, no matter how it ends.

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
    """Raised by a task to be run again, on the same or another worker.

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
