"""What clients ask of the primitives, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from dagrpc._common.cheap_dataclass import record
from dagrpc_scheduler.core.events import Event as CoreEvent


@record
class Value:
    """A value in a queue or variable."""

    data: bytes
    """The value as it came; nobody looks into it here."""
    keys: tuple[str, ...] = ()
    """Tasks whose results are to be held as long as the value is."""


# --- locks and semaphores ---


@record
class AcquireLease:
    """Take a lease; it is named by the request."""

    name: str
    max_leases: int
    transient: bool = False
    registered: bool = False


@record
class ReleaseLease:
    """Give a lease back."""

    lease: int


@record
class RenewLeases:
    """Go on holding leases. Not answered."""

    leases: Sequence[int]


@record
class RegisterSemaphore:
    """Make a semaphore known."""

    name: str
    max_leases: int


@record
class CountLeases:
    """Count the leases that are held."""

    name: str


@record
class CloseSemaphore:
    """Forget a semaphore."""

    name: str


@record
class AcquireLocks:
    """Take so many of these locks at once."""

    names: tuple[str, ...]
    count: int


@record
class ReleaseLocks:
    """Give back what was taken at once."""

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
    """Wait for an event."""

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
    """Take so many values out of a queue; 0: all that are there."""

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
    """Use a queue no longer."""

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
    """Unset a variable."""

    name: str


# --- datasets ---


@record
class PublishDatasets:
    """Give names to values."""

    entries: Sequence[tuple[str, Value]]
    override: bool = False
    """Whether the values take the place of those that have the names already."""


@record
class GetDatasets:
    """Read the values of names."""

    names: Sequence[str]


@record
class UnpublishDatasets:
    """Forget names with their values."""

    names: Sequence[str]


@record
class ListDatasets:
    """Name all datasets."""


# --- requests themselves ---


@record
class CancelRequest:
    """Wait no longer for a request. Not answered."""

    request: int


@record
class AcknowledgeValues:
    """The client holds the futures of an answer itself. Not answered."""

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
    | CancelRequest
    | AcknowledgeValues
)


# --- what comes of them ---

INCONSISTENT = "inconsistent"
UNKNOWN = "unknown"
EXISTS = "exists"


@record
class Answer:
    """Answers a request."""

    client: str
    request: int
    done: bool = True
    """False if it was not possible in time, or it was refused."""
    number: int = 0
    values: Sequence[Value] = ()
    lease_seconds: float = 0.0
    refusal: str = ""
    message: str = ""
    names: Sequence[str] = ()


Outcome: TypeAlias = Answer | CoreEvent
