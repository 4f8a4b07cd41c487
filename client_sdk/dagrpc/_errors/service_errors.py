"""Calls that a service refused, each with a reason of the contract."""

from __future__ import annotations

from typing import ClassVar


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
    """The session has ended, or never existed."""

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
    """There are no workers for the request."""

    reason = "NO_WORKERS"


class CodeNotAllowedError(DagrpcError, PermissionError):
    """The service does not run code of clients."""

    reason = "CODE_NOT_ALLOWED"


class NotAuthenticatedError(DagrpcError, PermissionError):
    """A service requires a token that the caller does not have.

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
    """A run of a P2P shuffle is over: it was cancelled, or another run began because a worker left."""

    reason = "SHUFFLE_CLOSED"


class P2PConsistencyError(DagrpcError, RuntimeError):
    """A P2P shuffle is inconsistent, even after it was started again several times."""

    reason = "SHUFFLE_INCONSISTENT"


class P2POutOfDiskError(DagrpcError, OSError):
    """The disk of a worker is too small for the data of a P2P shuffle."""

    reason = "OUT_OF_DISK"


class InternalError(DagrpcError):
    """A bug in a service, whose log has the details under the id in the message."""

    reason = "INTERNAL"
