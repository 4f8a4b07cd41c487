"""The event log: events by topic, from sessions and the scheduler itself, for the clients that subscribe."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from dagrpc import config
from dagrpc._codec.plain import decode_plain, encode_plain, topic_names
from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import event_service_pb2 as pb
from dagrpc_scheduler.coordination.topic_log import Topics
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

logger = logging.getLogger("dagrpc.scheduler")

ALL = "all"
"""The topic of events that concern the whole cluster."""
TOPIC_LIMIT = 16 * 1024
"""Longest topic in bytes."""
_BEHIND = 100_000
"""Items that may wait for a client before it misses events."""
_STATUSES = {"retiring": "closing_gracefully"}
"""Statuses that users of distributed know by another name."""
_ANSWER_LIMIT = 32 * 2**20
"""Bytes of one answer with events."""


class EventLog(Mapping[str, list[tuple[float, Any]]]):
    """The events of a scheduler: times and messages by topic, oldest first."""

    def __init__(self, peers: ConnectedPeers, home: ServiceHome) -> None:
        self._peers = peers
        self._home = home
        length = int(config.get("admin.low-level-log-length"))
        self._topics = Topics(length, config.get_seconds("scheduler.events-cleanup-delay"))
        self.listeners: list[Callable[[str, Any], object]] = []
        """Called on the event loop with topic and message of each event."""
        self._behind: set[str] = set()
        """Clients that miss events because they read too slowly."""

    # --- events of the scheduler ---------------------------------------------------------------------------------

    def log(self, topics: str | Iterable[str], message: Any) -> None:
        """Log an event of the scheduler's own; its message is encoded later, and must not change until then."""
        now = time.time()
        if type(message) is bytes:
            # Encoded messages are bytes, so a message of bytes must be encoded at once.
            message = encode_plain(message)
        for topic in (topics,) if isinstance(topics, str) else topics:
            self._log(topic, now, message, True)

    def tell(self, clients: Collection[str], topic: str, message: Any) -> None:
        """Log an event of the scheduler's own of which only some subscribers are told."""
        now = time.time()
        subscribers = self._topics.log(topic, now, message, True)
        event = pb.TopicEvent(topic=topic, time=now, message=encode_plain(message))
        for client in clients:
            if client in subscribers:
                self._tell(client, event)
        self._tell_listeners(topic, message)

    def worker(self, address: str, action: str, **details: Any) -> None:
        """Log an event of a worker, under its address and for the whole cluster."""
        self.log(address, {"action": action, **details})
        self.log(ALL, {"action": action, **details, "worker": address})

    def client(self, client: str, action: str) -> None:
        """Log an event of a client, under its id and for the whole cluster."""
        self.log((client, ALL), {"action": action, "client": client})

    def log_event(self, topic: str | Collection[str], message: Any) -> None:
        """Log an event for user code on the scheduler, from any thread; it is in the log when this returns."""
        event = pb.LogEvent(topics=topic_names(topic), message=encode_plain(message))
        if self._home.bound:
            self._home.call(self.take, event)
        else:
            self.take(event)

    # --- events of sessions --------------------------------------------------------------------------------------

    def take(self, message: pb.LogEvent) -> None:
        """Log an event of a client or worker, or raise `InvalidRequestError` for a topic that cannot be."""
        now = time.time()
        for topic in map(_checked, message.topics):
            self._log(topic, now, message.message, not message.transient)

    def subscribe(self, client: str, topics: Iterable[str]) -> None:
        """Subscribe a client to topics, or raise `InvalidRequestError` for a topic that cannot be."""
        self._topics.subscribe(client, list(map(_checked, topics)))

    def unsubscribe(self, client: str, topics: Iterable[str]) -> None:
        """End a client's subscription of topics."""
        self._topics.unsubscribe(client, topics)

    # --- workers and clients -------------------------------------------------------------------------------------

    def worker_added(self, address: str, stimulus: str) -> None:
        """Log that a worker has joined."""
        self._topics.begin(address)
        self.worker(address, "add-worker")
        self.status_changed(address, "init", "running", stimulus)

    def status_changed(self, address: str, before: str, after: str, stimulus: str) -> None:
        """Log that a worker's status changed."""
        if before != after:
            message = {
                "action": "worker-status-change",
                "prev-status": _STATUSES.get(before, before),
                "status": _STATUSES.get(after, after),
                "stimulus_id": stimulus,
            }
            self.log(address, message)

    def worker_removed(self, address: str, **details: Any) -> None:
        """Log that a worker has left, and keep its topic for a while."""
        self.worker(address, "remove-worker", **details)
        self._topics.end(address, time.time())

    def client_added(self, client: str, topics: Iterable[str]) -> None:
        """Log that a client has connected, and subscribe it to topics."""
        self.subscribe(client, topics)
        self.client(client, "add-client")

    def client_removed(self, client: str) -> None:
        """Log that a client has left, and keep its topic for a while."""
        self._topics.client_gone(client)
        self._behind.discard(client)
        self.client(client, "remove-client")
        self._topics.end(client, time.time())

    # --- out -----------------------------------------------------------------------------------------------------

    def _log(self, topic: str, now: float, message: Any, keep: bool) -> None:
        subscribers = self._topics.log(topic, now, message, keep)
        if subscribers:
            event = pb.TopicEvent(topic=topic, time=now, message=_encoded(message))
            for client in subscribers:
                self._tell(client, event)
        if self.listeners:
            self._tell_listeners(topic, message)

    def _tell(self, client: str, event: pb.TopicEvent) -> None:
        session = self._peers.clients.get(client)
        if session is None:
            return
        if session.queued < _BEHIND:
            self._behind.discard(client)
            session.send(event)
        elif client not in self._behind:
            self._behind.add(client)
            logger.warning(
                "Client %s reads too slowly, %d items wait for it: it misses events",
                client,
                session.queued,
                extra={"client": client},
            )

    def _tell_listeners(self, topic: str, message: Any) -> None:
        for listener in list(self.listeners):
            try:
                listener(topic, decode_plain(message) if type(message) is bytes else message)
            except Exception:
                logger.exception("Listener %r failed for an event of topic %r", listener, topic)

    def __getitem__(self, topic: str) -> list[tuple[float, Any]]:
        history = self._topics.history(topic)
        if not history:
            raise KeyError(topic)
        return [(time, decode_plain(message) if type(message) is bytes else message) for time, message in history]

    def __iter__(self) -> Iterator[str]:
        return iter(self._topics.names())

    def __len__(self) -> int:
        return len(self._topics.names())

    def advance(self, now: float) -> None:
        """Forget the topics of workers and clients that left long ago."""
        self._topics.advance(now)

    def histories(self, topics: Iterable[str]) -> pb.GetEventsResponse:
        """Return the events of topics, of all topics if none are named, as a message."""
        response = pb.GetEventsResponse()
        names = list(dict.fromkeys(topics)) or self._topics.names()
        room = _ANSWER_LIMIT // max(len(names), 1)
        for topic in names:
            history = response.topics.add(topic=topic)
            size, events = 0, []
            for moment, message in reversed(self._topics.history(topic)):
                encoded = _encoded(message)
                size += len(encoded) + 32
                if size > room:
                    break
                events.append(pb.TopicEvent(time=moment, message=encoded))
            history.events.extend(reversed(events))
        return response


def _checked(topic: str) -> str:
    if not topic or len(topic) > TOPIC_LIMIT:
        raise InvalidRequestError(f"a topic has from 1 to {TOPIC_LIMIT} bytes; got {len(topic)}: {topic[:80]!r}")
    return topic


def _encoded(message: Any) -> bytes:
    return message if type(message) is bytes else encode_plain(message)
