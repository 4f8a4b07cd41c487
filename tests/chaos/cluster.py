"""The processes under test, started as a user would start them, and a supervisor that restarts ended nannies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import psutil

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
MARKER = "CHAOS_RUN"
"""Environment variable that all processes of a run have; the checks find leftover processes by it."""
_PAUSE = 0.5
_START_TIMEOUT = 90.0

# Tasks are not to blame for the kills, so a high limit on failures keeps the scheduler from giving tasks up. Settings
# that are not listed have their defaults.
SETTINGS = {
    "DAGRPC_SCHEDULER__ALLOWED_FAILURES": "1000",
    "DAGRPC_SCHEDULER__WORKER_TTL": "12",
    # The grace period is longer than any cut. The state of killed clients lasts as long; the final check waits for
    # its end.
    "DAGRPC_SCHEDULER__SESSION_GRACE": "10",
}


class Program:
    """A process of a run, whose output goes to a file."""

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self.process.poll() is None

    def children(self) -> list[psutil.Process]:
        """Return the live child processes."""
        with contextlib.suppress(psutil.Error):
            return [child for child in psutil.Process(self.pid).children() if child.status() != psutil.STATUS_ZOMBIE]
        return []

    def end(self, timeout: float) -> int | None:
        """Ask the process to end; return its exit code, or None if the process is still running after the timeout."""
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None


class WorkerHost:
    """Runs one worker: the command ``dagrpc worker``, whose process contains the nanny, and the worker process."""

    def __init__(self, name: str, start: Callable[[int], Program]) -> None:
        self.name = name
        self._start = start
        self.starts = 0
        self._again_at = 0.0
        self.nanny = self._begin()

    def _begin(self) -> Program:
        self.starts += 1
        return self._start(self.starts)

    def worker_pid(self) -> int | None:
        """Return the process id of the worker, or None while no worker runs."""
        children = self.nanny.children()
        return children[0].pid if children else None

    def look_after(self) -> str | None:
        """Restart the nanny some time after its end; return a description of the action, if any."""
        if self.nanny.alive:
            return None
        now = time.monotonic()
        if not self._again_at:
            self._again_at = now + _PAUSE
            return f"{self.nanny.name} ended ({self.nanny.process.returncode})"
        if now < self._again_at:
            return None
        self._again_at = 0.0
        self.nanny = self._begin()
        return f"{self.nanny.name} started (pid {self.nanny.pid})"


class Cluster:
    """A scheduler and some workers in a directory of their own.

    Parameters
    ----------
    directory : Path
        The directory for logs and for the files of all processes.
    n_workers : int
        Number of workers, with one thread each.
    through : function
        Returns the address of a proxy, given a name for the connection and the address behind the proxy.
    """

    def __init__(self, directory: Path, n_workers: int, through: Callable[[str, str], str]) -> None:
        self.directory = directory
        self._through = through
        self.temporary, self.scratch, self.stacks = (directory / name for name in ("tmp", "scratch", "stacks"))
        for path in (self.temporary, self.scratch, self.stacks):
            path.mkdir()
        self.environment = {
            **os.environ,
            **SETTINGS,
            MARKER: str(directory),
            "CHAOS_STACKS": str(self.stacks),
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT / "tests" / "chaos" / "stacks"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
            ),
            "TMPDIR": str(self.temporary),
        }
        scheduler_file = directory / "scheduler.json"
        self.scheduler = self.program(
            "scheduler", "dagrpc.cli", "scheduler", "--port", "0", "--scheduler-file", str(scheduler_file)
        )
        self.address = self._wait_for_address(scheduler_file)
        self.hosts: list[WorkerHost] = []
        for number in range(n_workers):
            self.hosts.append(WorkerHost(f"worker-{number}", partial(self._start_host, number)))

    def program(self, name: str, *arguments: str) -> Program:
        """Start a process."""
        return Program(name, list(arguments), self.environment, self.directory)

    def programs(self) -> list[Program]:
        """Return the scheduler and the nannies."""
        return [self.scheduler, *(host.nanny for host in self.hosts)]

    def _start_host(self, number: int, starts: int) -> Program:
        # Each start takes a new port, since a worker that lost its nanny keeps the old port for a moment.
        port = free_port()
        contact = self._through(f"to worker-{number}", f"127.0.0.1:{port}")
        return self.program(
            f"nanny-{number}",
            *("dagrpc.cli", "worker", self._through(f"of worker-{number}", self.address)),
            *("--name", f"worker-{number}-{starts}", "--nthreads", "1", "--memory-limit", "0"),
            *("--host", "127.0.0.1", "--worker-port", str(port), "--contact-address", contact),
            *("--local-directory", str(self.scratch)),
        )

    def _wait_for_address(self, file: Path) -> str:
        deadline = time.monotonic() + _START_TIMEOUT
        while time.monotonic() < deadline and self.scheduler.alive:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return str(json.loads(file.read_text())["address"])
            time.sleep(0.05)
        self.kill_all()
        raise RuntimeError(f"the scheduler did not start:\n{self.scheduler.log.read_text()}")

    def look_after(self) -> list[str]:
        """Restart ended nannies; return descriptions of the actions."""
        return [done for host in self.hosts if (done := host.look_after())]

    def processes(self) -> list[psutil.Process]:
        """Return all live processes of this run, including clients and workers without nannies."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARKER) == str(self.directory) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def dump_stacks(self) -> str:
        """Make every process write the stacks of its threads to a file, and return the contents of all files."""
        processes = self.processes()
        for process in processes:
            with contextlib.suppress(psutil.Error, OSError):
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGUSR1)
        time.sleep(2.0)
        texts = []
        for process in processes:
            with contextlib.suppress(OSError, psutil.Error):
                words = (self.stacks / f"{process.pid}.txt").read_text()
                texts.append(f"--- {process.pid}: {' '.join(process.cmdline()[1:])[:200]}\n{words}")
        return "\n".join(texts)

    def kill_all(self) -> None:
        """Kill all processes of this run."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error, OSError):
                process.kill()
        for program in self.programs() if hasattr(self, "hosts") else [self.scheduler]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.process.wait(10)
