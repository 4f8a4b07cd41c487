"""Nannies with real worker processes, a stand-in for the scheduler, and the command line."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest

from dagrpc._codec import calls
from dagrpc._process.child import Child, inherited_sys_path
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc.exceptions import CommClosedError
from dagrpc.v1 import nanny_service_pb2 as pb
from dagrpc_worker.exits import ExitCode
from dagrpc_worker.nanny.nanny import Nanny
from dagrpc_worker.nanny.nanny_server import NANNY_SERVICE, NannyService
from dagrpc_worker.nanny.restart_rules import Status
from dagrpc_worker.options import NannyOptions
from tests.unit.worker_shell.lab import Lab, in_lab
from tests.unit.worker_shell.standin import StandIn

WAIT = 30.0
COMMON: dict[str, Any] = {"sys_path": inherited_sys_path(), "config": {}, "log_level": "WARNING"}


@asynccontextmanager
async def nanny_of(lab: Lab, **options: Any) -> AsyncIterator[NannyService]:
    """A nanny in this process whose worker has joined."""
    worker = {"scheduler_address": lab.scheduler.address, "nthreads": 1, "name": "kid", **options}
    nanny = NannyService(NannyOptions(worker=worker, **COMMON), None, Nanny.of)
    try:
        await nanny.start()
        yield nanny
    finally:
        await asyncio.wait_for(nanny.close("test over"), WAIT)


@asynccontextmanager
async def client_of(address: str) -> AsyncIterator[ServiceClient]:
    channel = open_channel(address, CONTROL_CHANNEL)
    yield ServiceClient(channel, NANNY_SERVICE, address)
    await channel.close()


async def gone(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        async with asyncio.timeout(WAIT):
            while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                await asyncio.sleep(0.02)


def test_a_nanny_does_what_it_is_told() -> None:
    async def body(lab: Lab) -> None:
        async with nanny_of(lab) as nanny, client_of(nanny.address) as client:
            (worker,) = await lab.scheduler.wait_for(1)
            await nanny.wait_joined(WAIT)
            assert worker.hello.nanny == nanny.address
            status = (
                await client.call("GetWorkerStatus", pb.GetWorkerStatusRequest(), pb.GetWorkerStatusResponse)
            ).worker
            assert (status.status, status.pid) == (pb.PROCESS_STATUS_RUNNING, worker.hello.pid)
            assert (status.address, status.name, status.restarts) == (worker.address, "kid", 0)

            request = pb.RestartWorkerRequest(reason="test")
            status = (await client.call("RestartWorker", request, pb.RestartWorkerResponse)).worker
            assert status.pid not in (0, worker.hello.pid)
            assert status.address == lab.scheduler.joined[1].address
            assert worker.goodbye is not None
            assert status.restarts == 1

            status = (await client.call("StopWorker", pb.StopWorkerRequest(), pb.StopWorkerResponse)).worker
            assert (status.status, status.pid) == (pb.PROCESS_STATUS_STOPPED, 0)
            assert status.last_exit_code == 128 + signal.SIGTERM
            assert lab.scheduler.workers == {}
            for _ in range(2):
                await client.call("StartWorker", pb.StartWorkerRequest(), pb.StartWorkerResponse)
            await lab.scheduler.wait_for(3)
            await client.call("CloseNanny", pb.CloseNannyRequest(), pb.CloseNannyResponse)
            await asyncio.wait_for(nanny.finished(), WAIT)
            assert len(lab.scheduler.joined) == 3

    in_lab(body)


def test_functions_run_in_the_nanny() -> None:
    async def body(lab: Lab) -> None:
        async with nanny_of(lab) as nanny, client_of(nanny.address) as client:
            function = calls.encode_call_request(lambda dask_worker: (os.getpid(), dask_worker.address))
            request = pb.RunInNannyRequest(run={"function": function})
            result = (await client.call("RunInNanny", request, pb.RunInNannyResponse)).result
            assert calls.result_of(result) == (os.getpid(), nanny.address)

    in_lab(body)


def test_a_worker_that_dies_is_replaced() -> None:
    async def body(lab: Lab) -> None:
        async with nanny_of(lab) as nanny:
            (first,) = await lab.scheduler.wait_for(1)
            os.kill(first.hello.pid, signal.SIGKILL)
            second = (await lab.scheduler.wait_for(2))[1]
            assert second.hello.name == "kid"
            await nanny.wait_joined(WAIT)
            assert nanny.last_exit_code == -signal.SIGKILL
            # A task can do it, too.
            second.submit("x", os._exit, 3)
            await lab.scheduler.wait_for(3)
            assert nanny.last_exit_code == 3
            assert nanny.restarts == 2

    in_lab(body)


def test_a_worker_that_dies_too_often_is_given_up() -> None:
    async def body(lab: Lab) -> None:
        async with nanny_of(lab) as nanny:
            for count in (1, 2):
                worker = (await lab.scheduler.wait_for(count))[-1]
                os.kill(worker.hello.pid, signal.SIGSEGV)
            async with asyncio.timeout(WAIT):
                while nanny.status is not Status.FAILED:
                    await asyncio.sleep(0.02)
            assert "killed by SIGSEGV" in nanny.error
            async with asyncio.timeout(WAIT):
                while not lab.scheduler.given_up:
                    await asyncio.sleep(0.02)
            (told,) = lab.scheduler.given_up
            assert (told.name, told.nanny, told.reason) == ("kid", nanny.address, nanny.error)
            with pytest.raises(RuntimeError, match="SIGSEGV"):
                await nanny.wait_joined(WAIT)
            await nanny.start_worker()
            await lab.scheduler.wait_for(3)

    with dask.config.set({"dagrpc.nanny.max-restarts": 1}):
        in_lab(body)


def test_a_refused_worker_is_not_started_again_and_again() -> None:
    async def body(lab: Lab) -> None:
        await lab.worker("kid")
        async with nanny_of(lab) as nanny:
            with pytest.raises(RuntimeError, match="'kid'"):
                await nanny.wait_joined(WAIT)
            assert nanny.status is Status.FAILED
            assert nanny.last_exit_code == ExitCode.REFUSED

    in_lab(body)


def test_a_worker_that_ignores_being_asked_is_killed() -> None:
    async def body(lab: Lab) -> None:
        async with nanny_of(lab) as nanny:
            (worker,) = await lab.scheduler.wait_for(1)
            os.kill(worker.hello.pid, signal.SIGSTOP)
            await nanny.stop_worker(grace=0.5)
            assert nanny.last_exit_code == -signal.SIGKILL

    in_lab(body)


def test_a_worker_that_closed_for_good_takes_its_nanny_with_it() -> None:
    async def body(lab: Lab) -> None:
        async with nanny_of(lab) as nanny:
            (worker,) = await lab.scheduler.wait_for(1)
            worker.command(close={"reason": "enough"})
            await asyncio.wait_for(nanny.finished(), WAIT)
            with pytest.raises(CommClosedError):
                async with client_of(nanny.address) as client:
                    await client.call("GetWorkerStatus", pb.GetWorkerStatusRequest(), pb.GetWorkerStatusResponse)

    in_lab(body)


def test_a_restarted_scheduler_gets_its_workers_back() -> None:
    async def body(lab: Lab) -> None:
        async with nanny_of(lab):
            await lab.scheduler.wait_for(1)
            port = int(lab.scheduler.address.rpartition(":")[2])
            await lab.scheduler.stop()
            await asyncio.sleep(0.5)
            async with StandIn() as other:
                assert other.address != lab.scheduler.address
            successor = await StandIn().start(port)
            await successor.wait_for(1)
            await successor.stop()

    in_lab(body)


def test_the_environment_of_worker_processes() -> None:
    async def body(lab: Lab) -> None:
        worker = {"scheduler_address": lab.scheduler.address, "nthreads": 1}
        environ = {"OMP_NUM_THREADS": "1", "DAGRPC_TEST": "yes"}
        nanny = NannyService(NannyOptions(worker=worker, **COMMON, env=environ), None, Nanny.of)
        await nanny.start()
        (kid,) = await lab.scheduler.wait_for(1)
        kid.submit("x", os.getenv, "DAGRPC_TEST")
        kid.submit("y", sys.getswitchinterval)
        assert await kid.result("x") == "yes"
        assert await kid.result("y") == pytest.approx(0.001)
        await nanny.close()

    in_lab(body)


# --- the process with several nannies ---


@asynccontextmanager
async def host_of(lab: Lab, **settings: Any) -> AsyncIterator[Child]:
    settings = {
        **COMMON,
        "host": "127.0.0.1",
        "scheduler_address": lab.scheduler.address,
        "workers": [{"name": str(index), "nthreads": 1, "local_directory": None} for index in range(2)],
        **settings,
    }
    child = Child("dagrpc_worker.nanny.nanny_process", settings)
    try:
        yield child
    finally:
        child.release()
        await asyncio.wait_for(asyncio.to_thread(child.process.wait), WAIT)
        child.close_pipes()


async def reports_of(host: Child, until: Callable[[list[Any]], bool]) -> list[Any]:
    reports: list[Any] = []
    async with asyncio.timeout(WAIT):
        while not until(reports):
            report = await asyncio.to_thread(host.read_report)
            assert report is not None
            reports.append(report)
    return reports


def test_a_host_reports_and_ends_with_its_workers() -> None:
    async def body(lab: Lab) -> None:
        async with host_of(lab) as host:
            workers = await lab.scheduler.wait_for(2)
            reports = await reports_of(host, lambda seen: sum(r["status"] == "running" for r in seen) == 2)
            running = {report["name"]: report for report in reports if report["status"] == "running"}
            for worker in workers:
                report = running[worker.hello.name]
                assert report["worker_address"] == worker.address
                assert report["nanny_address"] == worker.hello.nanny
                assert report["pid"] == worker.hello.pid
                worker.command(close={"reason": "all over"})
            assert await asyncio.wait_for(asyncio.to_thread(host.process.wait), WAIT) == 0

    in_lab(body)


@pytest.mark.parametrize("how", ["release", "kill", "term"])
def test_workers_end_with_their_host(how: str) -> None:
    async def body(lab: Lab) -> None:
        async with host_of(lab) as host:
            workers = await lab.scheduler.wait_for(2)
            await reports_of(host, lambda seen: sum(r["status"] == "running" for r in seen) == 2)
            if how == "release":
                host.release()
            else:
                os.kill(host.pid, signal.SIGKILL if how == "kill" else signal.SIGTERM)
            for worker in workers:
                await gone(worker.hello.pid)
                await asyncio.wait_for(worker.gone.wait(), WAIT)
                assert worker.goodbye is not None

    in_lab(body)


def test_a_host_waits_for_the_scheduler_file(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"

    async def body(lab: Lab) -> None:
        async with host_of(lab, scheduler_address="", scheduler_file=str(file)):
            await asyncio.sleep(0.3)
            file.write_text(f'{{"address": "{lab.scheduler.address}"}}')
            await lab.scheduler.wait_for(2)

    in_lab(body)


def test_a_port_that_is_taken_is_reported() -> None:
    async def body(lab: Lab) -> None:
        port = int(lab.scheduler.address.rpartition(":")[2])
        async with host_of(lab, worker_ports=(port, port)) as host:
            (report,) = await reports_of(host, bool)
            assert report["status"] == "failed"
            assert str(port) in report["error"]

    in_lab(body)


# --- the command line ---


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "dagrpc.cli", "worker", *arguments],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=WAIT)


async def ended(process: subprocess.Popen[str]) -> int:
    return await asyncio.wait_for(asyncio.to_thread(process.wait), WAIT)


def test_the_command_with_nannies(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    async def body(lab: Lab) -> None:
        arguments = ["--nworkers", "2", "--nthreads", "3", "--name", "n", "--resources", "GPU=1 MEM=2e3"]
        arguments += ["--memory-limit", "100 MiB", "--pid-file", str(pid_file), "--local-directory", str(tmp_path)]
        with command(lab.scheduler.address, *arguments) as process:
            workers = await lab.scheduler.wait_for(2)
            assert {worker.hello.name for worker in workers} == {"n-0", "n-1"}
            for worker in workers:
                assert worker.hello.nthreads == 3
                assert worker.hello.memory_limit == 100 << 20
                assert dict(worker.hello.resources) == {"GPU": 1.0, "MEM": 2000.0}
                assert worker.hello.local_directory.startswith(str(tmp_path))
                assert worker.address.startswith("127.0.0.1:")
                await worker.at_work()
            assert int(pid_file.read_text()) == process.pid
            process.send_signal(signal.SIGINT)
            assert await ended(process) == 0
            assert all(worker.goodbye is not None for worker in workers)
            assert not pid_file.exists()

    in_lab(body)


def test_the_command_without_a_nanny() -> None:
    async def body(lab: Lab) -> None:
        with command(lab.scheduler.address, "--no-nanny", "--worker-port", "0") as process:
            (worker,) = await lab.scheduler.wait_for(1)
            assert worker.hello.nanny == ""
            assert worker.hello.pid == process.pid
            assert worker.hello.name == worker.address
            await worker.at_work()
            process.send_signal(signal.SIGTERM)
            assert await ended(process) == 0
            assert worker.goodbye == "received SIGTERM"

    in_lab(body)


def test_a_second_signal_ends_the_command_at_once() -> None:
    async def body(lab: Lab) -> None:
        with command(lab.scheduler.address) as process:
            (worker,) = await lab.scheduler.wait_for(1)
            await worker.at_work()
            os.kill(worker.hello.pid, signal.SIGSTOP)
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                await asyncio.sleep(0.2)
            assert await ended(process) == 128 + signal.SIGINT
            os.kill(worker.hello.pid, signal.SIGCONT)
            await gone(worker.hello.pid)

    in_lab(body)


def test_the_command_for_a_name_that_is_taken() -> None:
    async def body(lab: Lab) -> None:
        await lab.worker("taken")
        with command(lab.scheduler.address, "--name", "taken") as process:
            _, log = await asyncio.wait_for(asyncio.to_thread(process.communicate), WAIT)
            assert process.returncode == 1
            assert "'taken' is connected already" in log

    in_lab(body)
