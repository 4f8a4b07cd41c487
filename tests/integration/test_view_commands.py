"""The commands `status`, `tasks`, `logs` and `top`, with a real cluster and a real terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pexpect
import pytest

from dagrpc import Client, LocalCluster, Security, wait

WAIT = 60.0


def dagrpc(*arguments: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "dagrpc.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=50) as cluster, Client(cluster) as client:
        yield client


def address_of(client: Client) -> str:
    return str(client.scheduler_info()["address"])


def test_the_status_of_a_cluster(client: Client) -> None:
    futures = client.map(abs, range(5), pure=False)
    wait(futures)
    failed = client.submit(lambda: 1 / 0, pure=False)
    wait([failed])
    told = json.loads(dagrpc("status", address_of(client), "--json"))
    assert told["tasks"]["memory"] == 5
    assert told["tasks"]["erred"] == 1
    assert sorted(worker["address"] for worker in told["workers"]) == sorted(client.scheduler_info()["workers"])
    text = dagrpc("status", address_of(client))
    assert "5 memory, 1 erred" in text
    assert all(worker["address"] in text for worker in told["workers"])


def test_tasks_by_state_and_key(client: Client) -> None:
    futures = client.map(abs, range(3), pure=False)
    failed = client.submit(lambda: 1 / 0, pure=False)
    wait([*futures, failed])
    (erred,) = json.loads(dagrpc("tasks", address_of(client), "--state", "erred", "--json"))
    assert erred["key"] == failed.key
    (one,) = json.loads(dagrpc("tasks", address_of(client), futures[1].key, "--json"))
    assert (one["state"], one["type"]) == ("memory", "builtins.int")
    assert futures[0].key in dagrpc("tasks", address_of(client))
    assert len(json.loads(dagrpc("tasks", address_of(client), "--limit", "2", "--json"))) == 2


def test_logs_of_scheduler_and_workers(client: Client) -> None:
    own = dagrpc("logs", address_of(client))
    assert own.index("listens at") < own.index("joined with")
    found = json.loads(dagrpc("logs", address_of(client), "all", "--json", "--lines", "5"))
    assert sorted(log["process"] for log in found) == sorted(client.scheduler_info()["workers"])
    assert "no worker has the address" in dagrpc("logs", address_of(client), "nobody", code=1)


def test_top_in_a_terminal(client: Client) -> None:
    wait(client.map(abs, range(4), pure=False))
    command = ["-m", "dagrpc.cli", "top", address_of(client), "--interval", "0.2"]
    terminal = pexpect.spawn(sys.executable, command, timeout=WAIT, dimensions=(40, 140), encoding="utf-8")
    try:
        for worker in client.scheduler_info()["workers"].values():
            terminal.expect(f"{worker['name']}")
        terminal.expect("2 workers")
        terminal.sendintr()
        terminal.expect(pexpect.EOF)
    finally:
        terminal.close()
    assert terminal.exitstatus == 0


def test_a_scheduler_that_is_not_there_is_said_so() -> None:
    for command in ("status", "tasks", "logs", "top"):
        assert "127.0.0.1:9" in dagrpc(command, "127.0.0.1:9", "--timeout", "2", code=1)


def test_a_cluster_with_a_token(tmp_path: object) -> None:
    token = "a-token-that-is-long-enough"
    file = f"{tmp_path}/token"
    with open(file, "w") as stream:
        stream.write(token)
    security = Security(token=token)
    with LocalCluster(n_workers=0, security=security, silence_logs=50) as cluster:
        assert "wants a token" in dagrpc("status", cluster.scheduler_address, code=1)
        assert "0 workers" in dagrpc("status", cluster.scheduler_address, "--token-file", file)
