"""Events by topic: logging, reading and subscribing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dagrpc._client.client_core import HasCore
from dagrpc._client.client_session import ClientSession
from dagrpc._client.services import scheduler_service
from dagrpc._codec.plain import decode_plain, encode_plain, topic_names
from dagrpc.v1 import event_service_pb2 as pb

_EVENT_SERVICE = pb.DESCRIPTOR.services_by_name["EventService"]


def log_event(self: HasCore, topic: Any, msg: Any) -> Any:
    """Log an event. The scheduler keeps the event for a while, and sends it to the subscribers of the topic.

    Parameters
    ----------
    topic : str, or a list, tuple or set of str
        The topic or topics.
    msg : plain data
        None, booleans, numbers, text, bytes, and lists, tuples and dicts of these.

    Raises
    ------
    TypeError
        If the message is something else.

    Examples
    --------
    >>> client.log_event("progress", {"done": 3, "of": 10})
    """
    core = self._core
    core.check_open()
    core.session.send(pb.LogEvent(topics=topic_names(topic), message=encode_plain(msg)))
    return core.completed()


def get_events(self: HasCore, topic: Any = None) -> Any:
    """Return the events that the scheduler keeps.

    Parameters
    ----------
    topic : str, optional
        The topic; all topics by default. The scheduler logs its own events under ``"all"``, under the addresses of
        workers and under the ids of clients.

    Returns
    -------
    tuple or dict
        Pairs of time, in seconds since the epoch, and message, oldest first. Without `topic` a dict of such tuples by
        topic.

    Examples
    --------
    >>> client.log_event("steps", {"done": 3, "of": 10})
    >>> client.get_events("steps")
    ((..., {'done': 3, 'of': 10}),)
    """
    return self._core.call(_get_events(self._core.session, topic))


async def _get_events(session: ClientSession, topic: Any) -> Any:
    request = pb.GetEventsRequest(topics=[] if topic is None else topic_names(topic))
    # The events that this client has logged so far are included. Without the ping the call could overtake them.
    await session.ping()
    response = await scheduler_service(session, _EVENT_SERVICE).call("GetEvents", request, pb.GetEventsResponse)
    found = {
        history.topic: tuple((event.time, decode_plain(event.message)) for event in history.events)
        for history in response.topics
    }
    return found.get(topic, ()) if isinstance(topic, str) else found


def subscribe_topic(self: HasCore, topic: Any, handler: Callable[[tuple[float, Any]], Any]) -> Any:
    """Call a function with each further event of a topic.

    Parameters
    ----------
    topic : str, or a list, tuple or set of str
        The topic or topics. A topic has one handler; a new handler replaces the old one.
    handler : callable
        A function or coroutine function of one argument, a tuple of the time of the event, in seconds since the epoch,
        and its message. The handlers of a client are called one after the other: on the event loop of the subscription
        for an asynchronous client, else on a thread of their own, coroutines on dagrpc's event loop. An exception is
        logged.

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
    core = self._core
    core.check_open()
    loop = None
    if core.asynchronous:
        running = asyncio.get_running_loop()
        # Handlers may block, which dagrpc's own loop cannot afford.
        loop = None if running is core.loop.loop else running
    core.session.topics.subscribe(topic_names(topic), handler, loop)
    return core.completed()


def unsubscribe_topic(self: HasCore, topic: Any) -> Any:
    """Stop calling the handler of a topic.

    Parameters
    ----------
    topic : str, or a list, tuple or set of str
        The topic or topics.

    Raises
    ------
    ValueError
        If a topic has no handler.

    Examples
    --------
    >>> client.subscribe_topic("stages", lambda event: None)
    >>> client.unsubscribe_topic("stages")
    """
    core = self._core
    core.check_open()
    core.session.topics.unsubscribe(topic_names(topic))
    return core.completed()
