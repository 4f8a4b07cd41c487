"""Events by topic: the latest ones, and the clients that subscribe to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Any


class Topics:
    """All topics. A topic without events takes no memory.

    `length` is the number of events that are kept for each topic, `cleanup_delay` the number of seconds that an unused
    topic is kept; None: for ever.

    >>> topics = Topics(1_000, 3600.0)
    >>> topics.subscribe("a", ["news"])
    >>> list(topics.log("news", 12.5, b"message"))
    ['a']
    >>> topics.history("news")
    [(12.5, b'message')]
    """

    def __init__(self, length: int, cleanup_delay: float | None) -> None:
        self._length = max(length, 0)
        self._cleanup_delay = cleanup_delay
        self._history: dict[str, deque[tuple[float, Any]]] = {}
        self._subscribers: dict[str, dict[str, None]] = {}
        """Clients by topic, in order of subscription."""
        self._subscriptions: dict[str, dict[str, None]] = {}
        """Topics by client."""
        self._ending: dict[str, float] = {}
        """When to drop unused topics, the earliest first."""

    # --- events --------------------------------------------------------------------------------------------------

    def log(self, topic: str, time: float, message: Any, keep: bool = True) -> Collection[str]:
        """Record an event and return the subscribed clients."""
        if keep and self._length:
            history = self._history.get(topic)
            if history is None:
                history = self._history[topic] = deque(maxlen=self._length)
            history.append((time, message))
        return self._subscribers.get(topic, ())

    def history(self, topic: str) -> list[tuple[float, Any]]:
        """Return times and messages of a topic's events, oldest first."""
        return list(self._history.get(topic, ()))

    def names(self) -> list[str]:
        """Return the topics with events."""
        return list(self._history)

    # --- subscriptions ------------------------------------------------------------------------------------------

    def subscribe(self, client: str, topics: Iterable[str]) -> None:
        """Subscribe a client to topics."""
        for topic in topics:
            self._subscribers.setdefault(topic, {})[client] = None
            self._subscriptions.setdefault(client, {})[topic] = None

    def unsubscribe(self, client: str, topics: Iterable[str]) -> None:
        """End a client's subscriptions to topics."""
        for topic in topics:
            own = self._subscriptions.get(client, {})
            if topic not in own:
                continue
            del own[topic]
            if not own:
                del self._subscriptions[client]
            subscribers = self._subscribers[topic]
            del subscribers[client]
            if not subscribers:
                del self._subscribers[topic]

    def client_gone(self, client: str) -> None:
        """End all subscriptions of a client."""
        self.unsubscribe(client, list(self._subscriptions.get(client, ())))

    # --- cleanup ------------------------------------------------------------------------------------------------

    def end(self, topic: str, now: float) -> None:
        """Mark a topic as unused, such as that of a worker that left."""
        if self._cleanup_delay is not None:
            self._ending.pop(topic, None)
            self._ending[topic] = now + self._cleanup_delay

    def begin(self, topic: str) -> None:
        """Mark a topic as used again."""
        self._ending.pop(topic, None)

    def advance(self, now: float) -> None:
        """Drop the unused topics whose delay is over."""
        while self._ending:
            topic, time = next(iter(self._ending.items()))
            if time > now:
                return
            del self._ending[topic]
            self._history.pop(topic, None)
