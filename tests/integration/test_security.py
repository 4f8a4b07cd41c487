"""TLS between real processes: accepted and refused peers, and the errors of refused ones."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import grpc
import pandas as pd
import pytest

from dagrpc import (
    Client,
    LocalCluster,
    Lock,
    Nanny,
    Scheduler,
    Security,
    SpecCluster,
    Worker,
    get_client,
    get_task_stream,
)
from dagrpc.plugins.base import NannyPlugin, WorkerPlugin
from tests.support.settings import set_for_test
from tests.unit.security.certificates import Authority

TIMEOUT = 60
REFUSED = 20


class Counter:
    """An actor."""

    def __init__(self) -> None:
        self.n = 0

    def increment(self) -> int:
        self.n += 1
        return self.n


def use(client: Client) -> None:
    """Run one operation of each kind that opens a connection."""
    workers = list(client.scheduler_info()["workers"])
    assert client.submit(sum, [1, 2, 3]).result(timeout=TIMEOUT) == 6
    data = client.submit(bytes, 3_000_000, workers=workers[:1])
    assert client.submit(len, data, workers=workers[-1:]).result(timeout=TIMEOUT) == 3_000_000
    assert len(data.result(timeout=TIMEOUT)) == 3_000_000
    assert client.gather(client.scatter([1, 2, 3], direct=True)) == [1, 2, 3]
    counter = client.submit(Counter, actor=True).result(timeout=TIMEOUT)
    assert counter.increment().result(timeout=TIMEOUT) == 1
    assert client.submit(within_a_task, 7).result(timeout=TIMEOUT) == 8
    assert set(client.run(os.getpid)) == set(workers)
    assert set(client.get_worker_logs()) == set(workers)
    assert client.profile() is not None


def within_a_task(x: int) -> int:
    return int(get_client().submit(lambda y: y + 1, x).result(timeout=TIMEOUT))


@pytest.mark.parametrize("processes", [False, True])
def test_a_local_cluster_with_temporary_certificates(monkeypatch: pytest.MonkeyPatch, processes: bool) -> None:
    set_for_test(monkeypatch, "comm.same-host", False)
    with (
        dask.config.set({"dagrpc.comm.same-host": False}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=processes, security=True) as cluster,
        Client(cluster) as client,
    ):
        assert client.security is cluster.security
        use(client)
        cluster.scale(3)
        client.wait_for_workers(3, timeout=TIMEOUT)
        if processes:
            client.restart(timeout=TIMEOUT)
            assert client.submit(sum, [1, 2]).result(timeout=TIMEOUT) == 3
        with Client(f"tls://{cluster.scheduler_address}", security=cluster.security) as other:
            assert other.submit(sum, [1, 2, 4]).result(timeout=TIMEOUT) == 7


def test_a_client_starts_a_cluster_with_certificates() -> None:
    with Client(security=True, n_workers=1, threads_per_worker=1, processes=False) as client:
        assert client.cluster.security is client.security
        assert client.submit(sum, [1, 2, 3]).result(timeout=TIMEOUT) == 6


@pytest.fixture(scope="module")
def secured() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, security=True) as cluster:
        yield cluster


def refusal(address: str, security: Any) -> str:
    with pytest.raises(OSError, match=address) as caught:
        Client(address, timeout=REFUSED, security=security)
    return str(caught.value)


def test_callers_that_are_refused(secured: LocalCluster, tmp_path: Path) -> None:
    address = secured.scheduler_address
    assert "it wants TLS, and this side has no certificate" in refusal(address, None)
    assert "certificate is not accepted" in refusal(address, Security.temporary())
    # It trusts the cluster, which does not trust it: the certificate is by another authority.
    ours, theirs = secured.security, Security.temporary()
    stranger = {
        "tls_ca_file": ours.tls_ca_file,
        "tls_client_cert": theirs.tls_client_cert,
        "tls_client_key": theirs.tls_client_key,
        "extra_conn_args": ours.extra_conn_args,
    }
    assert "does not accept the certificate of this client" in refusal(address, stranger)
    with pytest.raises(ValueError, match="no tls_client_cert"):
        Client(address, security={"tls_ca_file": ours.tls_ca_file})
    with Client(secured) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=TIMEOUT) == 6


def test_a_caller_without_certificate_is_not_let_in(secured: LocalCluster) -> None:
    ours = secured.security
    assert ours.tls_ca_file is not None
    channel = grpc.secure_channel(
        secured.scheduler_address,
        grpc.ssl_channel_credentials(ours.tls_ca_file.encode()),
        options=[("grpc.ssl_target_name_override", ours.server_name)],
    )
    call = channel.unary_unary("/grpc.health.v1.Health/Check")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    channel.close()


def test_a_secured_client_does_not_talk_to_an_open_scheduler(shared_cluster: LocalCluster) -> None:
    found = refusal(shared_cluster.scheduler_address, Security.temporary())
    assert "it does not speak TLS" in found


def test_keys_are_not_to_be_seen_from_outside(secured: LocalCluster) -> None:
    key = secured.security.fields()["tls_worker_key"]
    line = key.splitlines()[1].encode()
    with Client(secured) as client:
        pids = [client.run_on_scheduler(os.getpid), *client.run(os.getpid).values(), *client.run(os.getppid).values()]
    for pid in pids:
        for file in ("cmdline", "environ"):
            assert line not in Path(f"/proc/{pid}/{file}").read_bytes()


def test_expired_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    good = {name: Path(file).read_text() for name, file in authority.fields("client", "scheduler").items()}
    day = timedelta(days=1)
    old_client = {**good, **authority.fields("client", valid=-day)}
    old_scheduler = {**good, **authority.fields("scheduler", valid=-day)}

    async def error(of_scheduler: dict[str, str], of_client: dict[str, str]) -> str:
        async with Scheduler(security=of_scheduler) as scheduler:
            with pytest.raises(OSError, match="Cannot connect") as caught:
                await Client(scheduler.address, security=of_client, timeout=REFUSED, asynchronous=True)
            return str(caught.value)

    assert "does not accept the certificate of this client" in asyncio.run(error(good, old_client))
    assert "certificate has expired" in asyncio.run(error(old_scheduler, good))


def test_servers_of_ones_own(tmp_path: Path) -> None:
    security = Security(require_encryption=True, **Authority(tmp_path).fields("client", "scheduler", "worker"))

    async def run() -> tuple[Any, Any]:
        async with (
            Scheduler(security=security, protocol="tls") as scheduler,
            Worker(f"tls://{scheduler.address}", security=security, nthreads=1, name="a"),
            Nanny(f"tls://{scheduler.address}", security=security, nthreads=1, name="b"),
            Client(f"tls://{scheduler.address}", security=security, asynchronous=True) as client,
        ):
            first = await client.submit(os.getpid, workers=["a"])
            second = await client.submit(os.getpid, workers=["b"], pure=False)
            return first, second

    first, second = asyncio.run(run())
    assert first == os.getpid() != second


def test_the_name_of_the_host_is_looked_at(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    fields = authority.fields("client", "worker")
    from cryptography import x509

    fields["tls_scheduler_cert"], fields["tls_scheduler_key"] = authority.issue("s", (x509.DNSName("the.scheduler"),))

    async def run() -> None:
        async with Scheduler(security=fields) as scheduler:
            with pytest.raises(OSError, match=r"certificate is not accepted.*127\.0\.0\.1"):
                await Client(scheduler.address, security=fields, timeout=REFUSED, asynchronous=True)
            named = {**fields, "extra_conn_args": {"server_hostname": "the.scheduler"}}
            async with Client(scheduler.address, security=named, asynchronous=True) as client:
                assert client.status == "running"

    asyncio.run(run())


def test_encryption_can_be_required(shared_cluster: LocalCluster) -> None:
    address = shared_cluster.scheduler_address
    with dask.config.set({"distributed.comm.require-encryption": True}):
        with pytest.raises(RuntimeError, match="Encryption is required"):
            Client(address)
        with pytest.raises(RuntimeError, match="Encryption is required"):
            LocalCluster(n_workers=0, processes=False)
        with pytest.raises(RuntimeError, match="Encryption is required; refusing"):
            Client(f"tcp://{address}", security=Security.temporary())
    with pytest.raises(TypeError, match="says TLS"):
        Client(f"tls://{address}")
    for server in (Worker, Nanny):
        with pytest.raises(TypeError, match="says TLS"):
            server(f"tls://{address}")
        with pytest.raises(TypeError, match="needs certificates"):
            server(address, protocol="tls")
    with pytest.raises(TypeError, match="needs certificates"):
        Scheduler(protocol="tls://")


def of_the_loader(info: dict[str, Any]) -> Security | None:
    return _loaded.get(info["address"])


_loaded: dict[str, Security] = {}


def test_a_function_that_loads_security(secured: LocalCluster) -> None:
    _loaded[secured.scheduler_address] = secured.security
    setting = {"distributed.client.security-loader": f"{__name__}.of_the_loader"}
    with dask.config.set(setting), Client(secured.scheduler_address) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=TIMEOUT) == 6


def test_commands_take_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    fields = authority.fields("client", "scheduler", "worker")
    file = tmp_path / "scheduler.json"

    def options(role: str) -> list[str]:
        return [
            f"--tls-ca-file={fields['tls_ca_file']}",
            f"--tls-cert={fields[f'tls_{role}_cert']}",
            f"--tls-key={fields[f'tls_{role}_key']}",
        ]

    command = [sys.executable, "-m", "dagrpc.cli"]
    scheduler = subprocess.Popen([*command, "scheduler", "--port=0", f"--scheduler-file={file}", *options("scheduler")])
    worker = subprocess.Popen([*command, "worker", f"--scheduler-file={file}", "--nthreads=2", *options("worker")])
    try:
        security = Security(**{name: value for name, value in fields.items() if "client" in name or "ca" in name})
        with Client(scheduler_file=str(file), security=security, timeout=TIMEOUT) as client:
            client.wait_for_workers(1, timeout=TIMEOUT)
            assert client.submit(within_a_task, 1).result(timeout=TIMEOUT) == 2
            address = client.scheduler.address
        healthy = subprocess.run([*command, "health", f"tls://{address}", *options("client")], timeout=TIMEOUT)
        assert healthy.returncode == 0
        assert subprocess.run([*command, "health", address, "--timeout=2"], timeout=TIMEOUT).returncode == 1
    finally:
        for process in (worker, scheduler):
            process.terminate()
            process.wait(TIMEOUT)
    wrong = subprocess.run([*command, "scheduler", "--tls-ca-file=nowhere.pem"], capture_output=True, timeout=TIMEOUT)
    assert wrong.returncode == 2
    assert b"no tls_scheduler_cert" in wrong.stderr
    wrong = subprocess.run([*command, "worker", "tls://127.0.0.1:1"], capture_output=True, timeout=TIMEOUT)
    assert wrong.returncode == 2
    assert b"says TLS" in wrong.stderr


class Marking(WorkerPlugin):
    """Leaves a mark on its worker."""

    name = "marking"

    def setup(self, worker: Any) -> None:
        worker.marked = True


class NannyMarking(NannyPlugin):
    """Leaves a mark on its nanny."""

    name = "nanny-marking"

    def setup(self, nanny: Any) -> None:
        nanny.marked = True


def test_calls_that_go_by_other_services(secured: LocalCluster, tmp_path: Path) -> None:
    with Client(secured) as client:
        client.register_plugin(Marking())
        client.register_plugin(NannyMarking())
        assert list(client.run(lambda dask_worker: dask_worker.marked).values()) == [True]
        assert list(client.run(lambda dask_worker: dask_worker.marked, nanny=True).values()) == [True]
        (tmp_path / "of_ours.py").write_text("number = 7")
        client.upload_file(str(tmp_path / "of_ours.py"))
        assert client.submit(lambda: __import__("of_ours").number).result(timeout=TIMEOUT) == 7
        assert client.get_versions()["workers"]
        assert client.story(client.submit(sum, [5]).key) is not None
        assert client.get_scheduler_logs() is not None
        assert client.get_worker_logs(nanny=True)
        client.set_metadata("a", 1)
        assert client.get_metadata("a") == 1
        with Lock("lock"):
            client.log_event("topic", "message")
        assert client.get_events("topic")
        with get_task_stream(client) as stream:
            client.submit(sum, [6]).result(timeout=TIMEOUT)
        assert stream.data
        assert client.benchmark_hardware()["memory"]
        client.restart(timeout=TIMEOUT)
        assert list(client.run(lambda dask_worker: dask_worker.marked).values()) == [True]


def test_shuffles() -> None:
    with LocalCluster(n_workers=2, threads_per_worker=1, security=True) as cluster, Client(cluster):
        data = dd.from_pandas(pd.DataFrame({"x": range(100), "y": range(100)}), npartitions=4)
        assert int(data.shuffle("x").y.sum().compute()) == 4950


def test_a_cluster_by_specification() -> None:
    security = Security.temporary()
    workers = {0: {"cls": Worker, "options": {"nthreads": 1, "security": security}}}
    with SpecCluster(workers=workers, security=security) as cluster, Client(cluster) as client:
        assert client.submit(sum, [1, 2, 3]).result(timeout=TIMEOUT) == 6
