"""Messages from publishers to present subscribers, for older programs; `Client.subscribe_topic` replaces them."""

from __future__ import annotations

import pickle
import weakref
from collections import deque
from collections.abc import Hashable
from typing import Any, Self

from dagrpc._client.client_session import ClientSession
from dagrpc._client.key_table import lock
from dagrpc._client.submission_options import Duration
from dagrpc._client.waiting import Deadline, Gate, Operation, run_awaiting
from dagrpc._codec.pickle5 import dumps_inband
from dagrpc._codec.plain import encode_plain
from dagrpc.coordination._base import Primitive, wait_seconds, wire_name
from dagrpc.exceptions import CommClosedError
from dagrpc.v1 import event_service_pb2

__all__ = ["Pub", "Sub"]


def _topic(name: Hashable) -> str:
    return f"pubsub-{wire_name(name)}"


class Pub(Primitive):
    """Sends messages to all `Sub` objects of its name.

    Parameters
    ----------
    name : str
        Name of the topic.
    worker : Worker, optional
        Accepted for compatibility.
    client : Client, optional
        The client to use; by default the current one.

    Examples
    --------
    >>> sub = Sub("temperatures")
    >>> pub = Pub("temperatures")
    >>> pub.put({"oven": 180})
    >>> sub.get(timeout="10s")
    {'oven': 180}
    """

    def __init__(self, name: Hashable, worker: Any = None, client: Any = None) -> None:
        self._restore(name)
        self._bind(client)

    def _restore(self, name: Hashable) -> None:
        self.name = name

    def put(self, msg: Any) -> Any:
        """Send a message, without waiting.

        Parameters
        ----------
        msg : anything that can be pickled
            The message. It does not keep futures in it alive.

        Examples
        --------
        >>> Pub("temperatures").put({"oven": 180})
        """
        core = self._core
        core.check_open()
        message = encode_plain(dumps_inband(msg))
        core.session.send(event_service_pb2.LogEvent(topics=[_topic(self.name)], message=message, transient=True))
        return core.completed()


class _Inbox:
    """The messages for a `Sub`. An inbox belongs to one session, whose lock guards it."""

    def __init__(self, session: ClientSession) -> None:
        self.session = session
        self.messages: deque[Any] = deque()
        self.ended = False
        self.waiting: list[Gate] = []

    def received(self, message: Any) -> None:
        """Take a message. Called under the lock."""
        self.messages.append(message)
        if self.waiting:
            self.waiting.pop(0).open()

    def end(self) -> None:
        """Expect no more messages. Called under the lock."""
        self.ended = True
        for gate in self.waiting:
            gate.open()


class _Arrival(Gate):
    """A wait for a message in an inbox. Its outcome is whether one came before the deadline."""

    __slots__ = ("_deadline", "_inbox")

    def __init__(self, inbox: _Inbox, deadline: Deadline) -> None:
        super().__init__()
        self._inbox = inbox
        self._deadline = deadline

    def _must_wait(self) -> bool:
        with lock:
            if self._inbox.messages or self._inbox.ended:
                return False
            self._inbox.waiting.append(self)
            return True

    def _leave(self) -> None:
        with lock:
            if self in self._inbox.waiting:
                self._inbox.waiting.remove(self)
            elif self._inbox.messages and self._inbox.waiting:
                # The wait was woken, but has ended: by its deadline or by Ctrl-C.
                self._inbox.waiting.pop(0).open()

    def block(self, timeout: float | None = None) -> bool:
        """Wait in the calling thread."""
        self.prepare_to_block()
        try:
            return not self._must_wait() or super().block(self._deadline.left())
        finally:
            self._leave()

    async def suspend(self, timeout: float | None = None) -> bool:
        """Wait on the running event loop."""
        self.prepare_to_suspend()
        try:
            return not self._must_wait() or await super().suspend(self._deadline.left())
        finally:
            self._leave()


class Sub(Primitive):
    """Receives the messages that all `Pub` objects of its name send from now on.

    Parameters
    ----------
    name : str
        Name of the topic.
    worker : Worker, optional
        Accepted for compatibility.
    client : Client, optional
        The client to use; by default the current one.

    Examples
    --------
    >>> sub = Sub("temperatures")
    >>> def measure():
    ...     pub = Pub("temperatures")
    ...     for temperature in (20, 21):
    ...         pub.put(temperature)
    >>> client.submit(measure).result()
    >>> sub.get(timeout="10s"), next(sub)
    (20, 21)
    """

    def __init__(self, name: Hashable, worker: Any = None, client: Any = None) -> None:
        self._restore(name)
        self._bind(client)
        if self._bound is not None:
            self._listen()

    def _restore(self, name: Hashable) -> None:
        self.name = name
        self._inbox: _Inbox | None = None

    def _listen(self) -> _Inbox:
        """Return the inbox at the present client's session, and subscribe if it is new."""
        session = self._core.session
        if self._inbox is None or self._inbox.session is not session:
            inbox = self._inbox = _Inbox(session)
            topic = _topic(self.name)
            session.topics.listen(topic, inbox)
            # On the loop, since a finalizer may run in any thread.
            end = weakref.finalize(self, session.loop.call_soon, session.topics.unlisten, topic, inbox)
            end.atexit = False
        return self._inbox

    def get(self, timeout: Duration = None) -> Any:
        """Return the next message, as soon as there is one.

        Parameters
        ----------
        timeout : number, str or timedelta, optional
            How long to wait for it; for ever by default.

        Raises
        ------
        TimeoutError
            If none came in time.

        Examples
        --------
        >>> Sub("silence").get(timeout="10 ms")
        Traceback (most recent call last):
            ...
        TimeoutError: ...
        """
        return self._core.run(self._get(wait_seconds(timeout)))

    def _get(self, timeout: float | None) -> Operation[Any]:
        inbox = self._listen()
        deadline = Deadline(timeout)
        while True:
            with lock:
                if inbox.messages:
                    data = inbox.messages.popleft()
                    break
                if inbox.ended:
                    raise CommClosedError(f"No more messages come for {self!r}: its client has closed")
            in_time = yield _Arrival(inbox, deadline)
            if not in_time and not inbox.messages:
                raise TimeoutError(f"There was no message for {self!r} within {timeout:g} s")
        return pickle.loads(data)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self.get()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return await run_awaiting(self._get(None))
