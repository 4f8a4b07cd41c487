"""Calls by name on a cluster of which only some workers have the function."""

import os
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest

from dagrpc import Client, LocalCluster
from dagrpc.exceptions import NoValidWorkerError

TIMEOUT = 60


def export_plus() -> None:
    import dagrpc

    dagrpc.export(lambda x: x + 1, name="plus", version="2")


def export_late() -> None:
    import dagrpc

    dagrpc.export(lambda: "late", name="late")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with LocalCluster(n_workers=3, threads_per_worker=1) as cluster, Client(cluster) as client:
        yield client


def test_none_of_200_calls_fails_with_a_worker_that_lacks_the_function(client: Client) -> None:
    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    client.run(export_plus, workers=workers[:2])
    calls = [client.submit_call("plus", number) for number in range(200)]
    assert client.gather(calls) == list(range(1, 201))
    assert client.submit_call("plus@2", 1).result(timeout=TIMEOUT) == 2
    assert not client.has_what([workers[2]])[workers[2]]


def test_a_call_waits_until_a_worker_exports_the_function(client: Client) -> None:
    call = client.submit_call("late")
    client.run(export_late)
    assert call.result(timeout=TIMEOUT) == "late"


def test_preloads_and_entry_points_export_before_the_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "packaged_functions.py"
    module.write_text("def triple(x):\n    return 3 * x\n")
    info = tmp_path / "packaged_functions-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: packaged-functions\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dagrpc.functions]\ntriple = packaged_functions:triple\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    preload = "import dagrpc\ndagrpc.export(lambda x: -x, name='minus')"
    with (
        dask.config.set({"distributed.scheduler.no-workers-timeout": "2s"}),
        LocalCluster(n_workers=1, threads_per_worker=1, preload=[preload]) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit_call("triple", 2).result(timeout=TIMEOUT) == 6
        assert client.submit_call("minus", 2).result(timeout=TIMEOUT) == -2
        with pytest.raises(NoValidWorkerError, match="the function 'nobody-has-it'"):
            client.submit_call("nobody-has-it").result(timeout=TIMEOUT)


def test_a_worker_that_takes_no_code_gets_calls_only() -> None:
    with (
        dask.config.set({"dagrpc.worker.takes-code": False, "dagrpc.worker.allowed-calls": ["math:*"]}),
        LocalCluster(n_workers=1, threads_per_worker=1) as cluster,
        Client(cluster) as client,
    ):
        (closed,) = client.scheduler_info()["workers"]
        code = client.map(abs, range(-20, 0))
        assert client.submit_call("math:sqrt", 4).result(timeout=TIMEOUT) == 2
        with dask.config.set({"dagrpc.worker.takes-code": True}):
            cluster.scale(2)
            client.wait_for_workers(2, timeout=TIMEOUT)
        assert client.gather(code) == list(range(20, 0, -1))
        assert not set(client.has_what([closed])[closed]) & {future.key for future in code}
