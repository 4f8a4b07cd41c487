"""Clusters of processes that `dagrpc spec` runs: here, and on the other end of SSH."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import dask
import psutil
import pytest

from dagrpc import Client, SSHCluster, Status, SubprocessCluster
from dagrpc._loop.io_loop import get_loop
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(180)


def inc(number: int) -> int:
    return number + 1


# --- processes here ----------------------------------------------------------------------------------------------


def test_processes_that_anybody_could_have_started() -> None:
    me = psutil.Process()
    before = {process.pid for process in me.children(recursive=True)}
    with dask.config.set({"mine.number": 7}):
        dask.config.update(dask.config.global_config, {"mine": {"number": 7}})
        cluster = SubprocessCluster(n_workers=2, threads_per_worker=1, worker_kwargs={"env": {"COLOR": "red"}})
    with cluster, Client(cluster) as client:
        assert cluster.name == "SubprocessCluster"
        assert cluster.observed == {0, 1}
        assert client.submit(lambda: (os.environ["COLOR"], dask.config.get("mine.number"))).result() == ("red", 7)
        assert client.run_on_scheduler(os.getpid) not in before | {os.getpid()}
        cluster.scale(1)
        assert len(cluster.observed) == 1
        started = [process for process in me.children(recursive=True) if process.pid not in before]
        assert "in a process of its own" in str(cluster.scheduler)
    assert cluster.status is Status.closed
    _, alive = psutil.wait_procs(started, timeout=60)
    assert not alive


def test_a_process_that_dies_is_replaced() -> None:
    with SubprocessCluster(
        n_workers=1, threads_per_worker=1, worker_class="dagrpc.Worker", scheduler_sync_interval=0.05
    ) as cluster:
        worker = cluster.workers[0]
        os.kill(worker._process.pid, signal.SIGKILL)
        eventually(lambda: cluster.workers.get(0) not in (None, worker) and cluster.observed == {0})


def test_why_a_process_does_not_start_is_said() -> None:
    with pytest.raises(RuntimeError, match="colour"):
        SubprocessCluster(n_workers=1, worker_kwargs={"colour": 1})
    with pytest.raises(RuntimeError, match=r"no\.such\.Class"):
        SubprocessCluster(n_workers=1, worker_class="no.such.Class")


def test_processes_end_with_the_program_that_started_them(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import time\n"
        "from dagrpc import SubprocessCluster\n"
        "if __name__ == '__main__':\n"
        "    cluster = SubprocessCluster(n_workers=1, threads_per_worker=1)\n"
        "    print('up', flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    try:
        assert parent.stdout.readline() == "up\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) == 3
        parent.kill()
        parent.wait(30)
        _, alive = psutil.wait_procs(children, timeout=30)
        assert not alive
    finally:
        parent.kill()
        parent.stdout.close()


# --- the command -------------------------------------------------------------------------------------------------


def dagrpc(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dagrpc.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        **options,
    )


def test_the_command_runs_what_a_specification_names(tmp_path: Path) -> None:
    scheduler = dagrpc("spec", "--spec", json.dumps({"cls": "dagrpc.Scheduler", "opts": {"port": 0}}))
    file = tmp_path / "workers.yaml"
    file.write_text("one:\n  cls: dagrpc.Worker\n  opts: {nthreads: 1}\ntwo:\n  cls: dagrpc.Worker\n")
    workers = None
    try:
        assert scheduler.stdout is not None
        word, _, address = scheduler.stdout.readline().strip().rpartition(" ")
        assert word == "Scheduler at:"
        workers = dagrpc("spec", "--spec-file", str(file), address)
        assert workers.stdout is not None
        assert [workers.stdout.readline().rpartition(" ")[0] for _ in range(2)] == ["Worker at:", "Worker at:"]
        with Client(address) as client:
            assert sorted(info["name"] for info in client.scheduler_info()["workers"].values()) == ["one", "two"]
            assert client.submit(inc, 1).result() == 2
        workers.send_signal(signal.SIGTERM)
        assert workers.wait(30) == 0
        scheduler.send_signal(signal.SIGINT)
        assert scheduler.wait(30) == 0
    finally:
        for process in (scheduler, workers):
            if process is not None:
                process.kill()
                process.communicate()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "one of the two"),
        (("--spec", "{"), "neither JSON nor YAML"),
        (("--spec", "[1]"), "has the form"),
        (("--spec", '{"cls": "no.such.Class"}'), "no.such.Class"),
        (("--spec", '{"cls": "dagrpc.Worker"}'), "Where is the scheduler"),
    ],
)
def test_a_bad_specification_is_named(arguments: tuple[str, ...], message: str) -> None:
    _, errors = dagrpc("spec", *arguments).communicate(timeout=60)
    assert message in errors


# --- SSH ---------------------------------------------------------------------------------------------------------


async def _serve_shell(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Run what a client asks for, as an SSH server does."""
    child = await asyncio.create_subprocess_shell(
        process.command or "false",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdin is not None
    inward = asyncio.create_task(_pump(process.stdin, child.stdin, ends=True))
    # Neither is ended by itself: they share a channel, and what came of the other would be lost.
    await asyncio.gather(_pump(child.stdout, process.stdout), _pump(child.stderr, process.stderr))
    code = await child.wait()
    inward.cancel()
    process.exit(code)


async def _pump(source: Any, sink: Any, ends: bool = False) -> None:
    """Pass on what comes, and the end of it if that is wanted."""
    try:
        while data := await source.read(4096):
            sink.write(data)
        if ends:
            sink.write_eof()
    except (OSError, asyncssh.Error):
        # One of the two is gone.
        sink.close()


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Options to connect to an SSH server on this machine that takes one key only."""
    directory = tmp_path_factory.mktemp("ssh")
    host_key, user_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    user_key.write_private_key(directory / "id")
    user_key.write_public_key(directory / "authorized_keys")

    async def listen() -> Any:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            authorized_client_keys=str(directory / "authorized_keys"),
            process_factory=_serve_shell,
            encoding=None,
        )

    server = get_loop().run(listen(), 30)
    port = server.get_port()
    known = directory / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {host_key.export_public_key().decode()}")
    yield {
        "port": port,
        "username": "somebody",
        "client_keys": [str(directory / "id")],
        "known_hosts": str(known),
    }
    server.close()


def test_a_cluster_over_ssh(ssh: dict[str, Any]) -> None:
    with (
        SSHCluster(["127.0.0.1"] * 3, connect_options=ssh, worker_options={"nthreads": 1, "n_workers": 2}) as cluster,
        Client(cluster) as client,
    ):
        assert cluster.observed == {0, 1}
        info = client.scheduler_info()["workers"].values()
        assert sorted(worker["name"] for worker in info) == ["0-0", "0-1", "1-0", "1-1"]
        assert client.submit(inc, 1).result() == 2
        cluster.scale(1)
        assert len(client.scheduler_info()["workers"]) == 2
        pids = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
    _, alive = psutil.wait_procs(pids, timeout=30)
    assert not alive


def test_ssh_says_what_is_wrong(ssh: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got none"):
        SSHCluster([])
    with pytest.raises(RuntimeError, match="connect_options has 1 entries for 2 hosts"):
        SSHCluster(["127.0.0.1"] * 2, connect_options=[ssh])
    with pytest.raises(RuntimeError, match="remote_python has 3 entries for 2 hosts"):
        SSHCluster(["127.0.0.1"] * 2, remote_python=["python"] * 3)
    stranger = tmp_path / "stranger"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(stranger)
    with pytest.raises(RuntimeError, match=r"Cannot connect to 127\.0\.0\.1 by SSH"):
        SSHCluster(["127.0.0.1"] * 2, connect_options={**ssh, "client_keys": [str(stranger)]})
    with pytest.raises(RuntimeError, match="no-such-python"):
        SSHCluster(["127.0.0.1"] * 2, connect_options=ssh, remote_python="no-such-python")


def test_the_command_for_ssh(ssh: dict[str, Any], tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1\n")
    process = dagrpc(
        *("ssh", "--hostfile", str(hosts), "--ssh-port", str(ssh["port"]), "--ssh-username", "somebody"),
        *("--ssh-private-key", ssh["client_keys"][0], "--ssh-known-hosts", ssh["known_hosts"]),
        *("--scheduler-port", "0", "--nthreads", "1", "--nworkers", "2"),
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip().rpartition(" ")[2]
        with Client(address) as client:
            client.wait_for_workers(2, timeout=60)
            assert client.submit(inc, 1).result() == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
