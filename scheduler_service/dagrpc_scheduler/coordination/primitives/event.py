"""Events: flags that can be waited for."""

from __future__ import annotations

from collections import OrderedDict

from dagrpc_scheduler.coordination.operations import ClearEvent, SetEvent, WaitEvent
from dagrpc_scheduler.coordination.primitive import Primitive, handles
from dagrpc_scheduler.coordination.wait_queue import Line, Request, WaitQueue


class _Waiting:
    """The requests that wait for an event."""

    __slots__ = ("_all", "line", "name")

    def __init__(self, all_events: Events, name: str) -> None:
        self._all = all_events
        self.name = name
        self.line: Line = OrderedDict()

    def leave(self, request: Request) -> None:
        """Remove a waiting request."""
        del self.line[request]
        if not self.line:
            self._all.forget(self.name)


class Events(Primitive):
    """All events. An event that is not set and that nobody waits for takes no memory."""

    def __init__(self, wait_queue: WaitQueue) -> None:
        super().__init__(wait_queue)
        self._set: set[str] = set()
        self._waiting: dict[str, _Waiting] = {}

    @handles(SetEvent)
    def set(self, request: Request, operation: SetEvent) -> None:
        """Set an event and answer the waiting requests in order of arrival."""
        self._set.add(operation.name)
        self._wait_queue.answer(request)
        waiting = self._waiting.pop(operation.name, None)
        if waiting is not None:
            for waiter in waiting.line:
                self._wait_queue.answer(waiter)

    @handles(ClearEvent)
    def clear(self, request: Request, operation: ClearEvent) -> None:
        """Clear an event."""
        self._set.discard(operation.name)
        self._wait_queue.answer(request)

    @handles(WaitEvent)
    def wait(self, request: Request, operation: WaitEvent) -> None:
        """Answer once an event is set."""
        name = operation.name
        if name in self._set:
            self._wait_queue.answer(request)
        elif self._wait_queue.may_wait(request):
            waiting = self._waiting.get(name)
            if waiting is None:
                waiting = self._waiting[name] = _Waiting(self, name)
            waiting.line[request] = None
            self._wait_queue.wait(request, waiting)

    def forget(self, name: str) -> None:
        """Drop an event that nobody waits for any more."""
        self._waiting.pop(name, None)
