"""Section 10 of the API: plugins."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.parity.functions import inc


def test_worker_plugins(client: Any, lib: Any) -> None:
    class Marker(lib.WorkerPlugin):  # type: ignore[misc]
        name = "parity-marker"

        def __init__(self, mark: str) -> None:
            self.mark = mark

        def setup(self, worker: Any) -> None:
            worker.parity_mark = self.mark

        def teardown(self, worker: Any) -> None:
            worker.parity_mark = "gone"

    def mark(dask_worker: Any) -> str:
        return getattr(dask_worker, "parity_mark", "none")

    client.register_plugin(Marker("first"))
    assert set(client.run(mark).values()) == {"first"}
    client.register_plugin(Marker("second"))
    assert set(client.run(mark).values()) == {"second"}
    client.unregister_worker_plugin("parity-marker")
    assert set(client.run(mark).values()) == {"gone"}


def test_plugins_reach_workers_that_come_later(lib: Any) -> None:
    class Late(lib.WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            worker.parity_late = True

    with (
        lib.LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        client.register_plugin(Late())
        cluster.scale(2)
        client.wait_for_workers(2, timeout=60)
        assert list(client.run(lambda dask_worker: dask_worker.parity_late).values()) == [True, True]


def test_errors_of_setup(client: Any, lib: Any) -> None:
    class Broken(lib.WorkerPlugin):  # type: ignore[misc]
        name = "parity-broken"

        def setup(self, worker: Any) -> None:
            raise LookupError("no setup today")

    with pytest.raises(LookupError, match="no setup today"):
        client.register_plugin(Broken())
    client.unregister_worker_plugin("parity-broken")


@pytest.mark.parametrize("wrong", [1, "plugin", object()])
def test_objects_that_are_no_plugins(client: Any, wrong: Any) -> None:
    with pytest.raises(TypeError):
        client.register_plugin(wrong)


def test_a_plugin_class_is_not_a_plugin(client: Any, lib: Any) -> None:
    with pytest.raises(TypeError):
        client.register_plugin(lib.WorkerPlugin)


def test_scheduler_plugins(client: Any, lib: Any) -> None:
    class Watcher(lib.SchedulerPlugin):  # type: ignore[misc]
        name = "parity-watcher"

        def start(self, scheduler: Any) -> None:
            scheduler.parity_transitions = []
            self.scheduler = scheduler

        def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
            self.scheduler.parity_transitions.append((key, start, finish))

    client.register_plugin(Watcher())
    client.submit(inc, 1, key="parity-watched").result(timeout=60)

    def seen(dask_scheduler: Any) -> list[Any]:
        return [step for step in dask_scheduler.parity_transitions if step[0] == "parity-watched"]

    steps = client.run_on_scheduler(seen)
    assert ("parity-watched", "processing", "memory") in steps
    client.unregister_scheduler_plugin("parity-watcher")


def test_upload_file(client: Any, tmp_path: Path) -> None:
    module = tmp_path / "parity_uploaded.py"
    module.write_text("def answer():\n    return 41\n")
    client.upload_file(str(module))

    def use() -> int:
        import parity_uploaded  # type: ignore[import-not-found]

        return int(parity_uploaded.answer())

    assert client.submit(use, pure=False).result(timeout=60) == 41


def test_worker_callbacks(client: Any) -> None:
    def remember(dask_worker: Any) -> None:
        dask_worker.parity_callback = True

    client.register_worker_callbacks(remember)
    assert set(client.run(lambda dask_worker: dask_worker.parity_callback).values()) == {True}


def test_environ(own_client: Any, lib: Any) -> None:
    import os

    own_client.register_plugin(lib.Environ({"PARITY_VARIABLE": "set"}))
    deadline = time.monotonic() + 60
    values: set[Any] = set()
    while time.monotonic() < deadline and values != {"set"}:
        own_client.wait_for_workers(2, timeout=60)
        values = set(own_client.run(lambda: os.environ.get("PARITY_VARIABLE"), on_error="ignore").values())
    assert values == {"set"}
