"""An HTTP port: bound at once, served from the first connection on, closed for good."""

from __future__ import annotations

import asyncio
import logging
import socket

import aiohttp
import pytest
from aiohttp import web

from dagrpc._auth.access import Access
from dagrpc._http.address import HttpAddress
from dagrpc._http.application import make_application
from dagrpc._http.http_access import HttpAccess
from dagrpc._http.port import HttpPort
from tests.support.loops import on_loop

TIMEOUT = aiohttp.ClientTimeout(total=60)


class Site:
    """A port that counts how often its application is made."""

    def __init__(self, prefix: str = "", hosts: tuple[str, ...] = ()) -> None:
        self.made = 0
        self._prefix = prefix
        self._hosts = hosts
        self.port = HttpPort("Test", self._make)

    async def _make(self) -> web.Application:
        self.made += 1

        async def hello(request: web.Request) -> web.Response:
            return web.Response(text="hello")

        async def fault(request: web.Request) -> web.Response:
            raise RuntimeError("secret details")

        routes = [web.get("/hello", hello), web.get("/fault", fault)]
        return make_application(HttpAccess(Access(None), self._hosts), routes, self._prefix)

    async def get(self, path: str, host: str = "127.0.0.1", **headers: str) -> tuple[int, str, dict[str, str]]:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.get(f"http://{host}:{self.port.number}{path}", headers=headers, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.text(), dict(answer.headers)


@on_loop
async def test_the_application_is_made_for_the_first_request_only() -> None:
    site = Site()
    site.port.bind(HttpAddress("127.0.0.1", 0))
    assert site.made == 0
    answers = await asyncio.gather(*(site.get("/hello") for _ in range(20)))
    assert {(status, text) for status, text, _ in answers} == {(200, "hello")}
    assert site.made == 1
    await site.port.close()
    with pytest.raises(aiohttp.ClientError):
        await site.get("/hello")


@on_loop
async def test_a_port_that_nobody_called_closes() -> None:
    site = Site()
    site.port.bind(HttpAddress("127.0.0.1", 0))
    number = site.port.number
    await site.port.close()
    assert site.made == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", number))


@on_loop
async def test_a_taken_port_is_passed_over_with_a_warning_that_names_both(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        site = Site()
        with caplog.at_level(logging.WARNING, "dagrpc.http"):
            site.port.bind(HttpAddress("127.0.0.1", taken))
        assert site.port.number not in (0, taken)
        (record,) = caplog.records
        assert f"port {taken} is taken" in record.getMessage()
        assert f"port {site.port.number}" in record.getMessage()
        await site.port.close()


@on_loop
async def test_a_host_that_is_not_ours_is_refused() -> None:
    with pytest.raises(OSError, match=r"Test: cannot serve HTTP at 192\.0\.2\.1"):
        Site().port.bind(HttpAddress("192.0.2.1", 0))


@on_loop
async def test_unknown_paths_are_told_those_that_there_are() -> None:
    site = Site()
    site.port.bind(HttpAddress("127.0.0.1", 0))
    status, text, headers = await site.get("/nowhere")
    assert status == 404
    assert "/hello" in text
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    await site.port.close()


@on_loop
async def test_a_fault_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    site = Site()
    site.port.bind(HttpAddress("127.0.0.1", 0))
    status, text, _ = await site.get("/fault")
    assert status == 500
    assert "secret" not in text
    assert "secret details" in caplog.text
    await site.port.close()


@on_loop
async def test_a_request_for_another_host_is_refused() -> None:
    site = Site(hosts=("proxy.example",))
    site.port.bind(HttpAddress("127.0.0.1", 0))
    assert (await site.get("/hello", Host="rebound.example"))[0] == 403
    for host in ("localhost:1", "127.0.0.1", "[::1]:8787", "proxy.example", "PROXY.example:80"):
        assert (await site.get("/hello", Host=host))[0] == 200, host
    await site.port.close()


@pytest.mark.parametrize("path", ["/cluster/hello", "/hello"])
@on_loop
async def test_pages_are_under_the_prefix_and_without_it(path: str) -> None:
    site = Site(prefix="/cluster/")
    site.port.bind(HttpAddress("127.0.0.1", 0))
    assert (await site.get(path))[:2] == (200, "hello")
    assert (await site.get("/cluster/nowhere"))[0] == 404
    await site.port.close()


@on_loop
async def test_oversized_headers_and_smuggled_requests_are_refused() -> None:
    site = Site()
    site.port.bind(HttpAddress("127.0.0.1", 0))
    assert (await site.get("/hello", Filler="x" * 100_000))[0] == 400
    smuggled = (
        b"POST /hello HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port.number)
    writer.write(smuggled)
    answer = await asyncio.wait_for(reader.read(4096), 60)
    writer.close()
    assert answer.startswith(b"HTTP/1.0 400") or answer.startswith(b"HTTP/1.1 400")
    assert b"hello" not in answer
    await site.port.close()
