"""Names that users of distributed look for, where they look for them."""

import asyncio
import importlib
import subprocess
import sys

import pytest

import dagrpc
import dagrpc.deploy


@pytest.mark.parametrize("name", dagrpc.deploy.__all__)
def test_cluster_managers(name: str) -> None:
    assert getattr(dagrpc.deploy, name).__name__ == name


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("spec", "ProcessInterface"),
        ("spec", "SpecCluster"),
        ("local", "LocalCluster"),
        ("cluster", "Cluster"),
        ("adaptive", "Adaptive"),
        ("adaptive_core", "AdaptiveCore"),
        ("ssh", "SSHCluster"),
        ("subprocess", "SubprocessCluster"),
    ],
)
def test_modules_of_cluster_managers(module: str, name: str) -> None:
    found = importlib.import_module(f"dagrpc.deploy.{module}")
    assert getattr(found, name) is getattr(dagrpc.deploy, name)
    with pytest.raises(AttributeError, match="Nothing"):
        _ = found.Nothing


def test_what_takes_the_place_of_messaging_is_said() -> None:
    with pytest.raises(NotImplementedError, match="gRPC"):
        dagrpc.rpc("127.0.0.1:8786")
    with pytest.raises(NotImplementedError, match="gRPC"):
        dagrpc.Server({})
    with pytest.raises(NotImplementedError, match="gRPC"):
        asyncio.run(dagrpc.connect("127.0.0.1:8786"))


def test_under_the_name_of_distributed() -> None:
    program = (
        "import dagrpc; dagrpc.install_as_distributed()\n"
        "from distributed.deploy import ProcessInterface\n"
        "from distributed.deploy.adaptive_core import AdaptiveCore\n"
        "from distributed.core import Status, rpc\n"
        "from distributed.scheduler import Scheduler, TaskState, WorkerState, TaskGroup, MemoryState\n"
        "print(TaskState.__module__)\n"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert outcome.stdout == "dagrpc_scheduler.shell.facade.tasks\n", outcome.stderr
