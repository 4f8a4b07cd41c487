"""200 viewers look at once; one that does not read is dropped, with all that was kept for it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from dagrpc import Client, LocalCluster
from dagrpc._auth.access import Access
from dagrpc._http.address import HttpAddress
from dagrpc._http.application import make_application
from dagrpc._http.http_access import HttpAccess
from dagrpc._http.port import HttpPort
from dagrpc_scheduler.http.dashboard import stream as module
from dagrpc_scheduler.http.dashboard.stream import MOST_VIEWERS, DashboardStream
from tests.support.loops import on_loop

FEEDS = "summary,workers,prefixes,tasks"
MEGABYTE = 1 << 20


def inc(x: int) -> int:
    return x + 1


async def _wait_for_tasks(answer: aiohttp.ClientResponse, count: int) -> None:
    """Read a viewer's stream until the figures say that there are so many tasks in memory."""
    async for line in answer.content:
        if line.startswith(b"data: "):
            summary = json.loads(line.removeprefix(b"data: ")).get("summary", {})
            if summary.get("set", {}).get("memory") == count:
                return
    raise AssertionError("the stream ended")


def test_two_hundred_viewers_see_the_cluster_at_once() -> None:
    async def look(root: str, client: Client) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        # A message of many tasks is one line.
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=MEGABYTE) as session:
            link = f"{root}stream?feeds={FEEDS}"
            async with asyncio.timeout(100):
                viewers = await asyncio.gather(*(session.get(link) for _ in range(MOST_VIEWERS)))
                assert {viewer.status for viewer in viewers} == {200}
                async with session.get(link) as refused:
                    assert refused.status == 503
                    assert f"{MOST_VIEWERS} viewers" in await refused.text()
                futures = await asyncio.to_thread(client.map, inc, range(100))
                assert await asyncio.to_thread(client.gather, futures) == list(range(1, 101))
                await asyncio.gather(*(_wait_for_tasks(viewer, 100) for viewer in viewers))
                for viewer in viewers:
                    viewer.close()
                # Their places are free again.
                while True:
                    async with session.get(link) as viewer:
                        if viewer.status == 200:
                            break
                    await asyncio.sleep(0.1)

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        asyncio.run(look(cluster.dashboard_link.removesuffix("status"), client))


class Growing:
    """A feed with a megabyte of news at any time."""

    def __init__(self) -> None:
        self.told = 0
        self.open = 0

    def reader(self) -> Growing:
        self.open += 1
        return self

    async def news(self) -> Any:
        self.told += 1
        return {"set": {"text": "x" * MEGABYTE}, "gone": []}

    def close(self) -> None:
        self.open -= 1


@asynccontextmanager
async def _streaming(feed: Growing) -> AsyncIterator[int]:
    async def make() -> web.Application:
        return make_application(HttpAccess(Access(None)), DashboardStream({"big": feed.reader}).routes())

    port = HttpPort("Test", make)
    port.bind(HttpAddress("127.0.0.1", 0))
    yield port.number
    await port.close()


@on_loop
async def test_a_viewer_that_does_not_read_is_dropped_with_what_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 0.001)
    monkeypatch.setattr(module, "LONGEST_INTERVAL", 0.001)
    monkeypatch.setattr(module, "_WRITE_TIMEOUT", 1.0)
    feed = Growing()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(100), _streaming(feed) as port:
        with socket.socket() as viewer:
            # A small buffer of its own; the other side's is the system's.
            viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            viewer.setblocking(False)
            await loop.sock_connect(viewer, ("127.0.0.1", port))
            await loop.sock_sendall(viewer, b"GET /stream?feeds=big HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not feed.told or feed.open:
                await asyncio.sleep(0.01)
            # No messages are made for it beyond those that the sockets' buffers hold.
            assert feed.told < 64
            # The connection ends without another word: what waits for the viewer would wait for ever.
            received, ended = 0, False
            while not ended:
                try:
                    data = await loop.sock_recv(viewer, MEGABYTE)
                except ConnectionResetError:
                    ended = True
                else:
                    received += len(data)
                    ended = not data
            assert received < feed.told * MEGABYTE
