"""A viewer of the dashboard is sent changes; one that does not read is dropped."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from dagrpc_scheduler.http.dashboard import feeds
from dagrpc_scheduler.http.dashboard import stream as module
from dagrpc_scheduler.http.dashboard.feeds import TableReader, quick
from dagrpc_scheduler.http.dashboard.recent_tasks import Tail


class Viewer:
    """Takes what it is sent, or reads nothing."""

    def __init__(self, reads: bool = True) -> None:
        self.messages: list[Any] = []
        self._reads = reads

    async def write(self, data: bytes) -> None:
        if not self._reads:
            await asyncio.Event().wait()
        self.messages.append(json.loads(data.removeprefix(b"data: ")))


def test_a_viewer_is_sent_the_rows_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.001)
    monkeypatch.setattr(feeds, "FRESH", 0.0)
    rows: dict[str, Any] = {"a": 1, "b": 2}

    async def run() -> None:
        viewer, reader = Viewer(), quick(lambda: dict(rows)).reader()
        sending = asyncio.create_task(module._send_all(viewer, {"rows": reader}))
        async with asyncio.timeout(30):
            while not viewer.messages:
                await asyncio.sleep(0.001)
            rows["b"] = 3
            del rows["a"]
            while len(viewer.messages) < 2:
                await asyncio.sleep(0.001)
        sending.cancel()
        first, second = viewer.messages
        assert first["rows"] == {"set": {"a": 1, "b": 2}, "gone": []}
        assert second["rows"] == {"set": {"b": 3}, "gone": ["a"]}

    asyncio.run(run())


def test_a_viewer_that_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WRITE_TIMEOUT", 0.01)

    async def run() -> None:
        async with asyncio.timeout(30):
            with pytest.raises(TimeoutError):
                await module._send_all(Viewer(reads=False), {"rows": quick(lambda: {"a": 1}).reader()})

    asyncio.run(run())


def test_viewers_share_the_rows_of_a_moment() -> None:
    made = 0

    def make() -> dict[str, Any]:
        nonlocal made
        made += 1
        return {"a": made}

    async def run() -> None:
        table = quick(make)
        readers = [TableReader(table) for _ in range(3)]
        assert [(await reader.news() or {})["set"] for reader in readers] == [{"a": 1}] * 3
        assert made == 1
        assert await readers[0].news() is None

    asyncio.run(run())


def test_the_latest_rows_of_a_tail_go_to_each_viewer_once() -> None:
    tail = Tail(3)
    tail.extend([1, 2])
    assert tail.since(0, 10) == [1, 2]
    tail.extend([3, 4])
    assert tail.since(2, 10) == [3, 4]
    assert tail.since(0, 10) == [2, 3, 4]
    assert tail.since(0, 2) == [3, 4]
    assert tail.since(4, 10) == []
