"""The defaults that `dask.config` is told."""

from __future__ import annotations

import subprocess
import sys

import dask.config
import pytest

from dagrpc import config
from dagrpc._common import dask_config


def run(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    "imports",
    [
        "import dagrpc, dask",
        "import dask, dagrpc",
        "import dagrpc.config; from dask import config",
        "import dagrpc.client",
    ],
)
def test_defaults_are_there_whatever_is_imported_first(imports: str) -> None:
    assert run(f"{imports}\nimport dask.config as c\nprint(c.get('distributed.scheduler.fair-share'))") == ["False"]


def test_importing_dagrpc_does_not_import_dask() -> None:
    assert run("import sys, dagrpc, dagrpc.config\nprint('dask' in sys.modules)") == ["False"]


def test_a_refresh_keeps_them() -> None:
    program = "import dagrpc, dask\ndask.config.refresh()\nprint(dask.config.get('distributed.comm.timeouts.tcp'))"
    assert run(program) == ["30s"]


@pytest.mark.parametrize("key", [key for key in config.DEFAULTS if not key.startswith("logging")])
def test_each_setting_can_be_read(key: str) -> None:
    registered = dask.config.get(f"distributed.{key}", config=dask_config.defaults())
    assert registered == dask_config._SHOWN_AS.get(key, config.DEFAULTS[key])


def test_defaults_are_a_copy_of_the_table() -> None:
    dask_config.defaults()["distributed"]["scheduler"]["default-task-durations"]["mine"] = 1
    dask_config.defaults()["distributed"]["diagnostics"]["computations"]["ignore-modules"].append("mine")
    assert "mine" not in config.DEFAULTS["scheduler.default-task-durations"]
    assert "mine" not in config.DEFAULTS["diagnostics.computations.ignore-modules"]


def test_settings_of_the_user_take_precedence_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"distributed": {"admin": {"event-loop": "asyncio"}, "scheduler": {"allowed_failures": 1}}}
    monkeypatch.setattr(dask.config, "config", there)
    monkeypatch.setattr(dask.config, "defaults", [])
    dask_config._register(dask.config)
    assert dask.config.get("distributed.admin.event-loop", config=there) == "asyncio"
    assert dask.config.get("distributed.scheduler.allowed-failures", config=there) == 1
    assert dask.config.get("distributed.scheduler.worker-saturation", config=there) == 1.1


def test_settings_below_distributed_are_not_hidden_by_defaults() -> None:
    for key, value in (("comm.timeouts.connect", "7s"), ("scheduler.fair-share", True)):
        with dask.config.set({f"distributed.{key}": value}):
            assert config.get(key) == value
            with dask.config.set({f"dagrpc.{key}": None}):
                assert config.get(key) is None


def test_defaults_are_not_handed_on() -> None:
    assert "distributed" not in dask_config.set_here() or dask_config.set_here()["distributed"] == {}
    given = {
        "distributed.scheduler.worker_ttl": "1s",
        "distributed.comm.compression": "zlib",
        "distributed.nanny.pre-spawn-environ": {**config.DEFAULTS["nanny.pre-spawn-environ"], "FOO": 1},
        "distributed.not-known": {"a": 1},
        "dagrpc.comm.compression": False,
    }
    with dask.config.set(given):
        found = dask_config.set_here()
    assert found["dagrpc"]["comm"] == {"compression": False}
    section = found["distributed"]
    assert section["comm"] == {"compression": "zlib"}
    assert list(section["scheduler"].values()) == ["1s"]
    assert section["not-known"] == {"a": 1}
    assert section["nanny"]["pre-spawn-environ"] == {**config.DEFAULTS["nanny.pre-spawn-environ"], "FOO": 1}


def test_a_service_s_settings_are_dasks_once_it_is_imported() -> None:
    program = (
        "from dagrpc import config\nconfig.hand_over({'mine': 5, 'distributed': {'comm': {'compression': 'zlib'}}})\n"
        "import dask\nget = dask.config.get\n"
        "print(get('mine'), get('distributed.comm.compression'), get('distributed.comm.timeouts.tcp'))"
    )
    assert run(program) == ["5", "zlib", "30s"]
