"""Runs the coordination primitives: operations from sessions, answers to sessions, and time-outs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from dagrpc import config
from dagrpc._codec.plain import read_plain, write_plain
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import coordination_pb2 as pb
from dagrpc_scheduler.coordination import operations
from dagrpc_scheduler.coordination.coordinator import Coordinator
from dagrpc_scheduler.coordination.operations import Answer, Operation, Outcome, Value
from dagrpc_scheduler.coordination.primitives.semaphore import Semaphore, Semaphores
from dagrpc_scheduler.core import events
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

logger = logging.getLogger("dagrpc.scheduler")

NAME_LIMIT = 16 * 1024
"""Longest name in bytes."""
_FOREVER = 1e9
"""Seconds from which on a timeout means no timeout."""
_UNANSWERED = frozenset(("withdraw", "renew_leases", "took"))


class CoordinationShell:
    """The coordination primitives of a scheduler."""

    def __init__(self, driver: CoreDriver, peers: ConnectedPeers) -> None:
        self._driver = driver
        self._peers = peers
        self._coordinator = Coordinator(config.get_seconds("scheduler.locks.lease-timeout"))
        self._last_request: dict[str, int] = {}
        """The number of each client's last request."""
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        """When the timer goes off. The handle cannot be asked: uvloop's does not know it at once."""

    def take(self, client: str, message: pb.Coordinate) -> None:
        """Carry out a client's operation, or raise `InvalidRequestError` if it is malformed."""
        kind = message.WhichOneof("operation")
        if kind is None:
            raise InvalidRequestError("an operation is empty, or of a kind that this scheduler does not know")
        number = message.request
        if kind not in _UNANSWERED:
            # Requests name leases, so their numbers must rise.
            if number <= self._last_request.get(client, 0):
                raise InvalidRequestError(f"request {number} does not come after those before it")
            self._last_request[client] = number
        operation = _OPERATIONS[kind](_name(message.name), getattr(message, kind))
        # NaN means no timeout, too.
        is_limited = message.HasField("timeout_seconds") and message.timeout_seconds < _FOREVER
        timeout = message.timeout_seconds if is_limited else None
        now = asyncio.get_running_loop().time()
        self._apply(self._coordinator.handle(client, number, timeout, operation, now))

    def client_gone(self, client: str) -> None:
        """Withdraw a client's pending operations and release its leases."""
        if self._last_request.pop(client, None) is not None:
            self._apply(self._coordinator.client_gone(client, asyncio.get_running_loop().time()))

    def semaphores(self) -> list[Semaphore]:
        """Return the semaphores that users have made, for inspection."""
        return self._coordinator.all_of(Semaphores).named()

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()

    # --- outcomes ------------------------------------------------------------------------------------------------

    def _apply(self, outcomes: list[Outcome]) -> None:
        clients = self._peers.clients
        for_the_core: list[events.Event] = []
        for outcome in outcomes:
            if type(outcome) is Answer:
                session = clients.get(outcome.client)
                if session is not None:
                    session.send(outcome)
            else:
                for_the_core.append(outcome)  # type: ignore[arg-type]
        if for_the_core:
            self._driver.handle_batch(for_the_core)
        self._set_timer()

    def _set_timer(self) -> None:
        deadline = self._coordinator.next_deadline()
        if deadline is None:
            return
        if self._timer is not None:
            # A timer that goes off too early sets the next one.
            if self._due <= deadline:
                return
            self._timer.cancel()
        self._due = deadline
        self._timer = asyncio.get_running_loop().call_at(deadline, self._advance)

    def _advance(self) -> None:
        self._timer = None
        # The loop may call up to one clock tick too early.
        now = max(asyncio.get_running_loop().time(), self._due)
        self._apply(self._coordinator.advance(now))


# --- messages ----------------------------------------------------------------------------------------------------


def _name(name: str) -> str:
    if len(name) > NAME_LIMIT:
        raise InvalidRequestError(f"a name has at most {NAME_LIMIT} bytes; got {len(name)}: {name[:80]!r}")
    return name


def _value(message: pb.CoordinatedValue) -> Value:
    kind = message.WhichOneof("value")
    if kind is None:
        raise InvalidRequestError("a value is neither a future nor data")
    keys = (message.future,) if kind == "future" else tuple(message.keys)
    # The value is kept as bytes: its message would keep the whole batch that it came with alive.
    return Value(message.SerializeToString(), keys)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_name, names)))


