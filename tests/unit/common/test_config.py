"""Settings: dagrpc's before distributed's before the defaults, wherever they come from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import dask.config
import pytest

from dagrpc import config


@pytest.fixture
def handed_over() -> Iterator[None]:
    yield
    config._handed_over = None


def test_defaults_hold_when_nothing_is_set() -> None:
    assert config.get("scheduler.allowed-failures") == 3
    assert config.get_bytes("comm.chunk-size") == 2**20
    assert config.get_seconds("scheduler.worker-ttl") == 300
    assert config.get_seconds("scheduler.idle-timeout") is None


def test_dagrpc_goes_before_distributed() -> None:
    with dask.config.set({"distributed.scheduler.allowed-failures": 5}):
        assert config.get("scheduler.allowed-failures") == 5
        with dask.config.set({"dagrpc.scheduler.allowed-failures": 7}):
            assert config.get("scheduler.allowed-failures") == 7


def test_text_is_parsed() -> None:
    with dask.config.set({"dagrpc.comm.chunk-size": "256 kiB", "distributed.scheduler.worker-ttl": "2 minutes"}):
        assert config.get_bytes("comm.chunk-size") == 256 * 1024
        assert config.get_seconds("scheduler.worker-ttl") == 120
    assert config.seconds(timedelta(seconds=3)) == 3


def test_the_environment_goes_between_dagrpc_and_distributed(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "DAGRPC_SCHEDULER__ALLOWED_FAILURES": "5",
        "DAGRPC_COMM__COMPRESSION": "zlib",
        "DAGRPC_COMM__SAME_HOST": "false",
        "DAGRPC_SCHEDULER__NO_WORKERS_TIMEOUT": "10 s",
        "DAGRPC_IMAGE": "not a setting",
    }
    found = config.read_environment(variables)
    assert found == {
        "scheduler.allowed-failures": 5,
        "comm.compression": "zlib",
        "comm.same-host": False,
        "scheduler.no-workers-timeout": "10 s",
    }
    monkeypatch.setattr(config, "_environment", found)
    with dask.config.set({"distributed.scheduler.allowed-failures": 9}):
        assert config.get("scheduler.allowed-failures") == 5
        with dask.config.set({"dagrpc.scheduler.allowed-failures": 7}):
            assert config.get("scheduler.allowed-failures") == 7
    assert config.get_seconds("scheduler.no-workers-timeout") == 10


def test_variables_of_workers_are_merged() -> None:
    with dask.config.set({"distributed.nanny.environ": {"HOLIDAY": 1, "OMP_NUM_THREADS": 2}}):
        environ = config.worker_environ()
        assert (environ["HOLIDAY"], environ["OMP_NUM_THREADS"], environ["MKL_NUM_THREADS"]) == (1, 2, 1)


@pytest.mark.usefixtures("handed_over")
def test_settings_of_another_process_take_the_place_of_dasks() -> None:
    with dask.config.set({"dagrpc.scheduler.allowed-failures": 7}):
        config.hand_over({"distributed": {"scheduler": {"allowed_failures": 9}}, "dagrpc": {"comm": "odd"}})
        assert config.get("scheduler.allowed-failures") == 9
        assert config.get("comm.same-host") is True


@pytest.mark.parametrize("module", ["dagrpc_scheduler.run", "dagrpc_worker.nanny.nanny_pool"])
def test_services_that_do_not_need_dask_do_not_import_it(module: str) -> None:
    program = f"import sys, {module}; print('dask' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "False"
