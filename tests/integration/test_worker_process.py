"""Workers join, leave and end: in this process, and as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dagrpc import config
from dagrpc._codec.references import DependencyRef
from dagrpc._process.child import Child, inherited_sys_path
from dagrpc.exceptions import CommClosedError, DuplicateWorkerError
from dagrpc_worker.exits import ExitCode
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.shell.facade.make_service import make_service
from dagrpc_worker.shell.lifecycle.end_state import EndKind
from tests.unit.worker_shell.lab import Lab, in_lab, on

WAIT = 60.0


# --- joining and leaving ---


def test_a_name_that_is_taken_is_refused() -> None:
    async def body(lab: Lab) -> None:
        await lab.worker("taken")
        with pytest.raises(DuplicateWorkerError, match="'taken'"):
            await lab.worker("taken")

    in_lab(body)


def test_a_successor_waits_until_its_name_is_free() -> None:
    async def body(lab: Lab) -> None:
        first = await lab.worker("name")
        second = asyncio.create_task(lab.worker("name", duplicate_grace=WAIT))
        await asyncio.sleep(0.2)
        first.command(close={"reason": "make room"})
        assert (await second).hello.name == "name"

    in_lab(body)


def test_no_scheduler_in_time() -> None:
    async def body(lab: Lab) -> None:
        with pytest.raises(CommClosedError, match=r"127\.0\.0\.1:1:"):
            await lab.worker("lonely", scheduler_address="127.0.0.1:1", death_timeout=0.3)

    in_lab(body)


def test_the_scheduler_may_come_later(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"

    async def body(lab: Lab) -> None:
        options = WorkerOptions(scheduler_file=str(file), name="early", nthreads=1)
        lab.workers.append(make_service(options))
        starting = asyncio.create_task(lab.workers[0].start())
        await asyncio.sleep(0.1)
        file.write_text(json.dumps({"address": lab.scheduler.address, "id": "x"}))
        await asyncio.wait_for(starting, WAIT)

    in_lab(body)


@pytest.mark.parametrize("content", ["{}", "not json", "[]", '{"address": 5}'])
def test_a_file_that_names_no_scheduler(tmp_path: Path, content: str) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text(content)

    async def body(lab: Lab) -> None:
        with pytest.raises(ValueError, match=r"scheduler\.json"):
            await make_service(WorkerOptions(scheduler_file=str(file), nthreads=1)).start()

    in_lab(body)


def test_a_worker_leaves_when_it_is_told_to_or_its_scheduler_is_gone() -> None:
    async def body(lab: Lab) -> None:
        told, again, lost = [await lab.worker(name) for name in ("told", "again", "lost")]
        directories = [Path(worker.record.local_directory) for worker in lab.workers]
        assert all(directory.is_dir() and directory.stat().st_mode & 0o077 == 0 for directory in directories)
        told.command(close={"reason": "enough"})
        again.command(close={"reason": "afresh", "restart": True})
        ends = [await asyncio.wait_for(worker.finished(), WAIT) for worker in lab.workers[:2]]
        assert [end.kind for end in ends] == [EndKind.CLOSED, EndKind.RESTART]
        await asyncio.wait_for(told.gone.wait(), WAIT)
        assert told.goodbye == "enough"
        await lab.scheduler.stop()
        end = await asyncio.wait_for(lab.workers[2].finished(), WAIT)
        assert (end.kind, lost.goodbye) == (EndKind.LOST, None)
        assert not any(directory.exists() for directory in directories)

    in_lab(body)


def test_closing_breaks_off_a_start() -> None:
    async def body(lab: Lab) -> None:
        worker = make_service(WorkerOptions(scheduler_address="127.0.0.1:1", nthreads=1))
        starting = asyncio.create_task(worker.start())
        await asyncio.sleep(0.1)
        end = await asyncio.wait_for(worker.close("changed my mind"), 5)
        assert end.kind is EndKind.CLOSED
        with pytest.raises(CommClosedError, match="changed my mind"):
            await starting

    in_lab(body)


_holding, _enough = threading.Event(), threading.Event()


def _hold() -> None:
    _holding.set()
    _enough.wait(3600)


def test_closing_does_not_wait_for_tasks() -> None:
    async def body(lab: Lab) -> None:
        worker = await lab.worker("busy")
        worker.submit("long", _hold)
        assert await asyncio.to_thread(_holding.wait, WAIT)
        await lab.workers[0].close("now")

    # If closing waited for the task it would wait for as long as the test.
    try:
        in_lab(body)
    finally:
        _enough.set()


# --- the process ---


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    children: list[Child] = []

    def start(**options: Any) -> Child:
        options = {"nthreads": 1, "local_directory": str(tmp_path), **options}
        settings = {"sys_path": inherited_sys_path(), "config": {}, "log_level": "WARNING", "options": options}
        children.append(Child("dagrpc_worker.process", settings))
        return children[-1]

    yield start
    for child in children:
        child.process.kill()
        child.process.wait(WAIT)
        child.close_pipes()


async def report_of(child: Child) -> dict[str, Any]:
    report = await asyncio.wait_for(asyncio.to_thread(child.read_report), WAIT)
    assert isinstance(report, dict)
    return report


def exit_code(child: Child) -> Awaitable[int]:
    return asyncio.wait_for(asyncio.to_thread(child.process.wait), WAIT)


def test_how_processes_end(spawn: Callable[..., Child], tmp_path: Path) -> None:
    async def body(lab: Lab) -> None:
        address = lab.scheduler.address
        children = [spawn(scheduler_address=address, name=name) for name in ("close", "restart", "term", "orphan")]
        workers = {worker.hello.name: worker for worker in await lab.scheduler.wait_for(4)}
        reports = [await report_of(child) for child in children for _ in range(2)]
        assert [report["status"] for report in reports] == ["connecting", "running"] * 4
        assert reports[1]["address"] == workers["close"].address
        workers["close"].command(close={"reason": "x"})
        workers["restart"].command(close={"reason": "x", "restart": True})
        os.kill(children[2].pid, signal.SIGTERM)
        children[3].release()
        codes = [await exit_code(child) for child in children]
        assert codes == [ExitCode.CLOSED, ExitCode.RESTART, 128 + signal.SIGTERM, ExitCode.CLOSED]
        assert all(worker.goodbye is not None for worker in workers.values())
        assert list(tmp_path.glob("*/worker-*")) == []

        lost = spawn(scheduler_address=address, name="lost")
        await lab.scheduler.wait_for(5)
        twin = spawn(scheduler_address=address, name="lost")
        assert await exit_code(twin) == ExitCode.REFUSED
        reports = [await report_of(twin) for _ in range(2)]
        assert "'lost'" in reports[1]["error"]
        await lab.scheduler.stop()
        assert await exit_code(lost) == ExitCode.LOST_SCHEDULER
        nobody = spawn(scheduler_address=address, death_timeout=0.2)
        assert await exit_code(nobody) == ExitCode.NO_SCHEDULER
        badly = spawn(scheduler_address=address, host="10.255.255.1")
        assert await exit_code(badly) == ExitCode.BAD_SETTINGS

    in_lab(body)


def _spin() -> None:
    while True:
        sum(range(1000))


def test_a_busy_process_ends_soon_when_its_parent_is_gone(spawn: Callable[..., Child]) -> None:
    async def body(lab: Lab) -> None:
        child = spawn(scheduler_address=lab.scheduler.address, name="busy", nthreads=3)
        (worker,) = await lab.scheduler.wait_for(1)
        for index in range(3):
            worker.submit(f"spin-{index}", _spin)
        await asyncio.sleep(0.3)
        child.release()
        await exit_code(child)

    in_lab(body)


def _leave_threads() -> None:
    threading.Thread(target=time.sleep, args=(100,)).start()


async def _wait_in_a_thread() -> None:
    await asyncio.to_thread(time.sleep, 100)


@pytest.mark.parametrize("function", [_leave_threads, _wait_in_a_thread])
def test_threads_that_tasks_leave_do_not_keep_the_process(
    spawn: Callable[..., Child], function: Callable[[], Any]
) -> None:
    async def body(lab: Lab) -> None:
        child = spawn(scheduler_address=lab.scheduler.address, name="left", nthreads=2)
        (worker,) = await lab.scheduler.wait_for(1)
        worker.submit("x", function)
        await worker.at_work()
        worker.command(close={"reason": "enough"})
        assert await exit_code(child) == ExitCode.CLOSED

    in_lab(body)


@pytest.mark.parametrize("same_host", [True, False])
def test_a_killed_process_is_gone_from_a_transfer(
    spawn: Callable[..., Child], monkeypatch: pytest.MonkeyPatch, same_host: bool
) -> None:
    monkeypatch.setitem(config.DEFAULTS, "comm.same-host", same_host)
    # That no data comes is not what tells.
    monkeypatch.setitem(config.DEFAULTS, "comm.timeouts.tcp", "1h")

    async def body(lab: Lab) -> None:
        child = spawn(scheduler_address=lab.scheduler.address, name="holder")
        (holder,) = await lab.scheduler.wait_for(1)
        holder.submit("x", bytes, 400 << 20)
        await holder.wait("finished", "x")
        taker = await lab.worker("taker")
        taker.submit("y", len, DependencyRef("x"), dependencies={"x": on(holder, nbytes=400 << 20)})
        await asyncio.sleep(0.1)
        child.process.kill()
        async with asyncio.timeout(WAIT):
            while taker.find("data_missing", "x") is None and taker.find("finished", "y") is None:
                await asyncio.sleep(0.01)

    in_lab(body)
