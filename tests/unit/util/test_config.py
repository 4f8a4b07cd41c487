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


@pytest.mark.usefixtures("handed_over")
def test_settings_of_another_process_take_the_place_of_dasks() -> None:
    with dask.config.set({"dagrpc.scheduler.allowed-failures": 7}):
        config.hand_over({"distributed": {"scheduler": {"allowed_failures": 9}}, "dagrpc": {"comm": "odd"}})
        assert config.get("scheduler.allowed-failures") == 9
        assert config.get("comm.same-host") is True


@pytest.mark.parametrize("module", ["dagrpc_scheduler.run", "dagrpc_worker.nanny.hosting"])
def test_services_that_do_not_need_dask_do_not_import_it(module: str) -> None:
    program = f"import sys, {module}; print('dask' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "False"
