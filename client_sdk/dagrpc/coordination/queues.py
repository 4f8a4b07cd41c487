"""Queues."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from dagrpc._client.coordination_client import Request
from dagrpc._client.submission_options import Duration
from dagrpc._client.waiting import Operation
from dagrpc.coordination._base import Primitive, new_name, wait_seconds
from dagrpc.coordination._values import await_known, check_alive, decode, encode
from dagrpc.v1 import coordination_pb2 as pb

__all__ = ["Queue"]


class Queue(Primitive):
    """A queue of futures and small data between clients and tasks; first in, first out.

    A future in the queue keeps its result on the cluster, also when the client that put it there is gone. All values
    pass through the scheduler: large data should be scattered, and the future be put into the queue.

    Parameters
    ----------
    name : str, optional
        Name of the queue; by default a new name.
    client : Client, optional
        The client to use; by default the current one.
    maxsize : int
        Number of values at which `put` waits; 0: no limit. The first user of the queue sets it.

    Examples
    --------
    >>> queue = Queue("jobs")
    >>> queue.put(client.submit(sum, [1, 2]))
    >>> queue.get().result()
    3
    """

    _arguments = ("name", "maxsize")

    def __init__(self, name: Hashable | None = None, client: Any = None, maxsize: int = 0) -> None:
        self._restore(new_name("queue") if name is None else name, maxsize)
        self._bind(client)

    def _restore(self, name: Hashable, maxsize: int) -> None:
        self.name = name
        self.maxsize = maxsize
        self._opened = False

    # --- public --------------------------------------------------------------------------------------------------

    def put(self, value: Any, timeout: Duration = None, **kwargs: Any) -> Any:
        """Put a value into the queue, as soon as there is room.

        Parameters
        ----------
        value : Future or anything that can be pickled
            The value.
        timeout : number, str or timedelta, optional
            How long to wait for room; for ever by default.

        Raises
        ------
        TimeoutError
            If there was no room in time, or a future was cancelled.

        Examples
        --------
        >>> queue = Queue(maxsize=1)
        >>> queue.put("a")
        >>> queue.put("b", timeout="10 ms")
        Traceback (most recent call last):
            ...
        TimeoutError: ...
        """
        return self._core.run(self._put(value, wait_seconds(timeout)))

    def get(self, timeout: Duration = None, batch: bool | int = False, **kwargs: Any) -> Any:
        """Take a value out of the queue, as soon as there is one.

        Parameters
        ----------
        timeout : number, str or timedelta, optional
            How long to wait for it; for ever by default.
        batch : bool or int
            True: return a list of all present values, without waiting. A number: return a list of so many values.

        Raises
        ------
        TimeoutError
            If there was none in time.
        NotImplementedError
            If `batch` is a number and there is a timeout.

        Examples
        --------
        >>> queue = Queue()
        >>> for item in "abc":
        ...     queue.put(item)
        >>> queue.get()
        'a'
        >>> queue.get(batch=True)
        ['b', 'c']
        """
        if isinstance(batch, bool):
            count = 0 if batch else 1
        elif timeout is not None:
            raise NotImplementedError("Dask queues don't support simultaneous use of integer batch sizes and timeouts")
        elif batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        else:
            count = batch
        return self._core.run(self._get(wait_seconds(timeout), count, batch is not False))

    def qsize(self, **kwargs: Any) -> Any:
        """Return how many values the queue holds.

        Examples
        --------
        >>> queue = Queue()
        >>> queue.put(1)
        >>> queue.qsize()
        1
        """
        return self._core.run(self._count())

    def close(self) -> Any:
        """Stop using the queue. The values are dropped when all its users have closed it.

        Examples
        --------
        >>> queue = Queue("jobs")
        >>> queue.close()
        """
        if self._opened:
            self._opened = False
            message = self._message()
            message.close_queue.SetInParent()
            self._core.session.coordination.tell(message)
        return self._core.completed()

    # --- operations ----------------------------------------------------------------------------------------------

    def _open(self, operation: pb.PutQueue | pb.GetQueue) -> None:
        operation.max_size = max(0, self.maxsize)
        operation.open = not self._opened
        self._opened = True

    def _put(self, value: Any, timeout: float | None) -> Operation[None]:
        core = self._core
        message = self._message(timeout)
        if futures := encode(value, message.put_queue.value):
            check_alive(futures)
            yield from await_known(core, futures)
        self._open(message.put_queue)
        answer = yield Request(core.session.coordination, message)
        if not answer.done:
            raise TimeoutError(f"There was no room in queue {self.name!r} within {timeout:g} s")

    def _get(self, timeout: float | None, count: int, as_list: bool) -> Operation[Any]:
        core = self._core
        message = self._message(timeout)
        message.get_queue.count = count
        self._open(message.get_queue)
        request = Request(core.session.coordination, message, undo=self._put_back)
        answer = yield request
        if not answer.done:
            raise TimeoutError(f"There was nothing in queue {self.name!r} within {timeout:g} s")
        values = yield from decode(core, request)
        return values if as_list else values[0]

    def _put_back(self, request: Request) -> Sequence[pb.Coordinate]:
        assert request.answer is not None
        messages = []
        for value in reversed(request.answer.values):
            message = self._message()
            message.put_queue.value.CopyFrom(value)
            message.put_queue.front = True
            message.put_queue.max_size = max(0, self.maxsize)
            messages.append(message)
        return messages

    def _count(self) -> Operation[int]:
        message = self._message()
        message.count_queue.SetInParent()
        answer = yield Request(self._core.session.coordination, message)
        return int(answer.number)
