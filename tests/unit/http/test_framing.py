"""Pages are shown in frames of this machine and of the host that was called, and of origins that are configured."""

from __future__ import annotations

import aiohttp
import dask
import pytest
from aiohttp import web

from dagrpc._auth.access import Access
from dagrpc._http.address import HttpAddress
from dagrpc._http.application import make_application
from dagrpc._http.framing import checked_sources, frame_ancestors
from dagrpc._http.http_access import HttpAccess
from dagrpc._http.port import HttpPort
from tests.support.loops import on_loop

TIMEOUT = aiohttp.ClientTimeout(total=60)


def test_pages_of_other_sites_show_none_of_ours() -> None:
    sources = frame_ancestors("node-1.example:8787").split()
    assert sources[0] == "frame-ancestors"
    assert {"'self'", "http://localhost:*", "https://node-1.example:*"} < set(sources)
    assert not {"*", "http:", "https:"} & set(sources)


@pytest.mark.parametrize("host", ["", "[::1]:8787", "a;script-src *:1", "a b:1", "*:1"])
def test_a_malformed_host_stays_out_of_the_header(host: str) -> None:
    assert frame_ancestors(host) == frame_ancestors("localhost:1")


@pytest.mark.parametrize("source", ["", "a b", "https://a;script-src *", "'none'", 3])
def test_a_malformed_origin_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match=r"http\.frame-ancestors"):
        checked_sources([source])


@on_loop
async def test_configured_origins_may_show_pages_in_frames() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="page")

    async def make() -> web.Application:
        with dask.config.set({"distributed.http.frame-ancestors": ["https://jupyter.example"]}):
            return make_application(HttpAccess(Access(None)), [web.get("/page", page)], "/below")

    port = HttpPort("Test", make)
    port.bind(HttpAddress("127.0.0.1", 0))
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        for path in ("/page", "/below/page", "/nothing", "/below/nothing"):
            async with session.get(f"http://127.0.0.1:{port.number}{path}") as answer:
                policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert policy.endswith(" https://jupyter.example")
    await port.close()
