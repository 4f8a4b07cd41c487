"""The coordination primitives together: operations in, answers and events of the core out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from dagrpc_scheduler.coordination import operations
from dagrpc_scheduler.coordination import primitives as _registered  # noqa: F401
from dagrpc_scheduler.coordination.operations import INVALID, CallPrimitive, Operation, Outcome
from dagrpc_scheduler.coordination.primitive import CLASSES, Primitive, RefusedError
from dagrpc_scheduler.coordination.wait_queue import Request, WaitQueue

P = TypeVar("P", bound=Primitive)


class Coordinator:
    """Handles the operations of all clients.

    `lease_timeout` is the number of seconds that a lease is held without renewal; None: as long as its client is there.

    >>> coordinator = Coordinator(30.0)
    >>> coordinator.handle("a", 1, None, operations.SetEvent("start"), now=0.0)[0].done
    True
    """

    def __init__(self, lease_timeout: float | None) -> None:
        self.wait_queue = wait_queue = WaitQueue(lease_timeout)
        self._primitives = [primitive(wait_queue) for primitive in CLASSES]
        # Most primitives have no leases, and are not asked after each operation when the next one expires.
        self._leasing = [one for one in self._primitives if type(one).next_expiry is not Primitive.next_expiry]
        self._handlers: dict[type[Any], Callable[[Request, Any], None]] = {CallPrimitive: self._call}
        self._operations: dict[tuple[str, str], tuple[Callable[..., None], inspect.Signature]] = {}
        for primitive in self._primitives:
            self._handlers.update(primitive.handlers())
            self._operations.update(primitive.operations())

    def all_of(self, kind: type[P]) -> P:
        """Return the objects of a kind of primitive, for inspection."""
        return next(primitive for primitive in self._primitives if type(primitive) is kind)

    def handle(
        self, client: str, number: int, timeout: float | None, operation: Operation, now: float
    ) -> list[Outcome]:
        """Handle an operation, or let it wait.

        `number` identifies the request among those of its client and must not be used twice. `timeout` is the number of
        seconds that the request may wait; None: for ever. `now` comes from the clock that is also passed to `advance`.
        The outcomes are answers, to this and to other requests, and events for the core.
        """
        wait_queue = self.wait_queue
        wait_queue.now = now
        handler = self._handlers.get(type(operation))
        if handler is not None:
            deadline = None if timeout is None else now + timeout
            handler(Request(client, number, deadline), operation)
        else:
            self._handle_unanswered(client, operation)
        return self._outcomes()

    def _handle_unanswered(self, client: str, operation: Operation) -> None:
        match operation:
            case operations.CancelRequest(request):
                self.wait_queue.cancel(client, request)
            case operations.AcknowledgeValues(request):
                self.wait_queue.acknowledge(client, request)
            case operations.RenewLeases(leases):
                for primitive in self._leasing:
                    primitive.renew(client, leases)

    def _call(self, request: Request, call: CallPrimitive) -> None:
        """Handle an operation that a primitive declares itself."""
        found = self._operations.get((call.kind, call.operation))
        if found is None:
            text = f"This scheduler has no operation {call.operation!r} of a primitive {call.kind!r}"
            self.wait_queue.refuse(request, INVALID, text)
            return
        method, signature = found
        values = {"values": call.values} if call.values else {}
        try:
            bound = signature.bind(request, call.name, **call.arguments, **values)
        except TypeError as error:
            self.wait_queue.refuse(request, INVALID, f"Operation {call.operation!r} of a {call.kind}: {error}")
            return
        try:
            method(*bound.args, **bound.kwargs)
        except RefusedError as error:
            self.wait_queue.refuse(request, INVALID, str(error))

    def client_gone(self, client: str, now: float) -> list[Outcome]:
        """Cancel the waiting requests of a client that is gone, and release its leases, locks and results."""
        self.wait_queue.now = now
        self.wait_queue.cancel_all(client)
        for primitive in self._primitives:
            primitive.client_gone(client)
        self.wait_queue.acknowledge_all(client)
        return self._outcomes()

    def advance(self, now: float) -> list[Outcome]:
        """Expire the leases that were not renewed, and answer the requests whose time is up."""
        self.wait_queue.now = now
        for primitive in self._leasing:
            primitive.expire()
        self.wait_queue.time_out()
        return self._outcomes()

    def next_deadline(self) -> float | None:
        """Return when `advance` must be called; None: not before the next operation."""
        deadline = self.wait_queue.next_deadline()
        for primitive in self._leasing:
            expiry = primitive.next_expiry()
            if deadline is None or (expiry is not None and expiry < deadline):
                deadline = expiry
        return deadline

    def _outcomes(self) -> list[Outcome]:
        outcomes, self.wait_queue.outcomes = self.wait_queue.outcomes, []
        return outcomes
