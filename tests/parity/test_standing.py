"""Section 9 of the API: state of workers and servers that code on them can read."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.parity.functions import inc


def test_stories_begin_with_the_key(client: Any) -> None:
    key = ("parity-story", 3)
    future = client.submit(inc, 1, key=key)
    assert future.result(timeout=60) == 2
    begun = time.time() - 600

    def of_scheduler(dask_scheduler: Any) -> list[tuple[Any, ...]]:
        return [tuple(entry) for entry in dask_scheduler.story(key)]

    def of_worker(dask_worker: Any) -> list[tuple[Any, ...]]:
        return [tuple(entry) for entry in dask_worker.state.story(key)]

    found = client.run_on_scheduler(of_scheduler)
    assert [(start, finish) for _, start, finish, *_ in found][-1] == ("processing", "memory")
    for told, start, finish, recommendations, stimulus, when in found:
        assert told == key
        assert isinstance(recommendations, dict)
        assert all(isinstance(text, str) for text in (start, finish, stimulus))
        assert begun < when <= time.time() + 60
    entries = [entry for entries in client.run(of_worker).values() for entry in entries if len(entry) == 7]
    assert entries[-1][:5] == (key, "executing", "memory", "memory", {})


def test_settings_and_addresses(client: Any) -> None:
    def ask(dask_scheduler: Any) -> dict[str, Any]:
        (address,) = [address for address, worker in dask_scheduler.workers.items() if worker.name == 0]
        return {
            "ttl": dask_scheduler.worker_ttl,
            "idle": dask_scheduler.idle_timeout,
            "file": dask_scheduler.scheduler_file,
            "validate": dask_scheduler.validate,
            "queued": len(list(dask_scheduler.queued)),
            "saturated": len(dask_scheduler.saturated),
            "resources": dict(dask_scheduler.resources),
            "named": dask_scheduler.coerce_address(0) == address == dask_scheduler.coerce_address(address),
            "other": dask_scheduler.get_worker_service_addr(address, "nothing-of-the-kind"),
            "security": type(dask_scheduler.security).__name__,
        }

    assert client.run_on_scheduler(ask) == {
        "ttl": 300,
        "idle": None,
        "file": None,
        "validate": False,
        "queued": 0,
        "saturated": 0,
        "resources": {},
        "named": True,
        "other": None,
        "security": "Security",
    }


def test_uploaded_files_lie_in_the_scheduler_s_directory(client: Any, tmp_path: Any) -> None:
    path = tmp_path / "parity_uploaded_numbers.txt"
    path.write_text("1 2 3")
    client.upload_file(str(path), load=False)

    def read(dask_scheduler: Any) -> str:
        return (Path(dask_scheduler.local_directory) / "parity_uploaded_numbers.txt").read_text()

    assert client.run_on_scheduler(read) == "1 2 3"
    assert os.path.isdir(client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.local_directory))
