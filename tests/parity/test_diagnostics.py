"""Section 11 of the API, and what section 1.4 has of it: looking inside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.parity.functions import fail, inc, nap


def test_call_stack(client: Any) -> None:
    future = client.submit(nap, 30, pure=False)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(future.key in keys for keys in client.processing().values()):
        time.sleep(0.02)
    frames: list[str] = []
    # It may be seen before it has got as far as its function.
    while time.monotonic() < deadline and not any("nap" in frame for frame in frames):
        stacks = client.call_stack(keys=[future.key])
        frames = [frame for tasks in stacks.values() for frame in tasks.get(future.key, ())]
    assert any("nap" in frame for frame in frames)
    future.cancel()


def test_metrics_of_workers(client: Any) -> None:
    future = client.submit(inc, 1, pure=False)
    assert future.result(timeout=60) == 2
    (worker,) = client.who_has(future)[future.key]
    deadline = time.monotonic() + 60
    metrics: dict[str, Any] = {}
    while time.monotonic() < deadline and not metrics.get("managed_bytes"):
        time.sleep(0.05)
        metrics = client.scheduler_info()["workers"][worker]["metrics"]
    assert metrics["task_counts"]["memory"] >= 1
    assert metrics["spilled_bytes"] == {"memory": 0, "disk": 0}
    names = {"incoming_bytes", "incoming_count", "outgoing_bytes", "outgoing_count"}
    assert {name: metrics["transfer"][name] for name in names} == dict.fromkeys(names, 0)
    assert metrics["memory"] > 1_000_000
    assert {"cpu", "num_fds"} <= set(metrics)


def test_profile(client: Any) -> None:
    client.submit(nap, 1.5, pure=False).result(timeout=60)
    deadline = time.monotonic() + 60
    profile: dict[str, Any] = {"count": 0}
    while time.monotonic() < deadline and not profile["count"]:
        profile = client.profile()
    assert {"count", "children", "identifier", "description"} <= set(profile)


def test_task_stream(client: Any, lib: Any) -> None:
    with lib.get_task_stream() as stream:
        client.gather(client.map(inc, range(7), pure=False))
    assert len(stream.data) == 7
    assert {"key", "worker", "thread", "startstops", "status"} <= set(stream.data[0])
    (step,) = [step for step in stream.data[0]["startstops"] if step["action"] == "compute"]
    assert step["stop"] >= step["start"]


def test_task_metadata(client: Any, lib: Any) -> None:
    with lib.get_task_metadata() as tasks:
        future = client.submit(inc, 1, pure=False)
        future.result(timeout=60)
    assert tasks.state[future.key] == "memory"
    assert future.key in tasks.metadata


def test_performance_report(client: Any, lib: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with lib.performance_report(filename=str(path)):
        client.gather(client.map(inc, range(10), pure=False))
    text = path.read_text()
    assert "<html" in text.lower()
    assert "inc" in text


def test_recreate_error_locally(client: Any) -> None:
    future = client.submit(fail, "locally", pure=False)
    with pytest.raises(ZeroDivisionError, match="locally"):
        client.recreate_error_locally(future)
    with pytest.raises(ValueError):  # noqa: PT011
        client.recreate_error_locally(client.submit(inc, 1))


def test_story(client: Any) -> None:
    future = client.submit(inc, 1, key="parity-story")
    future.result(timeout=60)
    assert len(client.story("parity-story")) > 2


def test_dump(client: Any, submodule: Any, tmp_path: Path) -> None:
    client.submit(inc, 1, key="parity-dump").result(timeout=60)
    client.dump_cluster_state(str(tmp_path / "dump"), format="yaml")
    assert (tmp_path / "dump.yaml").stat().st_size > 100


def test_progress(client: Any, lib: Any, capsys: pytest.CaptureFixture[str]) -> None:
    futures = client.map(inc, range(5), pure=False)
    lib.progress(futures, notebook=False)
    assert "100%" in capsys.readouterr().out
    with pytest.raises(ValueError):  # noqa: PT011
        lib.progress(futures, notebook=False, group_by="nonsense")


def test_spans(client: Any, lib: Any) -> None:
    with lib.span("parity", "outer") as identifier:
        assert isinstance(identifier, str)
        future = client.submit(inc, 1, pure=False)
    future.result(timeout=60)

    def names(dask_scheduler: Any) -> list[Any]:
        return [span.name for span in dask_scheduler.extensions["spans"].find_by_tags("parity")]

    assert ("parity",) in client.run_on_scheduler(names)
    with pytest.raises(ValueError), lib.span():  # noqa: PT011
        pass


def test_memory_sampler(client: Any, submodule: Any) -> None:
    sampler = submodule("diagnostics").MemorySampler()
    with sampler.sample("run", client=client, interval=0.05):
        client.submit(nap, 0.3, pure=False).result(timeout=60)
    frame = sampler.to_pandas()
    assert list(frame.columns) == ["run"]
    assert len(frame) > 0
