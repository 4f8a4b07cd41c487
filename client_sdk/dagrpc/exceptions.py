"""Every error that a user of dagrpc can meet.

::

    Exception
     ├── DagrpcError                    a call that a service refused; `reason` is the contract's
     │    ├── InvalidRequestError       (ValueError)
     │    ├── UnknownKeyError           (LookupError)
     │    ├── UnknownWorkerError        (ValueError)
     │    ├── UnknownSessionError
     │    ├── VersionUnsupportedError
     │    ├── NoWorkersError            (TimeoutError)
     │    ├── CodeNotAllowedError       (PermissionError)
     │    ├── NotAuthenticatedError     (PermissionError)
     │    ├── LimitReachedError
     │    ├── TooLargeError             (ValueError)
     │    ├── NotReadyError             (OSError)
     │    ├── DuplicateWorkerError      (ValueError)
     │    ├── NotSameHostError
     │    ├── ShuffleClosedError        (RuntimeError)
     │    ├── P2PConsistencyError       (RuntimeError)
     │    ├── P2POutOfDiskError         (OSError)
     │    └── InternalError
     ├── CommClosedError                (OSError) the connection to a peer is lost
     ├── ClosedClientError              a client was used after it was closed
     ├── CancelledError                 concurrent.futures'
     │    ├── FutureCancelledError      the result of a cancelled future was asked for
     │    └── FuturesCancelledError     some of several futures were cancelled
     ├── P2PIllegalStateError           (RuntimeError) a part of a P2P shuffle was used outside of a cluster
     ├── KilledWorker                   workers died repeatedly while they ran a task
     ├── NoValidWorkerError             no worker satisfied a task's restrictions in time
     ├── LostActorError                 (RuntimeError) an actor is gone
     ├── WorkerStartTimeoutError        (TimeoutError)
     ├── GraphError                     (ValueError) the scheduler refused a graph
     ├── RemoteTaskError                a task failed with an exception that cannot be rebuilt here
     ├── ForkedProcessError             (RuntimeError) what a parent process has was used after a fork
     ├── TaskTimeout                    (TimeoutError) a task ran longer than it may
     └── Reschedule                     raised by a task that wants to be run again

    BaseException
     └── TaskInterrupted                raised inside a task that is broken off

Other time-outs are the builtin `TimeoutError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, ClassVar

from dagrpc._killed_worker import KilledWorker
from dagrpc.task_errors import Reschedule, TaskInterrupted, TaskTimeout

__all__ = [
    "CancelledError",
    "ClosedClientError",
    "CodeNotAllowedError",
    "CommClosedError",
    "DagrpcError",
    "DuplicateWorkerError",
    "ForkedProcessError",
    "FutureCancelledError",
    "FuturesCancelledError",
    "GraphError",
    "InternalError",
    "InvalidRequestError",
    "KilledWorker",
    "LimitReachedError",
    "LostActorError",
    "NoValidWorkerError",
    "NoWorkersError",
    "NotAuthenticatedError",
    "NotReadyError",
    "NotSameHostError",
    "P2PConsistencyError",
    "P2PIllegalStateError",
    "P2POutOfDiskError",
    "RemoteTaskError",
    "Reschedule",
    "ShuffleClosedError",
    "TaskInterrupted",
    "TaskTimeout",
    "TooLargeError",
    "UnknownKeyError",
    "UnknownPluginError",
    "UnknownSessionError",
    "UnknownWorkerError",
    "VersionMismatchWarning",
    "VersionUnsupportedError",
    "WorkerStartTimeoutError",
]


class DagrpcError(Exception):
    """A call that a service refused.

    Attributes
    ----------
    reason : str
        Name of the contract's `Reason`, such as ``UNKNOWN_WORKER``.

    Examples
    --------
    >>> try:
    ...     client.retire_workers(["nobody"])
    ... except DagrpcError as error:
    ...     type(error).__name__
    'UnknownWorkerError'
    """

    reason: ClassVar[str] = "UNSPECIFIED"

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class InvalidRequestError(DagrpcError, ValueError):
    """A request that breaks the contract."""

    reason = "INVALID_REQUEST"


class UnknownKeyError(DagrpcError, LookupError):
    """No task has that key."""

    reason = "UNKNOWN_KEY"


class UnknownWorkerError(DagrpcError, ValueError, KeyError):
    """No worker has that address, name or host.

    Examples
    --------
    >>> client.run(inc, 1, workers=["nobody"])
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.UnknownWorkerError: ...
    """

    reason = "UNKNOWN_WORKER"
    # A KeyError would show its message in quotes.
    __str__ = Exception.__str__


class UnknownSessionError(DagrpcError):
    """The session has ended or never was."""

    reason = "UNKNOWN_SESSION"


class UnknownPluginError(DagrpcError, ValueError):
    """No plugin has that name.

    Examples
    --------
    >>> client.unregister_worker_plugin("nobody")
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.UnknownPluginError: The worker plugin nobody does not exist
    """

    reason = "UNKNOWN_PLUGIN"


class VersionUnsupportedError(DagrpcError):
    """The peers share no protocol revision."""

    reason = "VERSION_UNSUPPORTED"


class NoWorkersError(DagrpcError, TimeoutError):
    """There are no workers to do this."""

    reason = "NO_WORKERS"


class CodeNotAllowedError(DagrpcError, PermissionError):
    """User code is not allowed on that service."""

    reason = "CODE_NOT_ALLOWED"


class NotAuthenticatedError(DagrpcError, PermissionError):
    """A service wants a token that the caller has not.

    Examples
    --------
    >>> security = Security(token="a-secret-of-this-cluster")
    >>> with LocalCluster(n_workers=0, processes=False, security=security) as guarded:
    ...     Client(guarded.scheduler_address)
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.NotAuthenticatedError: ... give security=Security(token=...), or set comm.token-file
    """

    reason = "NOT_AUTHENTICATED"


class LimitReachedError(DagrpcError):
    """A limit was reached; the message names it."""

    reason = "LIMIT_REACHED"


class TooLargeError(DagrpcError, ValueError):
    """A message or a graph is larger than a service takes; see ``comm.limits`` and ``scheduler.limits``."""

    reason = "TOO_LARGE"


class NotReadyError(DagrpcError, OSError):
    """The service is starting or shutting down."""

    reason = "NOT_READY"


class DuplicateWorkerError(DagrpcError, ValueError):
    """Another worker has that name or address."""

    reason = "DUPLICATE_WORKER"


class NotSameHostError(DagrpcError):
    """Data was offered in the sender's memory, and the receiver cannot read it."""

    reason = "NOT_SAME_HOST"


