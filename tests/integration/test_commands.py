"""The commands run as real processes, with the options that scripts for distributed's commands use."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from dagrpc import Client
from tests.support.ports import free_port
from tests.unit.worker_shell.test_ports import some_ports

WAIT = 120.0


@contextmanager
def command(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "dagrpc.cli", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def test_a_cluster_of_commands_with_the_options_of_distributeds() -> None:
    address = f"127.0.0.1:{free_port()}"
    ports = some_ports(5)
    scheduler = ["--host", f"tcp://{address}", "--dashboard-address", ":0", "--show"]
    workers = ["--worker-port", f"{ports[0]}:{ports[-1]}", "--nanny-port", f"{ports[0]}:{ports[-1]}", "--nworkers", "2"]
    with (
        command("scheduler", *scheduler, "--dashboard-prefix", "/here") as started,
        command("worker", *workers, "--dashboard-address", ":0", DASK_SCHEDULER_ADDRESS=f"tcp://{address}"),
        Client(address, timeout=WAIT) as client,
    ):
        client.wait_for_workers(2, timeout=WAIT)
        info = client.scheduler_info()["workers"]
        used = [int(at.rpartition(":")[2]) for address, facts in info.items() for at in (address, facts["nanny"])]
        assert sorted(used) == list(ports[:4])
        assert client.submit(sum, [1, 2]).result(timeout=WAIT) == 3
        assert client.dashboard_link is not None
        assert client.dashboard_link.endswith("/here/status")
        pages = client.dashboard_link.removesuffix("/here/status")
        for path in ("/here/health", "/health"):
            with urllib.request.urlopen(pages + path, timeout=WAIT) as answer:
                assert answer.read() == b"ok"
        assert all(facts["services"]["dashboard"] for facts in info.values())
        started.terminate()
        _, log = started.communicate(timeout=30)
        assert log.count("--show changes nothing") == 1


def test_a_range_that_is_too_small_is_said_to_be() -> None:
    first, last = some_ports(2)
    with command(
        "worker", f"127.0.0.1:{free_port()}", "--worker-port", f"{first}:{last}", "--nworkers", "3"
    ) as process:
        _, log = process.communicate(timeout=WAIT)
        assert process.returncode == 1
        assert f"Cannot listen on any of the ports {first}:{last} of 127.0.0.1" in log
