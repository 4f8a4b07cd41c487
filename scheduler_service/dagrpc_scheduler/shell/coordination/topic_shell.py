"""Events by topic: from sessions and from the scheduler itself, to the clients that subscribe."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._codec.plain import decode_plain, encode_plain, topic_names
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import event_service_pb2 as pb
from dagrpc_scheduler.coordination.topic_log import Topics

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

ALL = "all"
"""The topic of what concerns the whole cluster."""
TOPIC_LIMIT = 16 * 1024
"""Longest topic in bytes."""
_PATIENCE = 30.0
"""Seconds that another thread waits for the event loop."""
_BEHIND = 100_000
"""Items that may wait for a client; one that reads so slowly is told of no more events until it has caught up."""
_STATUSES = {"retiring": "closing_gracefully"}
"""Statuses that users of distributed know by another name."""
_ANSWER_LIMIT = 32 * 2**20
"""Bytes of one answer about events."""


class EventLog(Mapping[str, list[tuple[float, Any]]]):
    """The events of a scheduler: of each topic times and messages, oldest first.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.

    Attributes
    ----------
    listeners : list of callable
        Called with topic and message of each event, on the event loop.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        length = int(config.get("admin.low-level-log-length"))
        self._topics = Topics(length, config.get_seconds("scheduler.events-cleanup-delay"))
        self.listeners: list[Callable[[str, Any], object]] = []
        self._behind: set[str] = set()
        """Clients that are told of no more events for now."""

    # --- what the scheduler itself has to say --------------------------------------------------------------------

    def log(self, topics: str | Iterable[str], message: Any) -> None:
        """Log an event of the scheduler's own.

        Parameters
        ----------
        topics : str or iterable of str
            Under which topics.
        message : plain data
            What: None, booleans, numbers, text, bytes, and lists, tuples and dicts of those. Not to be changed
            afterwards: it is encoded when somebody asks for it.
        """
        now = time.time()
        if type(message) is bytes:
            # Bytes that are not encoded are not to be taken for some that are.
            message = encode_plain(message)
        for topic in (topics,) if isinstance(topics, str) else topics:
            self._log(topic, now, message, True)

    def tell(self, clients: Collection[str], topic: str, message: Any) -> None:
        """Log an event of the scheduler's own that only some of those who subscribe are to be told of."""
        now = time.time()
        subscribers = self._topics.log(topic, now, message, True)
        event = pb.TopicEvent(topic=topic, time=now, message=encode_plain(message))
        for client in clients:
            if client in subscribers:
                self._tell(client, event)
        self._tell_listeners(topic, message)

    def worker(self, address: str, action: str, **details: Any) -> None:
        """Log something that concerns a worker and the whole cluster."""
        self.log(address, {"action": action, **details})
        self.log(ALL, {"action": action, **details, "worker": address})

    def client(self, client: str, action: str) -> None:
        """Log something that concerns a client and the whole cluster."""
        self.log((client, ALL), {"action": action, "client": client})

    def log_event(self, topic: str | Collection[str], message: Any) -> None:
        """Log an event for code that runs on the scheduler. From any thread.

        Raises
        ------
        TypeError
            If the message is not plain data.
        """
        event = pb.LogEvent(topics=topic_names(topic), message=encode_plain(message))
        loop = self._service.loop
        try:
            elsewhere = loop is not None and asyncio.get_running_loop() is not loop
        except RuntimeError:
            elsewhere = loop is not None
        if not elsewhere:
            self.take(event)
            return
        assert loop is not None
        done: concurrent.futures.Future[None] = concurrent.futures.Future()

        def log() -> None:
            self.take(event)
            done.set_result(None)

        loop.call_soon_threadsafe(log)
        # What is logged is there when this returns.
        done.result(_PATIENCE)

    # --- what comes from sessions --------------------------------------------------------------------------------

    def take(self, message: pb.LogEvent) -> None:
        """Log an event of a client's or worker's.

        Raises
        ------
        InvalidRequestError
            If a topic is empty or too long.
        """
        now = time.time()
        for topic in map(_checked, message.topics):
            self._log(topic, now, message.message, not message.transient)

    def subscribe(self, client: str, topics: Iterable[str]) -> None:
        """Have a client told of the events of topics.

        Raises
        ------
        InvalidRequestError
            If a topic is empty or too long.
        """
        self._topics.subscribe(client, list(map(_checked, topics)))

    def unsubscribe(self, client: str, topics: Iterable[str]) -> None:
        """Have a client told of them no more."""
        self._topics.unsubscribe(client, topics)

    # --- members of the cluster ----------------------------------------------------------------------------------

    def worker_added(self, address: str, stimulus: str) -> None:
        """Take note of a worker."""
        self._topics.begin(address)
        self.worker(address, "add-worker")
        self.status_changed(address, "init", "running", stimulus)

    def status_changed(self, address: str, before: str, after: str, stimulus: str) -> None:
        """Take note of another status of a worker."""
        if before != after:
            message = {
                "action": "worker-status-change",
                "prev-status": _STATUSES.get(before, before),
                "status": _STATUSES.get(after, after),
                "stimulus_id": stimulus,
            }
            self.log(address, message)

    def worker_removed(self, address: str, **details: Any) -> None:
        """Take note of its leaving."""
        self.worker(address, "remove-worker", **details)
        self._topics.end(address, time.time())

    def client_added(self, client: str, topics: Iterable[str]) -> None:
        """Take note of a client and the topics that it subscribes to."""
        self.subscribe(client, topics)
        self.client(client, "add-client")

    def client_removed(self, client: str) -> None:
        """Take note of its leaving."""
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
        session = self._service.sessions.clients.get(client)
        if session is None:
            return
        if session.queued < _BEHIND:
            self._behind.discard(client)
            session.send(event)
        elif client not in self._behind:
            self._behind.add(client)
            logger.warning("Client %s reads too slowly: it is not told of all events", client)

    def _tell_listeners(self, topic: str, message: Any) -> None:
        for listener in list(self.listeners):
            try:
                listener(topic, decode_plain(message) if type(message) is bytes else message)
            except Exception:
                logger.exception("An event of topic %r could not be handed to %r", topic, listener)

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
        """Forget what is due by the clock."""
        self._topics.advance(now)

    def histories(self, topics: Iterable[str]) -> pb.GetEventsResponse:
        """Return events as a message; of all topics if none are named."""
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
