"""With wrong addresses or certificates, the error names the cause, and retries end."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dagrpc import Client, LocalCluster, Scheduler, Worker
from dagrpc.exceptions import CommClosedError
from tests.unit.security.certificates import Authority

SHORT = "1s"


@contextmanager
def server(answer: bytes | None) -> Iterator[str]:
    """Serve something else than gRPC; None: accept connections, and stay silent."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                open_ones.append(connection)
                if answer is not None:
                    connection.recv(1_000)
                    connection.sendall(answer)
                    connection.close()

        open_ones: list[socket.socket] = []
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        for connection in open_ones:
            connection.close()
    thread.join(60)


def refusal(address: str) -> str:
    with pytest.raises(CommClosedError) as info:
        Client(address, timeout=SHORT)
    return str(info.value)


def test_a_name_that_does_not_resolve() -> None:
    assert "'no-such-host.invalid' does not resolve" in refusal("no-such-host.invalid:8786")


def test_another_server_at_the_port() -> None:
    with server(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as address:
        assert "a server of another kind (HTTP, no gRPC)" in refusal(address)
    with server(None) as address:
        assert "stays silent" in refusal(address)


def test_nobody_at_the_port() -> None:
    with server(None) as address:
        pass
    assert "no dagrpc scheduler answers there: nothing listens" in refusal(address)


@pytest.mark.parametrize("processes", [True, False])
def test_a_cluster_whose_certificates_are_for_another_host(tmp_path: Path, processes: bool) -> None:
    fields = other_host(tmp_path)
    with pytest.raises(OSError, match=r"certificate is not accepted.*server_hostname"):
        LocalCluster(n_workers=1, processes=processes, security=fields)
    fields["extra_conn_args"] = {"server_hostname": "elsewhere"}
    with (
        LocalCluster(n_workers=1, processes=processes, security=fields) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(int, 1).result(timeout=60) == 1


def test_a_worker_whose_certificates_cannot_work_gives_up(tmp_path: Path) -> None:
    """Though it may look for its scheduler for ever."""
    fields = other_host(tmp_path)

    async def run() -> None:
        async with Scheduler(security=fields) as scheduler:
            with pytest.raises(RuntimeError, match="certificate is not accepted"):
                await asyncio.wait_for(Worker(scheduler.address, security=fields), 90)

    asyncio.run(run())


def other_host(path: Path) -> dict[str, object]:
    """Return certificates that are good but for the name of the host."""
    from cryptography import x509

    authority = Authority(path)
    fields: dict[str, object] = {**authority.fields("client")}
    for role in ("scheduler", "worker"):
        issued = authority.issue(role, (x509.DNSName("elsewhere"),))
        fields[f"tls_{role}_cert"], fields[f"tls_{role}_key"] = issued
    return fields
