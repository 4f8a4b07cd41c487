"""Readers of events and of the scheduler's log, live."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from dagrpc._process import log_buffer
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog

_AT_FIRST = 500
"""How many events and lines a viewer gets when it begins to look."""
_WAITING = 2_000
"""How many events wait for a viewer; beyond that, it misses the oldest."""
_TEXT_LENGTH = 1_000
_MOST_TOPICS = 200
"""From how many topics a viewer gets what was logged before it began to look: the latest ones."""


class EventReader:
    """Tells one viewer of events: rows of time, topic and text."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._waiting: deque[list[Any]] = deque(_latest(events), maxlen=_WAITING)
        events.listeners.append(self._take)

    def _take(self, topic: str, message: Any) -> None:
        self._waiting.append([round(time.time(), 3), topic, _text(message)])

    async def news(self) -> list[list[Any]] | None:
        """Return the events since the last call."""
        found = list(self._waiting)
        self._waiting.clear()
        return found or None

    def close(self) -> None:
        """Forget the viewer."""
        self._events.listeners.remove(self._take)


def _latest(events: EventLog) -> list[list[Any]]:
    found: list[list[Any]] = []
    for topic in list(events)[-_MOST_TOPICS:]:
        found += [[round(moment, 3), topic, _text(message)] for moment, message in events[topic]]
    return sorted(found, key=lambda row: float(row[0]))[-_AT_FIRST:]


def _text(message: Any) -> str:
    if isinstance(message, dict) and "action" in message:
        rest = ", ".join(f"{name}: {value}" for name, value in message.items() if name != "action")
        return f"{message['action']} {rest}"[:_TEXT_LENGTH]
    return str(message)[:_TEXT_LENGTH]


class LogReader:
    """Tells one viewer of lines of the scheduler's log: rows of level and text."""

    def __init__(self) -> None:
        self._last: tuple[str, str] | None = None

    async def news(self) -> list[list[str]] | None:
        """Return the lines since the last call."""
        found: list[list[str]] = []
        latest = None
        for line in log_buffer.install().latest("scheduler"):
            if latest is None:
                latest = line
            if line == self._last or len(found) >= _AT_FIRST:
                break
            found.append([line[0], line[1][:_TEXT_LENGTH]])
        self._last = latest
        return found[::-1] or None

    def close(self) -> None:
        """Forget the viewer."""
