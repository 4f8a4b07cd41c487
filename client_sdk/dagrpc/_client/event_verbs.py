"""The part of a client that logs events and subscribes to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dagrpc._client.log_verbs import LogVerbs
from dagrpc._codec.plain import decode_plain, encode_plain, topic_names
from dagrpc._rpc.channels import ServiceClient
from dagrpc.v1 import event_service_pb2 as pb

EVENT_SERVICE = pb.DESCRIPTOR.services_by_name["EventService"]


class EventVerbs(LogVerbs):
    """Events by topic. See `Client`."""

    def log_event(self, topic: Any, msg: Any) -> Any:
        """Log an event: the scheduler keeps it for a while, and passes it on to all who subscribe to the topic.

        Parameters
        ----------
        topic : str, or a list, tuple or set of str
            The topic, or several.
        msg : plain data
            None, booleans, numbers, text, bytes, and lists, tuples and dicts of those.

        Raises
        ------
        TypeError
            If the message is something else.

        Examples
        --------
        >>> client.log_event("progress", {"done": 3, "of": 10})
        """
        self._check_open()
        self._session.send(pb.LogEvent(topics=topic_names(topic), message=encode_plain(msg)))
        return self._at_once()

    def get_events(self, topic: Any = None) -> Any:
        """Return the events that the scheduler remembers.

        Parameters
        ----------
        topic : str, optional
            Of which topic; of all of them by default. The scheduler's own are under ``"all"``, and under the addresses
            of workers and the ids of clients.

        Returns
        -------
        tuple or dict
            Of each event the time, in seconds since the epoch, and the message, oldest first. A dict of such tuples by
            topic, if none was named.

        Examples
        --------
        >>> client.log_event("steps", {"done": 3, "of": 10})
        >>> client.get_events("steps")
        ((..., {'done': 3, 'of': 10}),)
        """
        return self._call(self._get_events(topic))

    async def _get_events(self, topic: Any) -> Any:
        session = self._session
        request = pb.GetEventsRequest(topics=[] if topic is None else topic_names(topic))
        # What this client has logged so far is to be among them, and a call of its own may overtake it.
        await session.ping()
        assert session.scheduler is not None
        service = ServiceClient(session.scheduler.channel, EVENT_SERVICE, session.scheduler.peer)
        response = await service.call("GetEvents", request, pb.GetEventsResponse)
        found = {
            history.topic: tuple((event.time, decode_plain(event.message)) for event in history.events)
            for history in response.topics
        }
        return found.get(topic, ()) if isinstance(topic, str) else found

    def subscribe_topic(self, topic: Any, handler: Callable[[tuple[float, Any]], Any]) -> Any:
        """Have a function called with each event of a topic from now on.

        Parameters
        ----------
        topic : str, or a list, tuple or set of str
            The topic, or several. A topic has one handler; another takes its place.
        handler : callable
            A function or coroutine function. It gets the time of the event, in seconds since the epoch, and its
            message, in a tuple. All handlers of a client are called one after the other, on a thread of their own;
            those of an asynchronous client on the event loop that it was subscribed on, coroutines of other clients
            on dagrpc's. An exception is logged.

        Examples
        --------
        >>> import queue
        >>> messages = queue.Queue()
        >>> client.subscribe_topic("stages", lambda event: messages.put(event[1]))
        >>> client.log_event("stages", "halfway")
        >>> messages.get(timeout=10)
        'halfway'
        """
        if not callable(handler):
            raise TypeError(f"The handler of an event must be a function, not {handler!r}")
        self._check_open()
        loop = None
        if self.asynchronous:
            running = asyncio.get_running_loop()
            # Handlers that block have no place on dagrpc's own loop.
            loop = None if running is self._loop.loop else running
        self._session.topics.subscribe(topic_names(topic), handler, loop)
        return self._at_once()

    def unsubscribe_topic(self, topic: Any) -> Any:
        """Have no function called with the events of a topic any more.

        Parameters
        ----------
        topic : str, or a list, tuple or set of str
            The topic, or several.

        Raises
        ------
        ValueError
            If there is no handler for it.

        Examples
        --------
        >>> client.subscribe_topic("stages", lambda event: None)
        >>> client.unsubscribe_topic("stages")
        """
        self._check_open()
        self._session.topics.unsubscribe(topic_names(topic))
        return self._at_once()
