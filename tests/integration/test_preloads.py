"""Preloads: modules and scripts that operators configure, and that servers run before they start to work."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dask
import pytest
from click.testing import CliRunner

from dagrpc import Client, LocalCluster, Nanny, Scheduler, Worker

pytestmark = pytest.mark.timeout(120)

NOTING = """
import click
from pathlib import Path

def note(text):
    with Path({path!r}).open("a") as file:
        file.write(text + chr(10))

@click.command()
@click.option("--x", default="none")
async def dask_setup(server, x):
    note(f"+{{type(server).__name__}} {{x}}")

def dask_teardown(server):
    note(f"-{{type(server).__name__}}")
"""


TAGGING = "def dask_setup(worker): worker.tag = 'mine'"


def told(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


@pytest.fixture
def script(tmp_path: Path, notes: Path) -> str:
    path = tmp_path / f"preload_{os.getpid()}_{abs(hash(tmp_path))}.py"
    path.write_text(NOTING.format(path=str(notes)))
    return str(path)


@pytest.fixture
def address(script: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is the base class's
            self.send_response(200)
            self.end_headers()
            self.wfile.write(Path(script).read_bytes())

        def log_message(self, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/preload.py"
    server.shutdown()
    server.server_close()


def test_files_addresses_modules_and_code(script: str, address: str, notes: Path) -> None:
    module = Path(script).stem

    async def main() -> Any:
        async with (
            Scheduler(preload=script, preload_argv=["--x", "5"]) as scheduler,
            Worker(
                scheduler.address, nthreads=1, preload=[address, "def dask_setup(worker): worker.tag = 'mine'"]
            ) as worker,
        ):
            return worker.tag  # type: ignore[attr-defined]

    assert asyncio.run(main()) == "mine"
    assert told(notes) == ["+Scheduler 5", "+Worker none", "-Worker", "-Scheduler"]
    sys.path.insert(0, str(Path(script).parent))
    sys.modules.pop(module, None)
    try:

        async def by_name() -> None:
            async with Scheduler(preload=[module]):
                pass

        asyncio.run(by_name())
    finally:
        sys.path.remove(str(Path(script).parent))
    assert told(notes)[4:] == ["+Scheduler none", "-Scheduler"]


def test_nannies_and_their_workers_run_preloads(script: str, notes: Path) -> None:
    async def main() -> None:
        async with (
            Scheduler() as scheduler,
            Nanny(scheduler.address, nthreads=1, preload=script, preload_nanny=script, preload_nanny_argv=["--x", "2"]),
        ):
            pass

    asyncio.run(main())
    assert told(notes) == ["+Nanny 2", "+Worker none", "-Worker", "-Nanny"]


@pytest.mark.parametrize(
    ("preload", "message"),
    [
        ("no_such_module_at_all", "no_such_module_at_all"),
        ("/no/such/file.py", "there is no file"),
        ("def dask_setup(server): 1 / 0", "ZeroDivisionError"),
        ("this is no python", "SyntaxError"),
    ],
)
def test_one_that_fails_keeps_the_server_from_starting(preload: str, message: str) -> None:
    async def main() -> None:
        async with Scheduler() as scheduler, Worker(scheduler.address, nthreads=1, preload=preload):
            pass

    with pytest.raises(RuntimeError, match=message):
        asyncio.run(main())


def test_the_configuration_names_preloads_of_clients_and_workers(script: str, notes: Path) -> None:
    with (
        dask.config.set({"dagrpc.client.preload": script, "distributed.worker.preload": [script]}),
        LocalCluster(n_workers=1, threads_per_worker=1) as cluster,
    ):
        with Client(cluster) as client:
            assert client.submit(sum, [1, 2]).result(timeout=60) == 3
        assert told(notes) == ["+Worker none", "+Client none", "-Client"]

        async def on_a_loop() -> None:
            async with Client(cluster, asynchronous=True):
                pass

        asyncio.run(on_a_loop())
    assert told(notes)[3:] == ["+Client none", "-Client", "-Worker"]


def test_commands_take_them(script: str, notes: Path, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    python = [sys.executable, "-m", "dagrpc.cli"]
    given = ["--preload", script, "--", "--x", "7"]
    commands = [
        [*python, "scheduler", "--port", "0", "--scheduler-file", str(file), *given],
        [*python, "worker", "--scheduler-file", str(file), "--nthreads", "1", "--preload-nanny", script, *given],
    ]
    processes = [subprocess.Popen(command) for command in commands]
    try:
        with Client(scheduler_file=str(file), timeout=60) as client:
            client.wait_for_workers(1, timeout=60)
        assert sorted(told(notes)) == ["+Nanny 7", "+Scheduler 7", "+Worker 7"]
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    assert sorted(told(notes)[3:]) == ["-Nanny", "-Scheduler", "-Worker"]


@pytest.mark.parametrize("wrong", ["--no-such-option", "unexpected"])
def test_misspelt_options_are_still_refused(wrong: str) -> None:
    from dagrpc_scheduler.cli import scheduler
    from dagrpc_worker.cli import worker

    for command, arguments in ((scheduler, [wrong]), (worker, ["127.0.0.1:1", wrong])):
        outcome = CliRunner().invoke(command, arguments)
        assert outcome.exit_code == 2
        assert wrong in outcome.output


WITH_OPTIONS = """
import click

@click.command()
@click.option("--level", type=int, default=0)
def dask_setup(client, level):
    LEVELS.append(level)

LEVELS = __import__("tests.integration.test_preloads").integration.test_preloads.LEVELS
"""
LEVELS: list[int] = []


@pytest.mark.parametrize(
    ("preload", "argv", "levels"),
    [
        ([WITH_OPTIONS], ["--level", "3"], [3]),
        ([WITH_OPTIONS], [["--level", "3"]], [3]),
        ([WITH_OPTIONS, WITH_OPTIONS], ["--level", "3"], [3, 3]),
        ([WITH_OPTIONS, WITH_OPTIONS], [["--level", "3"], []], [3, 0]),
        ([WITH_OPTIONS, WITH_OPTIONS], [("--level", "3"), ("--level", "4")], [3, 4]),
    ],
)
def test_each_preload_may_have_arguments_of_its_own(
    shared_cluster: LocalCluster, preload: list[str], argv: Any, levels: list[int]
) -> None:
    LEVELS.clear()
    with (
        dask.config.set({"distributed.client.preload": preload, "distributed.client.preload-argv": argv}),
        Client(shared_cluster, set_as_default=False),
    ):
        assert levels == LEVELS


def test_arguments_for_another_number_of_preloads_are_refused(shared_cluster: LocalCluster) -> None:
    settings = {"distributed.client.preload": [WITH_OPTIONS], "distributed.client.preload-argv": [["a"], ["b"]]}
    with dask.config.set(settings), pytest.raises(ValueError, match="arguments for 2 preloads, of which there are 1"):
        Client(shared_cluster, set_as_default=False)
