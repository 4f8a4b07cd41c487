"""Access to an HTTP port: tokens in headers, in links and in cookies."""

from __future__ import annotations

import aiohttp
from aiohttp import web

from dagrpc._auth.access import Access
from dagrpc._auth.credentials import credentials_of
from dagrpc._http.address import HttpAddress
from dagrpc._http.application import make_application
from dagrpc._http.http_access import HttpAccess
from dagrpc._http.port import HttpPort
from dagrpc.security import Security
from tests.support.loops import on_loop

TOKEN = "a-token-that-is-long-enough"
CALLER = "a-token-for-callers-only"
TIMEOUT = aiohttp.ClientTimeout(total=60)


async def port_with_tokens() -> HttpPort:
    access = Access(credentials_of(Security(token=TOKEN, caller_token=CALLER), "scheduler"))

    async def make() -> web.Application:
        async def page(request: web.Request) -> web.Response:
            return web.Response(text="page")

        return make_application(
            HttpAccess(access), [web.get(path, page) for path in ("/health", "/page", "/data.json")]
        )

    port = HttpPort("Test", make)
    port.bind(HttpAddress("127.0.0.1", 0))
    return port


@on_loop
async def test_pages_ask_for_a_token_and_health_does_not() -> None:
    port = await port_with_tokens()
    base = f"http://127.0.0.1:{port.number}"
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:

        async def status(path: str, token: str = "") -> int:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            async with session.get(base + path, headers=headers, allow_redirects=False) as answer:
                return answer.status

        assert await status("/health") == 200
        assert await status("/page") == 401
        assert await status("/page", "wrong-" + TOKEN) == 401
        assert await status("/page", CALLER) == 401
        assert await status("/page", TOKEN) == 200
        assert await status("/page?token=wrong") == 401
    await port.close()


@on_loop
async def test_a_link_with_a_token_becomes_a_cookie() -> None:
    port = await port_with_tokens()
    base = f"http://127.0.0.1:{port.number}"
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=jar) as session:
        async with session.get(f"{base}/page?token={TOKEN}&tab=1", allow_redirects=False) as answer:
            assert answer.status == 303
            assert TOKEN not in answer.headers["Location"]
            assert answer.headers["Location"] == "page?tab=1"
            cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        async with session.get(f"{base}/page") as answer:
            assert answer.status == 200
    await port.close()


@on_loop
async def test_programs_show_a_token_in_the_address_of_data() -> None:
    port = await port_with_tokens()
    base = f"http://127.0.0.1:{port.number}"
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        for query, status in ((f"?token={TOKEN}", 200), (f"?token={CALLER}", 401), ("?token=", 401), ("", 401)):
            async with session.get(f"{base}/data.json{query}", allow_redirects=False) as answer:
                assert answer.status == status
                assert "Set-Cookie" not in answer.headers
    await port.close()