class ShuffleClosedError(DagrpcError, RuntimeError):
    """A run of a P2P shuffle is over: it was cancelled, or it began again because a worker left."""

    reason = "SHUFFLE_CLOSED"


class P2PConsistencyError(DagrpcError, RuntimeError):
    """A P2P shuffle does not hold together, and did not after it began again several times."""

    reason = "SHUFFLE_INCONSISTENT"


class P2POutOfDiskError(DagrpcError, OSError):
    """A worker has no room on its disk for what a P2P shuffle brings it."""

    reason = "OUT_OF_DISK"


class P2PIllegalStateError(RuntimeError):
    """A part of a P2P shuffle was used where it cannot work, such as outside of a cluster."""


class InternalError(DagrpcError):
    """A bug in a service. Its log has the details under the id in the message."""

    reason = "INTERNAL"


class CommClosedError(OSError):
    """The connection to a peer is lost, or cannot be made.

    Examples
    --------
    >>> Client("127.0.0.1:1", timeout="100 ms")
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.CommClosedError: ... nothing listens at this port
    """


class ClosedClientError(Exception):
    """A client was used after it was closed.

    Examples
    --------
    >>> client.close()
    >>> client.submit(inc, 1)
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.ClosedClientError: ...
    """


class ForkedProcessError(RuntimeError):
    """A client or cluster was used in a process that was forked from the one that made it.

    The child can make others of its own.
    """


