"""Workers whose connections go through proxies, and tasks that leave a trace of each run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.support.ports import free_port
from tests.support.tcp_proxy import TcpProxy

ROOT = Path(__file__).parents[2]


def inc(x: int) -> int:
    return x + 1


def note(path: str, x: int, delay: float = 0.0) -> int:
    """Append a line to a file, and return x + 1 after a delay."""
    with open(path, "a") as file:
        file.write(f"{x}\n")
    if delay:
        time.sleep(delay)
    return x + 1


def note_after(path: str, x: int, gate: str) -> int:
    """Append a line to a file at the start, and another one once the file `gate` exists."""
    note(path, x)
    while not os.path.exists(gate):
        time.sleep(0.02)
    return note(path, -x)


def runs(path: Path) -> list[int]:
    """Return the numbers of the tasks that have run, sorted."""
    return sorted(map(int, path.read_text().split())) if path.exists() else []


class ProxiedWorker:
    """A worker process that reaches the scheduler through one proxy, and that peers reach through another."""

    def __init__(self, scheduler: str, name: str, *arguments: str, contact: bool = False) -> None:
        self.name = name
        self.to_scheduler = TcpProxy(scheduler)
        port = free_port()
        self.to_worker = TcpProxy(f"127.0.0.1:{port}") if contact else None
        if self.to_worker is not None:
            arguments = (*arguments, "--contact-address", self.to_worker.address)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", "from dagrpc.cli import main; main()"),
                *("worker", self.to_scheduler.address, "--no-nanny", "--nthreads", "1", "--name", name),
                *("--host", "127.0.0.1", "--worker-port", str(port), "--log-level", "WARNING", *arguments),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))},
        )

    def close(self) -> None:
        """Stop the worker process and its proxies."""
        self.to_scheduler.restore()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.to_scheduler.close()
        if self.to_worker is not None:
            self.to_worker.close()
