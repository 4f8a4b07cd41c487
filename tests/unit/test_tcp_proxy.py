"""The proxy that other tests stand on."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(1000):
                    connection.sendall(data)
            except OSError:
                pass

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def proxy(echo: str) -> Iterator[TcpProxy]:
    with TcpProxy(echo) as proxy:
        yield proxy


def connected(proxy: TcpProxy) -> socket.socket:
    host, _, port = proxy.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def echoes(connection: socket.socket, data: bytes = b"hello") -> bool:
    try:
        connection.sendall(data)
        return connection.recv(1000) == data
    except OSError:
        return False


def test_data_passes_both_ways(proxy: TcpProxy) -> None:
    with connected(proxy) as connection:
        assert echoes(connection)
        assert (proxy.connections, proxy.accepted) == (1, 1)


@pytest.mark.parametrize("reset", [True, False])
def test_dropped_connections_are_gone_and_new_ones_pass(proxy: TcpProxy, reset: bool) -> None:
    with connected(proxy) as connection:
        assert echoes(connection)
        proxy.drop(reset)
        assert not echoes(connection)
    with connected(proxy) as connection:
        assert echoes(connection)


def test_a_cut_lasts_until_it_is_restored(proxy: TcpProxy) -> None:
    with connected(proxy) as connection:
        proxy.cut()
        assert not echoes(connection)
    # The reset may come before connecting is over.
    with contextlib.suppress(ConnectionResetError), connected(proxy) as connection:
        assert not echoes(connection)
    proxy.restore()
    with connected(proxy) as connection:
        assert echoes(connection)
        assert proxy.accepted >= 1


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_a_black_hole_is_silent_and_what_it_held_arrives_later(proxy: TcpProxy, direction: str) -> None:
    with connected(proxy) as connection:
        assert echoes(connection)
        proxy.blackhole(direction)  # type: ignore[arg-type]
        connection.settimeout(0.2)
        connection.sendall(b"late")
        with pytest.raises(TimeoutError):
            connection.recv(1000)
        proxy.restore()
        connection.settimeout(20)
        assert connection.recv(1000) == b"late"


def test_a_closed_proxy_refuses(proxy: TcpProxy) -> None:
    proxy.close()
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)


def test_without_a_target_connections_break(proxy: TcpProxy) -> None:
    proxy.target = ""
    with contextlib.suppress(ConnectionResetError), connected(proxy) as connection:
        assert not echoes(connection)
