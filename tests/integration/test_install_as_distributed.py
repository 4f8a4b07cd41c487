"""dagrpc installed as `distributed`: its importable modules, and libraries that import them."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import dagrpc.compat
import dagrpc.protocol
from dagrpc import Client, LocalCluster
from dagrpc._process.as_distributed import VARIABLE, install_if_asked
from dagrpc.compat.installation import install_as_distributed, uninstall_as_distributed
from dagrpc.compat.names import MODULES

ROOT = Path(__file__).parents[2]


def run(program: str | list[str]) -> str:
    """Run a program in a process of its own, since what is imported stays imported, and return what it prints."""
    command = ["-c", program] if isinstance(program, str) else program
    outcome = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=150, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


@pytest.fixture(autouse=True)
def nothing_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever other tests have imported."""
    for name in list(sys.modules):
        if name == "distributed" or name.startswith(("distributed.", "dask.distributed")):
            monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def installed() -> Iterator[None]:
    with install_as_distributed():
        yield


@pytest.mark.usefixtures("installed")
def test_imports_of_programs_are_dagrpcs_modules() -> None:
    import dask.distributed
    import distributed
    import distributed.client
    import distributed.protocol.pickle
    from distributed.protocol.serialize import register_serialization_family  # noqa: F401
    from distributed.utils import thread_state

    assert distributed.Client is dask.distributed.Client is distributed.client.Client is dagrpc.Client
    assert distributed.worker.get_client is dagrpc.get_client
    assert distributed.lock.Lock is dagrpc.Lock
    assert distributed.protocol is dagrpc.protocol
    assert callable(distributed.protocol.serialize)
    assert distributed.deploy.local.LocalCluster is dagrpc.LocalCluster
    assert not hasattr(thread_state, "execution_state")
    assert set(distributed.__all__) >= set(dagrpc.__all__) - {"__version__"}
    assert int(distributed.__version__.split(".")[0]) >= 2026


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("module", sorted(MODULES))
def test_all_modules_can_be_imported_and_looked_at(module: str) -> None:
    found = importlib.import_module(f"distributed.{module}" if module else "distributed")
    for name in dir(found):
        getattr(found, name)


@pytest.mark.usefixtures("installed")
def test_missing_modules_cannot_be_imported() -> None:
    with pytest.raises(ImportError, match="no_such_module"):
        importlib.import_module("distributed.no_such_module")
    with pytest.raises(ImportError):
        importlib.import_module("distributed._client")
    module = importlib.import_module("distributed.client")
    with pytest.raises(AttributeError, match=r"no 'Unheard' for distributed\.client.*compatibility"):
        _ = module.Unheard


@pytest.mark.usefixtures("installed")
def test_modules_travel_by_a_name_that_every_dagrpc_knows() -> None:
    import cloudpickle
    import distributed.client

    data = cloudpickle.dumps(distributed.client)
    program = f"import pickle; print(pickle.loads({data!r}).Client.__name__)"
    uninstall_as_distributed()
    assert run(program).strip() == "Client"
    assert pickle.loads(pickle.dumps(dagrpc.Client)) is dagrpc.Client


def test_the_installation_can_be_undone() -> None:
    installation = install_as_distributed()
    assert repr(installation) == "<dagrpc is installed as distributed>"
    assert repr(install_as_distributed()) == repr(installation)
    assert os.environ[VARIABLE] == "1"
    installation.undo()
    installation.undo()
    assert repr(installation) == "<dagrpc is not installed as distributed>"
    assert "distributed" not in sys.modules
    assert VARIABLE not in os.environ


def test_a_module_in_use_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    real = types.ModuleType("distributed")
    real.__file__ = "/somewhere/distributed/__init__.py"
    monkeypatch.setitem(sys.modules, "distributed", real)
    with pytest.raises(RuntimeError, match=r"already, from /somewhere/distributed.*force=True"):
        install_as_distributed()
    with install_as_distributed(force=True):
        assert importlib.import_module("distributed").Client is dagrpc.Client
    assert sys.modules["distributed"] is real


def test_services_do_it_when_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    install_if_asked()
    assert "distributed" not in sys.modules
    install_as_distributed().undo()
    monkeypatch.setenv(VARIABLE, "1")
    install_if_asked()
    try:
        assert importlib.import_module("distributed").Client is dagrpc.Client
    finally:
        uninstall_as_distributed()


