"""Ports that are reserved before there is a server."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from dagrpc_worker.ports import ReservedPort
from tests.support.ports import free_port


def some_ports(count: int) -> range:
    """Return free ports that follow each other."""
    while True:
        first = free_port()
        held = []
        try:
            for port in range(first, first + count):
                held.append(socket.create_server(("127.0.0.1", port)))
        except (OSError, OverflowError):
            continue
        finally:
            for server in held:
                server.close()
        return range(first, first + count)


def test_each_of_a_range_is_had_once() -> None:
    ports = some_ports(3)
    reserved = [ReservedPort("127.0.0.1", ports) for _ in ports]
    assert [one.port for one in reserved] == list(ports)
    with pytest.raises(OSError, match=f"any of the ports {ports[0]}:{ports[-1]}"):
        ReservedPort("127.0.0.1", ports)
    reserved[1].release()
    assert ReservedPort("127.0.0.1", ports).port == ports[1]


def test_a_port_that_another_process_reserves_is_passed_over() -> None:
    ports = some_ports(2)
    reserve = f"""
from dagrpc_worker.ports import ReservedPort
reserved = ReservedPort("127.0.0.1", range({ports[0]}, {ports[-1] + 1}))
print(reserved.port, flush=True)
input()
"""
    command = [sys.executable, "-c", reserve]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert int(other.stdout.readline()) == ports[0]
        assert ReservedPort("127.0.0.1", ports).port == ports[1]
        other.communicate("\n")


def test_a_server_may_listen_on_what_is_reserved() -> None:
    reserved = ReservedPort("127.0.0.1")
    with socket.create_server(("127.0.0.1", reserved.port)):
        reserved.release()
        with pytest.raises(OSError, match=f"127.0.0.1:{reserved.port}: the port is taken"):
            ReservedPort("127.0.0.1", (reserved.port,))


def test_ports_of_connections_that_have_just_ended_can_be_had() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        # The side that closes first waits.
        accepted.close()
        client.close()
    assert ReservedPort("127.0.0.1", range(port, port + 1)).port == port
