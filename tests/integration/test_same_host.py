"""Large frames between processes on one host: read from the sender's memory if possible, else sent in chunks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dagrpc import Client, LocalCluster
from dagrpc._codec import payload
from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc._rpc.grpc_options import DATA_CHANNEL
from dagrpc._rpc.server import Server
from dagrpc._transfer import same_host, transfers
from dagrpc._transfer.transfers import WORKER_SERVICE, OutgoingValue
from dagrpc.v1 import worker_service_pb2

needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's process_vm_readv")


@needs_linux
def test_reads_memory_of_another_process() -> None:
    program = (
        "import ctypes, sys\n"
        "from dagrpc._transfer import same_host\n"
        "same_host.allow_readers()\n"
        "data = bytes(range(256)) * 200_000\n"
        "print(same_host.address_of(data), same_host.token(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        address, token = other.stdout.readline().split()
        assert same_host.is_here(token)
        target = bytearray(256 * 200_000)
        same_host.read_memory(other.pid, [(int(address), memoryview(target))])
        assert bytes(target) == bytes(range(256)) * 200_000
        other.stdin.close()
    with pytest.raises(OSError, match=str(other.pid)):
        same_host.read_memory(other.pid, [(int(address), memoryview(target))])


def test_other_names_are_not_this_host() -> None:
    assert not same_host.is_here("")
    assert not same_host.is_here("0" * 32)


@needs_linux
def test_the_secret_is_private(tmp_path: Path) -> None:
    program = "from dagrpc._transfer import same_host; print(same_host.token())"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    tokens = {
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True).stdout
        for _ in range(2)
    }
    assert len(tokens) == 1
    (directory,) = tmp_path.glob("dagrpc-*")
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "host-secret").stat().st_mode & 0o777 == 0o600
    # A directory that others could write to is not trusted.
    directory.chmod(0o777)
    result = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert result.stdout.strip() == ""


class Sender:
    """Offers memory of a process that is gone, and sends chunks to those who do not name their host."""

    def __init__(self, gone: int, array: np.ndarray[Any, Any]) -> None:
        self.gone = gone
        self.array = array
        self.requests: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def unknown(request: Any, context: Any) -> Any:
            raise NotImplementedError(name)

        return unknown

    async def GetData(self, request: worker_service_pb2.GetDataRequest, context: Any) -> None:
        self.requests.append(request.host)
        encoding, frames = payload.encode(self.array)
        for message in transfers.transfer_messages(
            [OutgoingValue("k", encoding, frames)], in_memory=bool(request.host)
        ):
            part = worker_service_pb2.GetDataResponse.FromString(message)
            if part.HasField("manifest") and part.manifest.pid:
                part.manifest.pid = self.gone
                message = part.SerializeToString()
            await context.write(message)


@needs_linux
def test_memory_that_cannot_be_read_comes_in_chunks() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    sender = Sender(gone.pid, np.arange(500_000))

    async def run() -> None:
        server = Server(raw_requests=("PutData",))
        server.add_service(WORKER_SERVICE, sender)
        port = await server.start("127.0.0.1")
        channel = open_channel(f"127.0.0.1:{port}", DATA_CHANNEL)
        client = ServiceClient(channel, WORKER_SERVICE, f"127.0.0.1:{port}")
        for _ in range(2):
            request = worker_service_pb2.GetDataRequest(keys=["k"])
            (value,) = await transfers.download(client, "GetData", request)
            assert (payload.decode(value.entry.encoding, value.frames) == sender.array).all()
        await channel.close()
        await server.stop(0.1)

    get_loop().run(run(), 60)
    # Tried once, and not again with this peer.
    assert sender.requests == [same_host.token(), "", ""]


@pytest.mark.parametrize("short_way", ["true", "false"])
def test_large_data_everywhere(short_way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scatter, worker to worker and gather, with the short way open and closed."""
    program = (
        "import numpy as np\n"
        "from dagrpc import Client, LocalCluster\n"
        "from dagrpc._transfer import same_host\n"
        "if __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:\n"
        "        data = {'a': np.arange(3_000_000), 'b': [np.ones(200_000), b'x' * 700_000, 'text']}\n"
        "        future = client.scatter(data, hash=False)\n"
        "        one, other = client.nthreads()\n"
        "        copies = [client.submit(lambda x: x, future['a'], workers=[w], key=w) for w in (one, other)]\n"
        "        for copy in copies:\n"
        "            assert (copy.result() == data['a']).all()\n"
        "        back = future['b'].result()\n"
        "        assert (back[0] == data['b'][0]).all() and back[1:] == data['b'][1:]\n"
        "        print('same host' if same_host.token() else 'chunks')\n"
    )
    environment = {**os.environ, "DASK_DAGRPC__COMM__SAME_HOST": short_way}
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=100
    )
    assert result.returncode == 0, result.stderr
    expected = "same host" if short_way == "true" and sys.platform.startswith("linux") else "chunks"
    assert result.stdout.strip() == expected


def test_in_one_process() -> None:
    with LocalCluster(n_workers=2, processes=False) as cluster, Client(cluster) as client:
        array = np.arange(1_000_000)
        (future,) = client.scatter([array])
        assert (client.submit(lambda x: x + 1, future).result(timeout=30) == array + 1).all()
        assert (array == np.arange(1_000_000)).all()