def _datasets(entries: Iterable[pb.Dataset]) -> list[tuple[str, Value]]:
    # Of several entries with one name, the last one counts.
    return list({_name(entry.name): _value(entry.value) for entry in entries}.items())


def _acquire_locks(_: str, message: pb.AcquireLocks) -> operations.AcquireLocks:
    names = tuple(dict.fromkeys(map(_name, message.names)))
    if not 0 < message.count <= len(names):
        raise InvalidRequestError(f"{message.count} of {len(names)} locks cannot be acquired")
    return operations.AcquireLocks(names, message.count)


def _call_primitive(name: str, message: pb.CallPrimitive) -> operations.CallPrimitive:
    try:
        arguments = {key: read_plain(value) for key, value in message.arguments.items()}
    except TypeError as error:
        raise InvalidRequestError(f"the arguments of an operation are not plain data: {error}") from None
    return operations.CallPrimitive(
        message.kind, name, message.operation, arguments, tuple(_value(value) for value in message.values)
    )


_OPERATIONS: dict[str, Callable[[str, Any], Operation]] = {
    "acquire_lease": lambda name, m: operations.AcquireLease(name, m.max_leases, m.transient, m.registered),
    "release_lease": lambda name, m: operations.ReleaseLease(m.lease),
    "renew_leases": lambda name, m: operations.RenewLeases(tuple(m.leases)),
    "register_semaphore": lambda name, m: operations.RegisterSemaphore(name, m.max_leases),
    "count_leases": lambda name, m: operations.CountLeases(name),
    "close_semaphore": lambda name, m: operations.CloseSemaphore(name),
    "acquire_locks": _acquire_locks,
    "release_locks": lambda name, m: operations.ReleaseLocks(m.lease),
    "set_event": lambda name, m: operations.SetEvent(name),
    "clear_event": lambda name, m: operations.ClearEvent(name),
    "wait_event": lambda name, m: operations.WaitEvent(name),
    "put_queue": lambda name, m: operations.PutQueue(name, _value(m.value), m.max_size, m.open, m.front),
    "get_queue": lambda name, m: operations.GetQueue(name, m.count, m.max_size, m.open),
    "count_queue": lambda name, m: operations.CountQueue(name),
    "close_queue": lambda name, m: operations.CloseQueue(name),
    "set_variable": lambda name, m: operations.SetVariable(name, _value(m.value)),
    "get_variable": lambda name, m: operations.GetVariable(name),
    "delete_variable": lambda name, m: operations.DeleteVariable(name),
    "publish_datasets": lambda name, m: operations.PublishDatasets(_datasets(m.entries), m.override),
    "get_datasets": lambda name, m: operations.GetDatasets(_names(m.names)),
    "unpublish_datasets": lambda name, m: operations.UnpublishDatasets(_names(m.names)),
    "list_datasets": lambda name, m: operations.ListDatasets(),
    "call_primitive": _call_primitive,
    "withdraw": lambda name, m: operations.CancelRequest(m.request),
    "took": lambda name, m: operations.AcknowledgeValues(m.request),
}

_REFUSALS = {
    operations.INCONSISTENT: pb.COORDINATION_REFUSAL_INCONSISTENT,
    operations.UNKNOWN: pb.COORDINATION_REFUSAL_UNKNOWN,
    operations.EXISTS: pb.COORDINATION_REFUSAL_EXISTS,
    operations.INVALID: pb.COORDINATION_REFUSAL_INVALID,
}


def write_answer(answer: Answer, message: pb.Coordinated) -> None:
    """Write an answer into a message."""
    message.request = answer.request
    if answer.done:
        message.done = True
    if answer.number:
        message.number = answer.number
    for value in answer.values:
        message.values.add().MergeFromString(value.data)
    if answer.lease_seconds:
        message.lease_seconds = answer.lease_seconds
    if answer.names:
        message.names.extend(answer.names)
    if answer.result is not None:
        write_plain(message.result, answer.result, "The result of an operation")
    if answer.refusal:
        message.refusal = _REFUSALS[answer.refusal]
        message.message = answer.message
