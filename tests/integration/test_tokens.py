"""Tokens between real processes: every rpc of every service requires one, and no token is disclosed."""

import asyncio
import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import grpc
import pytest

from dagrpc import Client, LocalCluster, NotAuthenticatedError, Security, Worker, get_client
from dagrpc._cli.health import check
from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc.channels import open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc.exceptions import CodeNotAllowedError
from tests.contract.rpcs import by_target, calls_of, outcome
from tests.integration.test_security import use

TIMEOUT = 60
TOKEN, CLIENT, WORKER, SCHEDULER = (f"{name}-secret-of-this-cluster" for name in ("the", "client", "worker", "sched"))


@pytest.fixture(scope="module")
def guarded() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, security=Security(token=TOKEN)) as cluster:
        yield cluster


def test_a_cluster_with_a_token(guarded: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with dask.config.set({"dagrpc.comm.same-host": False}), Client(guarded) as client:
        use(client)
        client.restart(timeout=TIMEOUT)
        assert client.submit(sum, [1, 2]).result(timeout=TIMEOUT) == 3
    with Client(guarded.scheduler_address, security={"token": TOKEN}) as client:
        assert client.submit(sum, [1, 2, 4]).result(timeout=TIMEOUT) == 7


@pytest.mark.parametrize("security", [None, Security(token="another-secret-of-mine"), Security(token=TOKEN + "x")])
def test_callers_that_are_refused(guarded: LocalCluster, security: Security | None) -> None:
    with pytest.raises(NotAuthenticatedError, match=r"comm\.token-file") as caught:
        Client(guarded.scheduler_address, timeout=20, security=security)
    assert TOKEN not in str(caught.value)

    async def join() -> None:
        async with Worker(guarded.scheduler_address, security=security, nthreads=1, death_timeout=20):
            pass

    with pytest.raises((OSError, RuntimeError), match="token"):
        asyncio.run(join())


def test_no_rpc_goes_without_a_token(guarded: LocalCluster) -> None:
    async def without(address: str, services: Any) -> None:
        channel = open_channel(address, CONTROL_CHANNEL)
        try:
            for service, method in calls_of(services):
                # To a stream nothing is written: gRPC may report that in place of how the stream ended.
                messages = () if method.client_streaming else (b"",)
                code, details = await outcome(channel, service, method, *messages)
                assert code is grpc.StatusCode.UNAUTHENTICATED, f"{service.name}.{method.name}: {details}"
            # Who probes has none; who looks around is to have one.
            assert await check(address) == "SERVING"
            reflect = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")()
            await reflect.done_writing()
            assert await reflect.code() is grpc.StatusCode.UNAUTHENTICATED
        finally:
            await channel.close()

    with Client(guarded) as client:
        for address, services in by_target(client).items():
            get_loop().run(without(address, services), TIMEOUT)
        assert client.submit(sum, [1, 2, 3]).result(timeout=TIMEOUT) == 6


def test_tokens_by_role() -> None:
    everything = Security(client_token=CLIENT, worker_token=WORKER, scheduler_token=SCHEDULER)
    with LocalCluster(n_workers=1, threads_per_worker=2, security=everything) as cluster, Client(cluster) as client:
        assert client.submit(lambda: get_client().submit(sum, [1, 2]).result()).result(timeout=TIMEOUT) == 3
        assert list(client.run(os.getpid).values())

        async def join() -> None:
            async with Worker(cluster.scheduler_address, security=Security(token=CLIENT), death_timeout=20):
                pass

        with pytest.raises((OSError, RuntimeError, CodeNotAllowedError), match="not for the role client"):
            asyncio.run(join())
        with pytest.raises(CodeNotAllowedError, match=r"UpdateGraph is not for the role scheduler.*token"):
            Client(cluster.scheduler_address, security=Security(token=SCHEDULER))


def test_commands_take_a_file_of_tokens(tmp_path: Path) -> None:
    token, wrong, file = tmp_path / "token", tmp_path / "wrong", tmp_path / "scheduler.json"
    token.write_text(TOKEN)
    wrong.write_text("another-secret-of-mine")
    for each in (token, wrong):
        each.chmod(0o600)
    command = [sys.executable, "-m", "dagrpc.cli"]
    scheduler = subprocess.Popen(
        [*command, "scheduler", "--port=0", "--host=0.0.0.0", f"--scheduler-file={file}", f"--token-file={token}"],
        stderr=subprocess.PIPE,
    )
    worker = subprocess.Popen(
        [*command, "worker", f"--scheduler-file={file}", "--nthreads=1"],
        env={**os.environ, "DAGRPC_COMM__TOKEN_FILE": str(token)},
        stderr=subprocess.PIPE,
    )
    try:
        with Client(scheduler_file=str(file), security=Security(token_file=token), timeout=TIMEOUT) as client:
            client.wait_for_workers(1, timeout=TIMEOUT)
            assert client.submit(sum, [1, 2]).result(timeout=TIMEOUT) == 3
            address = client.scheduler.address
            with pytest.raises(CodeNotAllowedError, match="--allow-code"):
                client.run_on_scheduler(os.getpid)
        with pytest.raises(NotAuthenticatedError):
            Client(address, security=Security(token_file=wrong), timeout=20)
        assert subprocess.run([*command, "health", address], timeout=TIMEOUT).returncode == 0
    finally:
        said = b""
        for process in (worker, scheduler):
            process.terminate()
            said += process.communicate(timeout=TIMEOUT)[1]
    assert TOKEN.encode() not in said
    # It has a token: that it listens everywhere is no reason to warn.
    assert b"open to the network" not in said
    missing = subprocess.run([*command, "scheduler", "--token-file=nowhere"], capture_output=True, timeout=TIMEOUT)
    assert missing.returncode == 2
    assert b"nowhere" in missing.stderr


def test_nothing_tells_the_token(tmp_path: Path) -> None:
    settings = {"logging": {"distributed": "debug", "dagrpc": "debug"}, "distributed.logging": {"dagrpc": "debug"}}
    with (
        dask.config.set({**settings, "dagrpc.comm.token": TOKEN, "temporary-directory": str(tmp_path)}),
        LocalCluster(n_workers=1, threads_per_worker=1, silence_logs=10) as cluster,
        Client(cluster) as client,
    ):
        use_a_little(client)
        told = [
            client.get_scheduler_logs(),
            client.get_worker_logs(),
            client.get_worker_logs(nanny=True),
            client.get_versions(),
            client.scheduler_info(),
            client.get_events(),
            repr(client),
            repr(cluster),
            client._repr_html_(),
            cluster._repr_html_(),
        ]
        client.dump_cluster_state(str(tmp_path / "dump"), format="yaml")
        for pid in {
            client.run_on_scheduler(os.getpid),
            *client.run(os.getpid).values(),
            *client.run(os.getppid).values(),
        }:
            for name in ("cmdline", "environ"):
                assert TOKEN.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    assert TOKEN not in repr(told)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    for file in files:
        data = file.read_bytes()
        assert TOKEN.encode() not in (gzip.decompress(data) if file.suffix == ".gz" else data)


def use_a_little(client: Client) -> None:
    assert client.submit(sum, [1, 2, 3]).result(timeout=TIMEOUT) == 6
    with pytest.raises(ZeroDivisionError) as caught:
        client.submit(lambda: 1 / 0).result(timeout=TIMEOUT)
    assert TOKEN not in str(caught.getrepr(showlocals=False))
