"""A nanny observes its worker process from outside: activity, kills by the kernel, output."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagrpc_worker.nanny import oom_kills
from dagrpc_worker.nanny.exit_reasons import Cause
from dagrpc_worker.nanny.output_tail import OutputTail
from dagrpc_worker.nanny.process_watch import Condition, ProcessWatch, observe


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", "input('ready\\n')\nwhile True: pass"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate(timeout=30)


async def observed(pid: int, condition: Condition) -> None:
    async with asyncio.timeout(30):
        while await observe(pid) is not condition:
            pass


def test_states_of_a_process(sleeper: subprocess.Popen[str]) -> None:
    asyncio.run(observed(sleeper.pid, Condition.IDLE))
    os.kill(sleeper.pid, signal.SIGSTOP)
    asyncio.run(observed(sleeper.pid, Condition.STOPPED))
    os.kill(sleeper.pid, signal.SIGCONT)
    assert sleeper.stdin is not None
    sleeper.stdin.write("\n")
    sleeper.stdin.flush()
    asyncio.run(observed(sleeper.pid, Condition.BUSY))
    sleeper.kill()
    asyncio.run(observed(sleeper.pid, Condition.GONE))


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place where the counters of a control group are, which this process is said to be in."""
    file = tmp_path / "memory.events"
    file.write_text("low 0\noom 3\noom_kill 2\n")
    monkeypatch.setattr(oom_kills, "_counters", lambda pid: {file: "its control group", tmp_path / "none": "nothing"})
    return file


def test_the_kernels_kills_are_noticed(groups: Path) -> None:
    counters = oom_kills.OomCounters(os.getpid())
    assert counters.evidence() == ""
    groups.write_text("low 0\noom 4\noom_kill 3\n")
    assert counters.evidence() == "its control group has counted such a kill just then"
    counters.look()
    assert counters.evidence() == "", "that was another process"


def test_kills_by_the_kernel_explain_only_sigkill(groups: Path) -> None:
    for code, cause in ((-9, Cause.OUT_OF_MEMORY), (-11, Cause.SIGNAL), (1, Cause.EXITED)):
        watch = ProcessWatch(limit=100)
        watch.begin(os.getpid())
        groups.write_text(f"oom_kill {int(groups.read_text().split()[-1]) + 1}\n")
        exited = watch.exited(code, ["words"])
        assert exited.log == ("words",)
        assert exited.oom_evidence
        from dagrpc_worker.nanny.exit_reasons import by_itself

        assert by_itself(code, exited.oom_evidence, 0, 100)[0] is cause


def test_the_counters_of_this_process_can_be_found() -> None:
    files = oom_kills._counters(os.getpid())
    assert Path("/proc/vmstat") in files
    assert oom_kills.OomCounters(os.getpid()).evidence() == ""
    # A process that is gone has none of its own.
    assert list(oom_kills._counters(2**22 + 1)) == [Path("/proc/vmstat")]


def test_the_end_of_the_output_is_kept_and_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    tail = OutputTail()
    script = "import sys\nfor i in range(5000): sys.stderr.write(f'line {i}\\n')\nsys.stderr.write('x' * 2000)"
    with subprocess.Popen([sys.executable, "-c", script], stderr=tail.fd) as process:
        tail.begin()
        process.wait(30)
    lines = tail.lines(30)
    assert lines[:-1] == [f"line {i}" for i in range(4981, 5000)]
    assert lines[-1] == "x" * 500
    assert capfd.readouterr().err.count("\n") == 5000
