"""The processes of a cluster run on the configured event loop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio
from dagrpc import Client, LocalCluster
from dagrpc._client.client_core import core_of

async def kind():
    return type(asyncio.get_running_loop()).__module__

if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster, Client(cluster) as client:
        print(type(core_of(client).loop.loop).__module__)
        for found in (client.run(kind), client.run(kind, nanny=True), {"": client.run_on_scheduler(kind)}):
            print(*found.values())
        print(client.submit(sum, [1, 2]).result(timeout=60))
"""


def environment(kind: str) -> dict[str, str]:
    return {**os.environ, "DAGRPC_ADMIN__EVENT_LOOP": kind}


@pytest.mark.parametrize(
    ("kind", "module"), [("auto", "uvloop"), ("uvloop", "uvloop"), ("asyncio", "asyncio.unix_events")]
)
def test_all_processes_run_on_what_is_configured(kind: str, module: str) -> None:
    program = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment(kind), capture_output=True, text=True, timeout=120, check=True
    )
    assert program.stdout.splitlines() == [module] * 4 + ["3"], program.stderr


@pytest.mark.parametrize("service", ["scheduler", "worker"])
def test_a_service_says_that_there_is_no_such_loop(service: str) -> None:
    arguments = ["scheduler", "--port", "0"] if service == "scheduler" else ["worker", "127.0.0.1:1", "--no-nanny"]
    process = subprocess.run(
        [Path(sys.executable).with_name("dagrpc"), *arguments],
        env=environment("trio"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 1
    assert process.stderr.strip().splitlines()[-1] == "admin.event-loop must be auto, uvloop or asyncio, not 'trio'"


def test_a_client_says_so_too() -> None:
    process = subprocess.run(
        [sys.executable, "-c", "from dagrpc import Client; Client('127.0.0.1:1')"],
        env=environment("trio"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "ValueError: admin.event-loop must be auto, uvloop or asyncio, not 'trio'" in process.stderr


IDLE_AT_THE_END = """
import atexit
from dagrpc import Client
from dagrpc._loop.io_loop import get_loop
loop = get_loop()
# The functions that are registered last are called first; those before dagrpc's own find its loop at its end.
atexit.unregister(__import__("dagrpc._loop.io_loop", fromlist=[""]).stop_at_exit)
atexit.register(lambda: print(loop.thread.is_alive(), loop.loop.is_running()))
atexit.register(__import__("dagrpc._loop.io_loop", fromlist=[""]).stop_at_exit)
loop.loop.call_soon_threadsafe(loop.loop.call_later, 3600, print)
"""


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_the_loop_ends_before_the_interpreter_does(kind: str) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", IDLE_AT_THE_END],
        env={**os.environ, "DAGRPC_ADMIN__EVENT_LOOP": kind},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (outcome.returncode, outcome.stdout.split(), outcome.stderr) == (0, ["False", "False"], "")
