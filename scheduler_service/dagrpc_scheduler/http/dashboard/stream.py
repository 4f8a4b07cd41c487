"""The dashboard's stream: server-sent events with what changed in the feeds that a viewer looks at.

A viewer that reads slowly gets fewer messages: the next one is made when the last one has been written. Nothing is kept
for it, and one that does not read at all is dropped.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from dagrpc_scheduler.http.dashboard.feeds import Reader

INTERVAL = 0.5
"""Seconds between two messages to a viewer."""
LONGEST_INTERVAL = 5.0
MOST_VIEWERS = 200
_SHARE = 0.04
"""Share of the scheduler's time that one viewer may take."""
_WRITE_TIMEOUT = 30.0
"""Seconds until a viewer that does not read is dropped."""
_SILENCE = 10.0
"""Seconds after which a viewer is told that nothing changed, so that both ends notice a broken connection."""


class Response(Protocol):
    """The part of an answer to a viewer that is written bit by bit."""

    async def write(self, data: bytes, /) -> None:
        """Write a bit; return when the viewer has room for the next."""


class DashboardStream:
    """Sends changes to viewers.

    Parameters
    ----------
    feeds : mapping
        Makes a reader for one viewer, by the name of the feed.
    """

    def __init__(self, feeds: Mapping[str, Callable[[], Reader]]) -> None:
        self._feeds = feeds
        self._viewers = 0

    def routes(self) -> list[web.RouteDef]:
        """Return the path and its handler."""
        return [web.get("/stream", self.stream)]

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send what changes in the feeds ``?feeds=A,B`` until the viewer leaves."""
        names = [name for name in request.query.get("feeds", "").split(",") if name]
        unknown = [name for name in names if name not in self._feeds]
        if unknown or not names:
            raise web.HTTPBadRequest(text=f"feeds={','.join(unknown)}: name some of {', '.join(self._feeds)}\n")
        if self._viewers >= MOST_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_VIEWERS} viewers look already; close a page\n")
        self._viewers += 1
        readers = {name: self._feeds[name]() for name in dict.fromkeys(names)}
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        try:
            await response.prepare(request)
            await _send_all(response, readers)
        except ConnectionError:
            pass
        except TimeoutError:
            # Closed in peace, the connection would wait for the viewer to read the rest of the message.
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._viewers -= 1
            for reader in readers.values():
                reader.close()
        return response


async def _send_all(response: Response, readers: Mapping[str, Reader]) -> None:
    spoken = time.monotonic()
    while True:
        news = {name: await reader.news() for name, reader in readers.items()}
        begun = time.perf_counter()
        found = {name: new for name, new in news.items() if new is not None}
        if found or time.monotonic() - spoken > _SILENCE:
            spoken = time.monotonic()
            message = _encode({"time": time.time(), **found})
            async with asyncio.timeout(_WRITE_TIMEOUT):
                await response.write(message)
        spent = time.perf_counter() - begun
        await asyncio.sleep(min(max(INTERVAL, spent / _SHARE), LONGEST_INTERVAL))


def _encode(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data, separators=(',', ':'), allow_nan=False, default=str)}\n\n".encode()
