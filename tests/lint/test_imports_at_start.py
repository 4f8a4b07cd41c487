"""Every start waits for the imports of a process, so modules that few processes need are not among them.

Each program below does what a process of `LocalCluster` does until it is ready, or imports what it imports. How long
that takes depends on the machine; what is loaded then does not.
"""

import json
import subprocess
import sys

import pytest

NANNY_BEFORE_IT_SPAWNS = "import dagrpc_worker.nanny.nanny_process"

NANNY = """
import dagrpc_worker.nanny.nanny_process
from dagrpc import config
config.hand_over({})
import dagrpc._process.service_process, dagrpc_worker.nanny.nanny_pool
"""

SCHEDULER = """
import asyncio
import dagrpc_scheduler.process
from dagrpc import config
config.hand_over({})
from dagrpc._common.versions import own_versions
from dagrpc_scheduler.run import make_service, scheduler_of
from dagrpc_scheduler.options import SchedulerOptions

async def start():
    service = make_service(SchedulerOptions(), scheduler_of)
    await service.start()
    own_versions()
    loaded.extend(sys.modules)
    await service.close()

asyncio.run(start())
"""

WORKER = """
import dagrpc_worker.process
from dagrpc import config
from dagrpc._process.service_options import unpickled
from dagrpc._common.versions import own_versions
from dagrpc_worker.run import prepare_process, run_to_exit
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.shell.service import WorkerService
own_versions()
"""

# What takes long, and what is for rare occasions.
FOR_NO_START = (
    "bokeh",
    "cryptography",
    "dask.array",
    "dask.bag",
    "dask.dataframe",
    "dagrpc.client",
    "dagrpc._client.client_core",
    "dagrpc.compat.installation",
    "dagrpc_deploy",
    "google.protobuf.descriptor_pb2",
    "grpc_reflection.v1alpha",
    "fractions",
    "google.protobuf.json_format",
    "http.client",
    "numpy",
    "pandas",
    "pyarrow",
    "unittest",
    "urllib.request",
    "zoneinfo",
)
# dask takes longer than all else that a scheduler could import, and it has no use for it.
FOR_WORKERS = ("dask", "importlib.metadata", "importlib.resources", "multiprocessing", "psutil", "yaml")
OF_THE_SCHEDULER = ("dagrpc.spans", "dagrpc_scheduler.facade.scheduler", "dagrpc_worker")
AFTER_WORKERS_ARE_SPAWNED = ("asyncio", "dataclasses", "google", "grpc", "inspect", "dagrpc.config")


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        pytest.param(NANNY_BEFORE_IT_SPAWNS, FOR_NO_START + FOR_WORKERS + AFTER_WORKERS_ARE_SPAWNED, id="nanny, early"),
        pytest.param(NANNY, (*FOR_NO_START, *FOR_WORKERS, "dagrpc_scheduler"), id="nanny"),
        pytest.param(SCHEDULER, FOR_NO_START + FOR_WORKERS + OF_THE_SCHEDULER, id="scheduler"),
        pytest.param(WORKER, (*FOR_NO_START, "dagrpc_scheduler"), id="worker"),
    ],
)
def test_a_start_imports_nothing_that_can_wait(program: str, unwanted: tuple[str, ...]) -> None:
    loaded = modules_loaded_by(program)

    assert not loaded.intersection(unwanted)


def test_the_names_are_right() -> None:
    """A module that was renamed would be missed by nobody."""
    program = "import importlib, json, sys\nfor name in json.loads(sys.argv[1]): importlib.import_module(name)"
    ours = [name for name in FOR_NO_START + OF_THE_SCHEDULER if name.startswith("dagrpc")]

    modules_loaded_by(program, json.dumps(ours))


def modules_loaded_by(program: str, *arguments: str) -> set[str]:
    """Return the modules that a program loads in a fresh interpreter, or those that it added to the list `loaded`."""
    text = f"import sys\nloaded = []\n{program}\nprint(*(loaded or sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", text, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())
