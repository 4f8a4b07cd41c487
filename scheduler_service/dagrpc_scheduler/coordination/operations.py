"""The operations on coordination primitives, and their outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from dagrpc._common.cheap_dataclass import record
from dagrpc_scheduler.core.events import Event as CoreEvent


@record
class Value:
    """A value in a queue, variable or dataset."""

    data: bytes
    """The value as the client sent it, opaque."""
    keys: tuple[str, ...] = ()
    """Keys of the tasks whose results are held as long as the value is kept."""


# --- locks and semaphores ---


@record
class AcquireLease:
    """Acquire a lease, which is identified by the request."""

    name: str
    max_leases: int
    transient: bool = False
    registered: bool = False


@record
class ReleaseLease:
    """Release a lease."""

    lease: int


@record
class RenewLeases:
    """Renew leases. Not answered."""

    leases: Sequence[int]


@record
class RegisterSemaphore:
    """Create a semaphore."""

    name: str
    max_leases: int


@record
class CountLeases:
    """Count the leases of a semaphore."""

    name: str


@record
class CloseSemaphore:
    """Remove a semaphore."""

    name: str


@record
class AcquireLocks:
    """Acquire at least `count` of these locks at once."""

    names: tuple[str, ...]
    count: int


@record
class ReleaseLocks:
    """Release locks that were acquired at once."""

    lease: int


# --- events ---


@record
class SetEvent:
    """Set an event."""

    name: str


@record
class ClearEvent:
    """Clear an event."""

    name: str


@record
class WaitEvent:
    """Wait until an event is set."""

    name: str


# --- queues and variables ---


@record
class PutQueue:
    """Put a value into a queue."""

    name: str
    value: Value
    max_size: int = 0
    open: bool = False
    front: bool = False


@record
class GetQueue:
    """Take `count` values out of a queue; 0: all values."""

    name: str
    count: int = 1
    max_size: int = 0
    open: bool = False


@record
class CountQueue:
    """Count the values in a queue."""

    name: str


@record
class CloseQueue:
    """Stop using a queue."""

    name: str


@record
class SetVariable:
    """Set a variable."""

    name: str
    value: Value


@record
class GetVariable:
    """Read a variable."""

    name: str


@record
class DeleteVariable:
    """Delete the value of a variable."""

    name: str


# --- datasets ---


@record
class PublishDatasets:
    """Publish values under names."""

    entries: Sequence[tuple[str, Value]]
    override: bool = False
    """Whether to replace the values of existing names."""


@record
class GetDatasets:
    """Read the values of names."""

    names: Sequence[str]


@record
class UnpublishDatasets:
    """Remove names and their values."""

    names: Sequence[str]


@record
class ListDatasets:
    """List the names of all datasets."""


# --- operations without a message of their own ---


@record
class CallPrimitive:
    """An operation that a primitive declares itself."""

    kind: str
    name: str
    operation: str
    arguments: Mapping[str, Any]
    values: Sequence[Value] = ()


# --- requests ---


@record
class CancelRequest:
    """Cancel a waiting request. Not answered."""

    request: int


@record
class AcknowledgeValues:
    """Acknowledge that the client itself holds the futures of an answer. Not answered."""

    request: int


Operation: TypeAlias = (
    AcquireLease
    | ReleaseLease
    | RenewLeases
    | RegisterSemaphore
    | CountLeases
    | CloseSemaphore
    | AcquireLocks
    | ReleaseLocks
    | SetEvent
    | ClearEvent
    | WaitEvent
    | PutQueue
    | GetQueue
    | CountQueue
    | CloseQueue
    | SetVariable
    | GetVariable
    | DeleteVariable
    | PublishDatasets
    | GetDatasets
    | UnpublishDatasets
    | ListDatasets
    | CallPrimitive
    | CancelRequest
    | AcknowledgeValues
)


# --- outcomes ---

INCONSISTENT = "inconsistent"
UNKNOWN = "unknown"
EXISTS = "exists"
INVALID = "invalid"


@record
class Answer:
    """The answer to a request."""

    client: str
    request: int
    done: bool = True
    """False if the operation was refused or did not succeed in time."""
    number: int = 0
    values: Sequence[Value] = ()
    lease_seconds: float = 0.0
    refusal: str = ""
    message: str = ""
    names: Sequence[str] = ()
    result: Any = None
    """Plain data."""


Outcome: TypeAlias = Answer | CoreEvent
