"""Events by topic: what is remembered of them, and who wants to hear of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Any


class Topics:
    """All topics. One without events takes no memory.

    Parameters
    ----------
    length : int
        How many events of a topic are remembered.
    cleanup_delay : float or None
        How many seconds a topic is remembered that is of no more use; None: for ever.

    Examples
    --------
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
        """Clients by topic, in the order in which they came."""
        self._subscriptions: dict[str, dict[str, None]] = {}
        """Topics by client."""
        self._ending: dict[str, float] = {}
        """When to forget topics of no more use, the earliest first."""

    # --- events --------------------------------------------------------------------------------------------------

    def log(self, topic: str, time: float, message: Any, keep: bool = True) -> Collection[str]:
        """Take note of an event, and return the clients that are to be told."""
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
        """Return the topics that there are events of."""
        return list(self._history)

    # --- who wants them ------------------------------------------------------------------------------------------

    def subscribe(self, client: str, topics: Iterable[str]) -> None:
        """Have a client told of the events of topics."""
        for topic in topics:
            self._subscribers.setdefault(topic, {})[client] = None
            self._subscriptions.setdefault(client, {})[topic] = None

    def unsubscribe(self, client: str, topics: Iterable[str]) -> None:
        """Have a client told of them no more."""
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
        """Forget what a client wanted."""
        self.unsubscribe(client, list(self._subscriptions.get(client, ())))

    # --- forgetting ----------------------------------------------------------------------------------------------

    def end(self, topic: str, now: float) -> None:
        """Note that a topic is of no more use, such as that of a worker that left."""
        if self._cleanup_delay is not None:
            self._ending.pop(topic, None)
            self._ending[topic] = now + self._cleanup_delay

    def begin(self, topic: str) -> None:
        """Note that a topic is of use, again maybe."""
        self._ending.pop(topic, None)

    def advance(self, now: float) -> None:
        """Forget the topics whose time has come."""
        while self._ending:
            topic, time = next(iter(self._ending.items()))
            if time > now:
                return
            del self._ending[topic]
            self._history.pop(topic, None)