class GraphError(ValueError):
    """The scheduler refused a graph; the message names the keys at fault.

    Examples
    --------
    >>> client.get({"a": (inc, "b"), "b": (inc, "a")}, "a")
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.GraphError: ...
    """


class FutureCancelledError(CancelledError):
    """The result of a cancelled future was asked for.

    Attributes
    ----------
    key : str
        Key of the future.
    reason : str
        Why, as a word: ``lost dependencies``, ``scheduler-restart``, ``unknown``, ...
    msg : str or None
        Why, as a sentence.

    Examples
    --------
    >>> future = client.submit(inc, 1)
    >>> future.cancel(reason="too slow")
    >>> future.result()
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.FutureCancelledError: ...too slow...
    """

    def __init__(self, key: str, reason: str = "unknown", msg: str | None = None) -> None:
        self.key = key
        self.reason = reason
        self.msg = msg
        super().__init__(key, reason, msg)

    def __str__(self) -> str:
        return f"{self.key} cancelled for reason: {self.reason}." + (f"\n{self.msg}" if self.msg else "")


class FuturesCancelledError(CancelledError):
    """Some of several futures were cancelled.

    Attributes
    ----------
    error_groups : list of (keys, reason)
        The cancelled keys, by reason.
    messages : dict
        What else is known, by reason.

    Examples
    --------
    >>> futures = client.map(inc, range(2))
    >>> client.cancel(futures)
    >>> wait(futures)
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.FuturesCancelledError: ...
    """

    def __init__(
        self, error_groups: Sequence[tuple[Sequence[Any], str]], messages: Mapping[str, str] | None = None
    ) -> None:
        self.error_groups = error_groups
        self.messages = dict(messages or {})
        super().__init__(error_groups)

    @classmethod
    def of(cls, errors: Iterable[FutureCancelledError]) -> FuturesCancelledError:
        """Group the errors of single futures by reason."""
        groups: dict[str, list[str]] = {}
        messages: dict[str, str] = {}
        for error in errors:
            groups.setdefault(error.reason, []).append(error.key)
            if error.msg:
                messages[error.reason] = error.msg
        return cls([(keys, reason) for reason, keys in groups.items()], messages)

    def __str__(self) -> str:
        count = sum(len(keys) for keys, _ in self.error_groups)
        lines = [f"{count} Future{'s' if count > 1 else ''} cancelled:"]
        for keys, reason in self.error_groups:
            lines.append(f"\tReason: {reason}: {', '.join(map(str, keys[:5]))}{', ...' if len(keys) > 5 else ''}")
            if reason in self.messages:
                lines.append(f"\tMessage: {self.messages[reason]}")
        return "\n".join(lines)


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
    """An actor is gone: the worker that held it was lost, or nobody wanted the actor any more.

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


class WorkerStartTimeoutError(TimeoutError):
    """Expected workers did not come in time.

    Attributes
    ----------
    available_workers, expected_workers : int
        How many are there, and how many were to be.
    timeout : float
        How long was waited, in seconds.

    Examples
    --------
    >>> client.wait_for_workers(5, timeout="10 ms")
    Traceback (most recent call last):
        ...
    dagrpc.exceptions.WorkerStartTimeoutError: Only 2/5 workers arrived ...
    """

    def __init__(self, available_workers: int, expected_workers: int, timeout: float) -> None:
        self.available_workers = available_workers
        self.expected_workers = expected_workers
        self.timeout = timeout
        super().__init__(available_workers, expected_workers, timeout)

    def __str__(self) -> str:
        return (
            f"Only {self.available_workers}/{self.expected_workers} workers arrived "
            f"within the time limit of {self.timeout:g} s"
        )


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


class VersionMismatchWarning(Warning):
    """The peers run different versions of something that matters.

    Examples
    --------
    >>> import warnings
    >>> warnings.simplefilter("ignore", VersionMismatchWarning)
    """
