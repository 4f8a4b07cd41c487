"""Whatever bytes come in at an HTTP port, the service refuses them and goes on to serve."""

from __future__ import annotations

import contextlib
import socket
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagrpc import LocalCluster

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, int]]:
    with LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=100) as cluster:
        parts = urlsplit(cluster.dashboard_link)
        assert parts.hostname is not None
        assert parts.port is not None
        assert is_alive((parts.hostname, parts.port))
        yield parts.hostname, parts.port


def is_alive(place: tuple[str, int]) -> bool:
    with urllib.request.urlopen(f"http://{place[0]}:{place[1]}/health", timeout=60) as answer:
        return bool(answer.read() == b"ok")


def send(place: tuple[str, int], data: bytes, hang_up: bool = False) -> list[int]:
    """Send bytes, perhaps hang up, and return the statuses of the answers until the service hangs up."""
    received = b""
    with socket.create_connection(place, timeout=60) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(data)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            received += piece
    heads = [part for part in received.split(b"HTTP/1.")[1:] if part[1:2] == b" "]
    return [int(head[2:5]) for head in heads]


REQUEST = b"GET /json/counts.json HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"X: " + b"a" * 100_000 + b"\r\n\r\n", id="header too large"),
        pytest.param(b"X\x00: a\r\n\r\n", id="a null byte in a name"),
        pytest.param(b"X : a\r\n\r\n", id="a space before the colon"),
        pytest.param(b" folded: a\r\n\r\n", id="a folded header"),
        pytest.param(b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", id="two lengths"),
        pytest.param(b"Content-Length: -1\r\n\r\n", id="a negative length"),
        pytest.param(b"Content-Length: +1\r\n\r\na", id="a signed length"),
        pytest.param(b"Content-Length: 0x1\r\n\r\na", id="a hexadecimal length"),
        pytest.param(
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n",
            id="a length and chunks",
        ),
        pytest.param(b"Transfer-Encoding: gzip, nothing\r\n\r\n", id="an unknown encoding"),
    ],
)
def test_requests_that_proxies_read_differently_are_refused(place: tuple[str, int], rest: bytes) -> None:
    # The service may hang up while the request is still being sent, which loses the answer.
    assert send(place, REQUEST + rest) in ([], [400], [431])
    assert is_alive(place)


def test_a_long_path_is_refused(place: tuple[str, int]) -> None:
    assert send(place, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[:1] in ([], [400], [414])
    assert is_alive(place)


def test_many_headers_are_refused_or_bounded(place: tuple[str, int]) -> None:
    many = b"".join(b"X-%d: a\r\n" % number for number in range(50_000))
    assert send(place, REQUEST + many + b"\r\n") in ([], [200], [400], [431])
    assert is_alive(place)


@FUZZ
@given(data=st.binary(max_size=2_000))
def test_any_bytes(place: tuple[str, int], data: bytes) -> None:
    assert all(status < 500 for status in send(place, data, hang_up=True))


@FUZZ
@given(
    path=st.sampled_from(
        ["info/task/", "info/worker/", "info/logs/", "proxy/", "statics/", "individual-", "api/v1/", "json/", ""]
    ),
    rest=st.binary(max_size=60),
    query=st.binary(max_size=60),
)
def test_any_path_and_query(place: tuple[str, int], path: str, rest: bytes, query: bytes) -> None:
    quoted = "".join(f"%{byte:02x}" for byte in rest)
    asked = "".join(f"%{byte:02x}" if byte not in b"=&" else chr(byte) for byte in query)
    target = f"/{path}{quoted}?{asked}".encode()
    statuses = send(place, b"GET " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert statuses
    assert all(status < 500 for status in statuses), target


def test_the_service_is_alive_after_all_of_it(place: tuple[str, int]) -> None:
    assert is_alive(place)
