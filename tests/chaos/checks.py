"""Checks that a run leaves nothing behind: no processes, threads, file descriptors, keys or temporary files."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

from tests.chaos.cluster import Cluster

# gRPC starts and ends threads of its own as it likes, and has a connection or two open a moment longer.
THREADS_TO_SPARE = 8
DESCRIPTORS_TO_SPARE = 8
# Shared by all processes of a user: where workers have their directories, and what proves that two processes are on one
# host.
_STAY = ("dagrpc-worker-space", f"dagrpc-{os.getuid()}", "host-secret")
_PATIENCE = 60.0
_END_TIMEOUT = 60.0


def usage(pid: int) -> tuple[int, int]:
    """Return how many threads and file descriptors a process has."""
    return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))


def too_much(name: str, before: tuple[int, int], after: tuple[int, int]) -> list[str]:
    """Return descriptions of the threads and file descriptors that have grown by more than the tolerance."""
    found = []
    for what, then, now, spare in zip(
        ("threads", "file descriptors"), before, after, (THREADS_TO_SPARE, DESCRIPTORS_TO_SPARE), strict=True
    ):
        if now > then + spare:
            found.append(f"{name} has {now} {what}, and had {then} before the first fault")
    return found


def state_left(cluster: Cluster, n_workers: int) -> list[str]:
    """Return the state that remains on scheduler and workers after all clients have left and all workers are back."""
    program = cluster.program(
        "what_is_left", "tests.chaos.what_is_left", cluster.address, str(n_workers), str(_PATIENCE)
    )
    try:
        program.process.wait(3 * _PATIENCE)
    except subprocess.TimeoutExpired:
        return ["nobody answered what is left"]
    lines = program.log.read_text().splitlines()
    with contextlib.suppress(ValueError, IndexError):
        return [f"{name}: {left}" for name, left in json.loads(lines[-1]).items()]
    return ["asking what is left failed: " + "\n".join(lines[-20:])]


def scheduler_left(cluster: Cluster, before: tuple[int, int]) -> list[str]:
    """Return descriptions of the threads and file descriptors that the scheduler gained since the first fault."""
    deadline = time.monotonic() + _PATIENCE
    while (found := too_much("the scheduler", before, usage(cluster.scheduler.pid))) and time.monotonic() < deadline:
        time.sleep(0.5)
    if found:
        directory = Path(f"/proc/{cluster.scheduler.pid}/fd")
        found.append("open there: " + ", ".join(sorted(os.readlink(entry) for entry in directory.iterdir())))
    return found


def ending(cluster: Cluster) -> list[str]:
    """End nannies and scheduler as a user does; return what went wrong, and what is left."""
    found = []
    programs = [*(host.nanny for host in cluster.hosts), cluster.scheduler]
    for program in programs:
        code = program.end(_END_TIMEOUT)
        if code != 0:
            found.append(f"{program.name} ended with {code} when it was asked to (None: not within {_END_TIMEOUT:g} s)")
    deadline = time.monotonic() + _END_TIMEOUT
    while (left := cluster.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    found.extend(f"still there: {process.pid} {' '.join(process.cmdline())}" for process in left)
    for directory in (cluster.temporary, cluster.scratch):
        found.extend(f"left behind: {path}" for path in directory.rglob("*") if path.name not in _STAY)
    return found
