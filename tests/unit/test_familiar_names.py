"""Names that users of distributed look for, where they look for them."""

import asyncio
import importlib
import subprocess
import sys

import pytest

import dagrpc
import dagrpc.deploy
from dagrpc.compat.names import MODULES, names_of


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


def test_errors_name_the_replacement_of_messaging() -> None:
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
    assert outcome.stdout == "dagrpc_scheduler.shell.user_views.state_views\n", outcome.stderr


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ("", "config", "worker_client")])
def test_modules_of_distributed_are_modules_of_dagrpc(module: str) -> None:
    found = importlib.import_module(f"dagrpc.{module}")
    assert importlib.import_module(f"dagrpc.{module}") is found
    for name, (source, attribute) in names_of(module).items():
        origin = importlib.import_module(source)
        assert getattr(found, name) is (getattr(origin, attribute) if attribute else origin)
    with pytest.raises(AttributeError):
        _ = found.nothing_of_the_kind


def test_addresses_are_taken_apart_in_comm() -> None:
    from dagrpc.comm import get_address_host, parse_address, unparse_address
    from dagrpc.comm.addressing import parse_host_port

    assert parse_address("tls://10.0.0.1:8786") == ("tls", "10.0.0.1:8786")
    assert unparse_address("tcp", "10.0.0.1:8786") == "tcp://10.0.0.1:8786"
    assert get_address_host("tcp://10.0.0.1:8786") == "10.0.0.1"
    assert parse_host_port("10.0.0.1", 80) == ("10.0.0.1", 80)


def test_functions_keep_their_places() -> None:
    program = """
import dagrpc
with __import__("contextlib").suppress(ImportError):
    import dagrpc.worker_client
import dagrpc.utils, dagrpc.lock, dagrpc.scheduler, dagrpc.worker, dagrpc.diagnostics.progressbar
print(dagrpc.worker_client.__name__, dagrpc.sync.__name__, dagrpc.config.get("comm.retry.count"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["worker_client", "sync", "0"]


@pytest.mark.parametrize("module", ["nothing_of_the_kind", "comm.ucx", "utils_test", "compat.nothing"])
def test_other_modules_cannot_be_imported(module: str) -> None:
    with pytest.raises(ImportError):
        importlib.import_module(f"dagrpc.{module}")
