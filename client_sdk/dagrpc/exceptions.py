"""All exceptions that dagrpc raises, as a tree.

::

    Exception
     ├── DagrpcError                    a call that a service refused, with a `reason` of the contract
     │    ├── InvalidRequestError       (ValueError)
     │    ├── UnknownKeyError           (LookupError)
     │    ├── UnknownWorkerError        (ValueError)
     │    ├── UnknownSessionError
     │    ├── UnknownPluginError        (ValueError)
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
     ├── ClosedClientError              a closed client was used
     ├── CancelledError                 of `concurrent.futures`
     │    ├── FutureCancelledError      the result of a cancelled future was requested
     │    └── FuturesCancelledError     some of several futures were cancelled
     ├── P2PIllegalStateError           (RuntimeError) a part of a P2P shuffle was used outside of its cluster
     ├── KilledWorker                   workers died repeatedly while they ran a task
     ├── NoValidWorkerError             no worker satisfied a task's restrictions in time
     ├── LostActorError                 (RuntimeError) an actor is gone
     ├── WorkerStartTimeoutError        (TimeoutError)
     ├── GraphError                     (ValueError) the scheduler refused a graph
     ├── RemoteTaskError                a task failed with an exception that cannot be rebuilt here
     ├── ForkedProcessError             (RuntimeError) a client or cluster of the parent process was used after a fork
     ├── TaskTimeout                    (TimeoutError) a task ran longer than its limit
     └── Reschedule                     raised by a task to be run again

    BaseException
     └── TaskInterrupted                raised inside a task that is interrupted

Warning
     └── VersionMismatchWarning         peers run different versions of something that matters

Other time-outs are the builtin `TimeoutError`.
"""

from __future__ import annotations

from concurrent.futures import CancelledError

from dagrpc._errors.client_errors import (
    ClosedClientError,
    CommClosedError,
    ForkedProcessError,
    FutureCancelledError,
    FuturesCancelledError,
    GraphError,
    P2PIllegalStateError,
    VersionMismatchWarning,
    WorkerStartTimeoutError,
)
from dagrpc._errors.service_errors import (
    CodeNotAllowedError,
    DagrpcError,
    DuplicateWorkerError,
    InternalError,
    InvalidRequestError,
    LimitReachedError,
    NotAuthenticatedError,
    NotReadyError,
    NotSameHostError,
    NoWorkersError,
    P2PConsistencyError,
    P2POutOfDiskError,
    ShuffleClosedError,
    TooLargeError,
    UnknownKeyError,
    UnknownPluginError,
    UnknownSessionError,
    UnknownWorkerError,
    VersionUnsupportedError,
)
from dagrpc._errors.task_errors import (
    KilledWorker,
    LostActorError,
    NoValidWorkerError,
    RemoteTaskError,
    Reschedule,
    TaskInterrupted,
    TaskTimeout,
)

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

for _name in __all__:
    if _name != "CancelledError":
        # Tracebacks and pickles name the module from which users import the class.
        globals()[_name].__module__ = __name__
