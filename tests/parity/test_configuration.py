"""Section 15 of the API: settings, by their names in distributed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import dask
import pytest

from tests.parity.conftest import BACKEND
from tests.parity.functions import inc


def test_failures_that_are_allowed(lib: Any) -> None:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        lib.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        future = client.submit(os._exit, 1, pure=False)
        with pytest.raises(lib.KilledWorker):
            future.result(timeout=110)


def test_resources_of_workers(lib: Any) -> None:
    with (
        dask.config.set({"distributed.worker.resources": {"GPU": 2}}),
        lib.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        (worker,) = client.scheduler_info()["workers"].values()
        assert worker["resources"] == {"GPU": 2}
        assert client.submit(inc, 1, resources={"GPU": 1}).result(timeout=60) == 2


def test_a_scheduler_address(lib: Any, cluster: Any) -> None:
    with dask.config.set({"scheduler-address": cluster.scheduler_address}), lib.Client() as client:
        assert client.submit(inc, 1).result(timeout=60) == 2
        assert len(client.nthreads()) == 2


def test_variables_of_the_environment() -> None:
    program = f"""
import {BACKEND} as lib, dask
if __name__ == "__main__":
    with lib.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster:
        with lib.Client(cluster) as client:
            print(client.scheduler_info()["workers"].popitem()[1]["resources"])
"""
    environment = {**os.environ, "DASK_DISTRIBUTED__WORKER__RESOURCES__SOMETHING": "3"}
    outcome = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert "{'something': 3" in outcome.stdout, outcome.stderr


def test_unknown_settings_are_left_alone(client: Any) -> None:
    with dask.config.set({"distributed.parity.nobody-knows": 5}):
        assert dask.config.get("distributed.parity.nobody-knows") == 5
        assert client.submit(inc, 5, pure=False).result(timeout=60) == 6


DEFAULTS = {
    "scheduler.allowed-failures": 3,
    "scheduler.worker-saturation": 1.1,
    "scheduler.default-data-size": "1kiB",
    "scheduler.idle-timeout": None,
    "scheduler.worker-ttl": "5 minutes",
    "scheduler.locks.lease-timeout": "30s",
    "scheduler.locks.lease-validation-interval": "10s",
    "scheduler.work-stealing": True,
    "scheduler.active-memory-manager.start": True,
    "scheduler.active-memory-manager.policies": [{"class": "distributed.active_memory_manager.ReduceReplicas"}],
    "scheduler.dashboard.tasks.task-stream-length": 100000,
    "worker.memory.target": 0.6,
    "worker.memory.terminate": 0.95,
    "worker.daemon": True,
    "worker.profile.interval": "10ms",
    "nanny.environ": {},
    "client.heartbeat": "5s",
    "comm.timeouts.connect": "30s",
    "comm.retry.count": 0,
    "comm.default-scheme": "tcp",
    "comm.compression": False,
    "dashboard.link": "{scheme}://{host}:{port}/status",
    "dashboard.prometheus.namespace": "dask",
    "deploy.lost-worker-timeout": "15s",
    "adaptive.wait-count": 3,
    "p2p.storage.disk": True,
    "diagnostics.nvml": True,
    "admin.large-graph-warning-threshold": "10MB",
    "admin.event-loop": "tornado",
    "admin.tick.limit": "3s",
    "rmm.pool-size": None,
    "version": 2,
}


def test_settings_have_their_defaults_once_the_library_is_imported(lib: Any) -> None:
    program = f"""
import json
import {lib.__name__}
import dask
print(json.dumps({{key: dask.config.get("distributed." + key) for key in {list(DEFAULTS)!r}}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout) == DEFAULTS


def test_settings_of_users_go_first(lib: Any, tmp_path: Any) -> None:
    (tmp_path / "mine.yaml").write_text(
        "distributed:\n  nanny:\n    pre-spawn-environ: {FOO: 1}\n  comm:\n    timeouts: {connect: 7s}\n"
    )
    program = f"""
import dask
dask.config.set({{"distributed.scheduler.allowed_failures": 9}})
import {lib.__name__}
get = dask.config.get
print(get("distributed.comm.timeouts.connect"), get("distributed.comm.timeouts.tcp"))
print(get("distributed.scheduler.allowed-failures"), get("distributed.worker.memory.pause"))
print(get("distributed.nanny.pre-spawn-environ.FOO"), get("distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS"))
"""
    environ = {**os.environ, "DASK_CONFIG": str(tmp_path), "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "0.7"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True, env=environ
    )
    assert done.stdout.split() == ["7s", "30s", "9", "0.7", "1", "1"]


def test_workers_read_the_settings_of_the_program(lib: Any) -> None:
    def read() -> tuple[Any, ...]:
        import dask

        get = dask.config.get
        return (
            get("distributed.scheduler.unknown-task-duration"),
            get("distributed.worker.memory.pause"),
            get("distributed.deploy.lost-worker-timeout"),
            get("parity.own"),
        )

    settings = {"distributed.worker.memory.pause": 0.75, "parity.own": 3}
    with (
        dask.config.set(settings),
        lib.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        expected = ("500ms", 0.75, "15s", 3)
        assert client.submit(read).result(timeout=60) == expected
        assert client.run_on_scheduler(read) == expected


def test_a_variable_of_workers_in_a_file_joins_the_default_ones(tmp_path: Any) -> None:
    (tmp_path / "mine.yaml").write_text("distributed:\n  nanny:\n    pre-spawn-environ:\n      FOO: 1\n")
    program = (
        f"import os\nfrom {BACKEND} import Client, LocalCluster\n"
        "names = ['FOO', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS']\n"
        "def variables():\n    return [os.environ.get(name) for name in names]\n"
        "if __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=':0') as cluster:\n"
        "        client = Client(cluster)\n"
        "        print(client.submit(variables).result(60))\n"
    )
    (tmp_path / "program.py").write_text(program)
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    outcome = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        env=environ | {"DASK_CONFIG": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    assert outcome.stdout.splitlines()[-1] == "['1', '1', '1']"
