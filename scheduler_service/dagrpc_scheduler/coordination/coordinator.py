"""The coordination primitives together: operations in, answers and events of the core out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dagrpc_scheduler.coordination import operations
from dagrpc_scheduler.coordination.datasets import Datasets
from dagrpc_scheduler.coordination.event import Events
from dagrpc_scheduler.coordination.multilock import MultiLocks
from dagrpc_scheduler.coordination.operations import Operation, Outcome
from dagrpc_scheduler.coordination.queues import Queues
from dagrpc_scheduler.coordination.semaphore import Semaphores
from dagrpc_scheduler.coordination.variable import Variables
from dagrpc_scheduler.coordination.wait_queue import Request, WaitQueue


class Coordinator:
    """Handles the operations of all clients.

    `lease_timeout` is the number of seconds that a lease is held without renewal; None: as long as its client is there.

    >>> coordinator = Coordinator(30.0)
    >>> coordinator.handle("a", 1, None, operations.SetEvent("start"), now=0.0)[0].done
    True
    """

    def __init__(self, lease_timeout: float | None) -> None:
        self.wait_queue = wait_queue = WaitQueue(lease_timeout)
        self.semaphores = semaphores = Semaphores(wait_queue)
        self.multilocks = multilocks = MultiLocks(wait_queue)
        self.events = events = Events(wait_queue)
        self.queues = queues = Queues(wait_queue)
        self.variables = variables = Variables(wait_queue)
        self.datasets = datasets = Datasets(wait_queue)
        self._handlers: dict[type[Any], Callable[[Request, Any], None]] = {
            operations.AcquireLease: semaphores.acquire,
            operations.ReleaseLease: semaphores.release,
            operations.RegisterSemaphore: semaphores.register,
            operations.CountLeases: semaphores.count,
            operations.CloseSemaphore: semaphores.close,
            operations.AcquireLocks: multilocks.acquire,
            operations.ReleaseLocks: multilocks.release,
            operations.SetEvent: events.set,
            operations.ClearEvent: events.clear,
            operations.WaitEvent: events.wait,
            operations.PutQueue: queues.put,
            operations.GetQueue: queues.get,
            operations.CountQueue: queues.count,
            operations.CloseQueue: queues.close,
            operations.SetVariable: variables.set,
            operations.GetVariable: variables.get,
            operations.DeleteVariable: variables.delete,
            operations.PublishDatasets: datasets.publish,
            operations.GetDatasets: datasets.get,
            operations.UnpublishDatasets: datasets.unpublish,
            operations.ListDatasets: datasets.list,
        }

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
                self.semaphores.renew(client, leases)

    def client_gone(self, client: str, now: float) -> list[Outcome]:
        """Cancel the waiting requests of a client that is gone, and release its leases, locks and results."""
        self.wait_queue.now = now
        self.wait_queue.cancel_all(client)
        self.semaphores.client_gone(client)
        self.multilocks.client_gone(client)
        self.wait_queue.acknowledge_all(client)
        return self._outcomes()

    def advance(self, now: float) -> list[Outcome]:
        """Expire the leases that were not renewed, and answer the requests whose time is up."""
        self.wait_queue.now = now
        self.semaphores.expire()
        self.wait_queue.time_out()
        return self._outcomes()

    def next_deadline(self) -> float | None:
        """Return when `advance` must be called; None: not before the next operation."""
        deadline, expiry = self.wait_queue.next_deadline(), self.semaphores.next_expiry()
        if deadline is None or expiry is None:
            return expiry if deadline is None else deadline
        return min(deadline, expiry)

    def _outcomes(self) -> list[Outcome]:
        outcomes, self.wait_queue.outcomes = self.wait_queue.outcomes, []
        return outcomes
