"""First-in-first-out queues of values, with or without a maximum size."""

from __future__ import annotations

from collections import OrderedDict, deque

from dagrpc_scheduler.coordination.operations import CloseQueue, CountQueue, GetQueue, PutQueue, Value
from dagrpc_scheduler.coordination.primitive import Primitive, handles
from dagrpc_scheduler.coordination.wait_queue import Request, WaitQueue


class _Getter:
    """The values that a waiting `get` has received so far."""

    __slots__ = ("count", "values")

    def __init__(self, count: int) -> None:
        self.count = count
        self.values: list[Value] = []


class Queue:
    """One queue."""

    __slots__ = ("_all", "getters", "max_size", "name", "putters", "users", "values")

    def __init__(self, all_queues: Queues, name: str, max_size: int) -> None:
        self._all = all_queues
        self.name = name
        self.max_size = max_size
        self.users = 0
        """Number of users that have opened the queue and not closed it."""
        self.values: deque[Value] = deque()
        self.getters: OrderedDict[Request, _Getter] = OrderedDict()
        self.putters: OrderedDict[Request, Value] = OrderedDict()

    @property
    def holder(self) -> str:
        """The name under which the queue holds results."""
        return f"queue-{self.name}"

    def leave(self, request: Request) -> None:
        """Remove a waiting request; the values that it had received go to the next one."""
        getter = self.getters.pop(request, None)
        if getter is None:
            del self.putters[request]
        else:
            self.values.extendleft(reversed(getter.values))
        self._all.serve(self)


class Queues(Primitive):
    """All queues."""

    def __init__(self, wait_queue: WaitQueue) -> None:
        super().__init__(wait_queue)
        self._by_name: dict[str, Queue] = {}

    def _queue(self, name: str, max_size: int, open_it: bool) -> Queue:
        queue = self._by_name.get(name)
        if queue is None:
            queue = self._by_name[name] = Queue(self, name, max_size)
        if open_it:
            queue.users += 1
        return queue

    # --- operations ----------------------------------------------------------------------------------------------

    @handles(PutQueue)
    def put(self, request: Request, operation: PutQueue) -> None:
        """Put a value, now or once there is room."""
        queue = self._queue(operation.name, operation.max_size, operation.open)
        if operation.front:
            queue.values.appendleft(self._held(queue, operation.value))
            self._wait_queue.answer(request)
        # A waiting `get` makes room for a value, whatever the maximum size is.
        elif not queue.putters and (not queue.max_size or queue.getters or len(queue.values) < queue.max_size):
            queue.values.append(self._held(queue, operation.value))
            self._wait_queue.answer(request)
        elif self._wait_queue.may_wait(request):
            queue.putters[request] = operation.value
            self._wait_queue.wait(request, queue)
        self.serve(queue)

    @handles(GetQueue)
    def get(self, request: Request, operation: GetQueue) -> None:
        """Answer with values, now or once there are enough."""
        queue = self._queue(operation.name, operation.max_size, operation.open)
        if operation.count == 0:
            values = list(queue.values)
            queue.values.clear()
            self._give(queue, request, values)
        elif queue.getters or len(queue.values) < operation.count:
            if self._wait_queue.may_wait(request):
                queue.getters[request] = _Getter(operation.count)
                self._wait_queue.wait(request, queue)
        else:
            self._give(queue, request, [queue.values.popleft() for _ in range(operation.count)])
        self.serve(queue)

    @handles(CountQueue)
    def count(self, request: Request, operation: CountQueue) -> None:
        """Answer with the number of values."""
        queue = self._by_name.get(operation.name)
        self._wait_queue.answer(request, number=0 if queue is None else len(queue.values))

    @handles(CloseQueue)
    def close(self, request: Request, operation: CloseQueue) -> None:
        """Remove a user; with the last one, the values are dropped."""
        self._wait_queue.answer(request)
        queue = self._by_name.get(operation.name)
        if queue is None:
            return
        queue.users = max(0, queue.users - 1)
        if not queue.users:
            values = list(queue.values)
            queue.values.clear()
            self._release_keys(queue, values)
            self.serve(queue)

    # --- values --------------------------------------------------------------------------------------------------

    def _held(self, queue: Queue, value: Value) -> Value:
        if value.keys:
            self._wait_queue.hold_keys(queue.holder, value.keys)
        return value

    def _release_keys(self, queue: Queue, values: list[Value]) -> None:
        keys = [key for value in values for key in value.keys]
        if keys:
            self._wait_queue.release_keys(queue.holder, keys)

    def _give(self, queue: Queue, request: Request, values: list[Value]) -> None:
        self._wait_queue.hold_until_acknowledged(request, queue.holder, values)
        self._wait_queue.answer(request, values=values)

    def serve(self, queue: Queue) -> None:
        """Serve the waiting `get` and `put` requests as far as possible."""
        while True:
            while queue.getters and queue.values:
                request, getter = next(iter(queue.getters.items()))
                getter.values.append(queue.values.popleft())
                if len(getter.values) == getter.count:
                    del queue.getters[request]
                    self._give(queue, request, getter.values)
            if not queue.putters or (len(queue.values) >= queue.max_size and not queue.getters):
                break
            request, value = queue.putters.popitem(last=False)
            queue.values.append(self._held(queue, value))
            self._wait_queue.answer(request)
        if not (queue.users or queue.values or queue.getters or queue.putters):
            # A queue with a maximum size is dropped as well; the next user says how large it may be.
            self._by_name.pop(queue.name, None)

    def state(self, name: str) -> Queue | None:
        """Return a queue, for inspection."""
        return self._by_name.get(name)
