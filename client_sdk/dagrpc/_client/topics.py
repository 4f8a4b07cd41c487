"""Subscribed events: from the session to the handlers of users, in order, without blocking the session."""

from __future__ import annotations

import asyncio
import inspect
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from dagrpc._client.key_table import lock
from dagrpc._client.session_port import SessionPort
from dagrpc._codec.plain import decode_plain
from dagrpc.v1 import event_service_pb2 as pb

logger = logging.getLogger("dagrpc.client")

Event: TypeAlias = tuple[float, Any]
"""Time, in seconds since the epoch, and message."""
Handler: TypeAlias = Callable[[Event], Any]


class Listener(Protocol):
    """Takes the messages of a topic."""

    def received(self, message: Any) -> None:
        """Take a message. Called on the IO loop, under the lock."""

    def end(self) -> None:
        """Note that no more messages come. Called under the lock."""


_BACKLOG = 100_000
"""Events that wait for handlers at most; further events are dropped."""
_SHOW = 0.5
"""Seconds that a result waits at most for output that was printed before it."""
_CHECK_SECONDS = 1.0
"""Seconds between two checks whether the event loop of a handler is open."""


@dataclass(slots=True)
class _Subscription:
    handler: Handler
    loop: asyncio.AbstractEventLoop | None
    """Event loop of the handler; None: the handler is called on the handlers' thread."""
    shows: bool = False
    """Whether the handler shows output, which users have to see before later results. Such a handler is fast."""


class Topics:
    """The topics that a client subscribes to."""

    def __init__(self, session: SessionPort) -> None:
        self._session = session
        self._handlers: dict[str, _Subscription] = {}
        """Handlers by topic. The lock guards all attributes."""
        self._listeners: dict[str, list[Listener]] = {}
        self._backlog: queue.SimpleQueue[tuple[str, float, bytes, bool] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._full = False
        self._ended = False
        self.to_show = 0
        """Events that wait for a handler that shows output."""
        self._shown = threading.Event()

    # --- from any thread -----------------------------------------------------------------------------------------

    def wanted(self) -> list[str]:
        """Return the subscribed topics."""
        with lock:
            return list(dict.fromkeys([*self._handlers, *self._listeners]))

    def preset(self, handlers: dict[str, Handler]) -> None:
        """Subscribe to topics before the session begins; its greeting names them."""
        for topic, handler in handlers.items():
            self._handlers[topic] = _Subscription(handler, None, shows=True)

    def wait_until_shown(self) -> None:
        """Wait until received output is shown, but not for long."""
        if threading.current_thread() is not self._thread:
            self._shown.wait(_SHOW)

    def subscribe(self, topics: Sequence[str], handler: Handler, loop: asyncio.AbstractEventLoop | None) -> None:
        """Set the handler of topics."""
        with lock:
            self._session.check_open()
            new = [topic for topic in topics if topic not in self._handlers and topic not in self._listeners]
            for topic in topics:
                self._handlers[topic] = _Subscription(handler, loop)
            if new:
                self._session.send(pb.SubscribeTopics(topics=new))

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """Remove the handlers of topics.

        Raises
        ------
        ValueError
            If a topic has no handler. Then no handler is removed.
        """
        with lock:
            self._session.check_open()
            for topic in topics:
                if topic not in self._handlers:
                    raise ValueError(f"No event handler known for topic {topic!r}: subscribe_topic sets one")
            for topic in topics:
                del self._handlers[topic]
            self._unsubscribe_unwanted(topics)

    def listen(self, topic: str, listener: Listener) -> None:
        """Add a listener to a topic, which may have other listeners and a handler, too."""
        with lock:
            self._session.check_open()
            is_new = topic not in self._handlers and topic not in self._listeners
            self._listeners.setdefault(topic, []).append(listener)
            if is_new:
                self._session.send(pb.SubscribeTopics(topics=[topic]))

    def unlisten(self, topic: str, listener: Listener) -> None:
        """Remove a listener from a topic."""
        with lock:
            listeners = self._listeners.get(topic, [])
            if listener in listeners:
                listeners.remove(listener)
                if not listeners:
                    del self._listeners[topic]
                self._unsubscribe_unwanted([topic])

    def _unsubscribe_unwanted(self, topics: Sequence[str]) -> None:
        unwanted = [topic for topic in topics if topic not in self._handlers and topic not in self._listeners]
        if unwanted and self._session.status not in ("closing", "closed"):
            self._session.send(pb.UnsubscribeTopics(topics=unwanted))

    # --- on the IO loop ------------------------------------------------------------------------------------------

    def received(self, event: pb.TopicEvent) -> None:
        """Take an event. Called under the lock."""
        topic, message = event.topic, event.message
        for listener in self._listeners.get(topic, ()):
            try:
                listener.received(decode_plain(message))
            except Exception:
                logger.exception("An event of topic %r could not be taken", topic)
        if topic not in self._handlers or self._ended:
            return
        if self._backlog.qsize() >= _BACKLOG:
            if not self._full:
                logger.warning("Handlers of events are too slow: events are dropped, the first of topic %r", topic)
            self._full = True
            return
        self._full = False
        if self._handlers[topic].shows:
            self.to_show += 1
            self._shown.clear()
        self._backlog.put((topic, event.time, message, self._handlers[topic].shows))
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="dagrpc-events", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Stop after the handlers of all received events were called, since the session ends."""
        with lock:
            self._ended = True
            for listeners in self._listeners.values():
                for listener in listeners:
                    listener.end()
            if self._thread is not None:
                self._backlog.put(None)

    # --- on the thread of the handlers ---------------------------------------------------------------------------

    def _serve(self) -> None:
        while (item := self._backlog.get()) is not None:
            topic, time, data, to_show = item
            subscription = self._handlers.get(topic)
            try:
                if subscription is not None:
                    self._call(subscription, (time, decode_plain(data)))
            # SystemExit included: a handler must not end the thread.
            except BaseException:
                logger.exception("The handler of an event of topic %r failed", topic)
            if to_show:
                with lock:
                    self.to_show -= 1
                    if not self.to_show:
                        self._shown.set()

    def _call(self, subscription: _Subscription, event: Event) -> None:
        if subscription.loop is not None:
            self._wait_for(_on_loop(subscription.handler, event), subscription.loop)
            return
        result = subscription.handler(event)
        if inspect.isawaitable(result):
            self._wait_for(_finish(result), self._session.loop.loop)

    @staticmethod
    def _wait_for(coroutine: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Run a coroutine on a loop and wait for its end, so that events are handled in order."""
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:
            coroutine.close()
            return
        while not future.done():
            try:
                future.result(_CHECK_SECONDS)
            except TimeoutError:
                if future.done():
                    raise
                if loop.is_closed():
                    return
        future.result()


async def _on_loop(handler: Handler, event: Event) -> None:
    result = handler(event)
    if inspect.isawaitable(result):
        await result


async def _finish(awaitable: Any) -> None:
    await awaitable