def imported_on_worker() -> tuple[bool, str]:
    from distributed import get_worker
    from distributed.utils import thread_state

    return thread_state.execution_state["worker"] is get_worker(), thread_state.execution_state["key"]


@pytest.mark.usefixtures("installed")
def test_workers_of_this_process_do_it_too() -> None:
    with LocalCluster(n_workers=1, processes=True) as cluster, Client(cluster) as client:
        assert client.submit(imported_on_worker, key="here").result(timeout=60) == (True, "here")


def test_the_loop_of_a_client_takes_callbacks(client: Client) -> None:
    import threading

    called: list[str] = []
    done = threading.Event()

    async def coroutine(text: str) -> None:
        called.append(text)
        done.set()

    client.loop.add_callback(called.append, "function")
    client.loop.add_callback(coroutine, text="coroutine")
    assert done.wait(30)
    assert called == ["function", "coroutine"]
    assert client.loop == client.loop
    assert client.loop.is_running()


JOBLIB = """
import dagrpc; dagrpc.install_as_distributed()
import joblib, numpy as np, sys
from dask.distributed import Client

class Oops(Exception): pass

def fail(n):
    if n == 3: raise Oops(n)
    return n

def inner(n):
    return joblib.Parallel(n_jobs=2)(joblib.delayed(pow)(n, k) for k in range(4))

if __name__ == "__main__":
    data = np.arange(100_000)
    with Client(n_workers=2, threads_per_worker=1) as client:
        with joblib.parallel_config("dask"):
            print(joblib.Parallel()(joblib.delayed(pow)(n, 2) for n in range(50)) == [n * n for n in range(50)])
            print(joblib.Parallel()(joblib.delayed(inner)(n) for n in range(4)))
            print([int(a[0]) for a in joblib.Parallel()(joblib.delayed(np.add)(data, n) for n in (1, 2))])
            try:
                joblib.Parallel()(joblib.delayed(fail)(n) for n in range(10))
            except Oops as error:
                print("raised", error)
            print(joblib.Parallel()([joblib.delayed(abs)(-1)]))
        with joblib.parallel_config("dask", scatter=[data]):
            print([int(n) for n in joblib.Parallel()(joblib.delayed(np.sum)(data) for _ in range(3))])
        print(sum(client.ncores().values()))
"""


def test_joblib_runs_on_the_cluster() -> None:
    lines = run(JOBLIB).splitlines()
    assert lines[0] == "True"
    assert lines[1] == str([[n**k for k in range(4)] for n in range(4)])
    assert lines[2] == "[1, 2]"
    assert lines[3:] == ["raised 3", "[1]", str([4999950000] * 3), "2"]


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("grid_search", "best parameters"),
        ("weather", " 7 "),
        ("progress", "303 primes"),
        ("frames_and_arrays", "mean 29999.5"),
        ("notebook", "8 rich displays"),
        ("boosting", "learnt by XGBoost, LightGBM"),
        ("tuning", "20 trials"),
    ],
)
def test_programs_for_distributed_run_unchanged(name: str, printed: str) -> None:
    assert printed in run(["-m", f"examples.ecosystem.{name}"])


@pytest.mark.usefixtures("installed")
def test_small_things_that_libraries_import() -> None:
    from distributed.deploy.local import nprocesses_nthreads
    from distributed.utils import LoopRunner, ensure_ip, get_ip, import_term, log_errors, open_port, warn_on_duration

    assert import_term("math.sin") is importlib.import_module("math").sin
    assert ensure_ip(get_ip()) == get_ip()
    assert 0 < open_port() < 65536
    assert all(number > 0 for number in nprocesses_nthreads())
    with pytest.warns(UserWarning, match="took "), warn_on_duration(-1, "took {duration}"):
        pass

    async def answer() -> int:
        return 42

    runner = LoopRunner()
    runner.start()
    assert runner.run_sync(answer) == 42

    @log_errors
    def fail() -> None:
        raise KeyError("told")

    with pytest.raises(KeyError):
        fail()


def test_the_package_has_the_two_functions() -> None:
    for name in ("install_as_distributed", "uninstall_as_distributed"):
        assert getattr(dagrpc.compat, name) is getattr(dagrpc, name)
