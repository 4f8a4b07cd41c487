"""KilledWorker: a task that workers die of. Part of `dagrpc.exceptions`."""

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
        What became of that worker, in words: an exit code or a signal, its memory limit, the kernel; without a nanny
        just that its connection broke.
    exit_code : int or None
        Its exit code, or the negative of the number of the signal that ended it. None if nobody knows.
    log : tuple of str
        The last lines of its log, as far as its nanny has them.

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

    # Where users import it from, and where it is unpickled from.
    __module__ = "dagrpc.exceptions"

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
