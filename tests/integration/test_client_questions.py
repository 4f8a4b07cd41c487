"""Introspection by the client: stories of tasks, versions, failed tasks recreated locally, and small methods."""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import dask
import pytest

import dagrpc
from dagrpc import Client, LocalCluster, default_client, wait
from dagrpc.client import ensure_default_client, temp_default_client
from dagrpc.exceptions import VersionMismatchWarning

ran: list[Any] = []


def inc(x):
    return x + 1


def divide(x, y):
    ran.append((x, y))
    return x / y


async def slowly(x):
    await asyncio.sleep(0)
    return x + 1


# --- stories and versions ---


def test_story_of_scheduler_and_workers(client):
    x = client.submit(inc, 1, key="story-x")
    y = client.submit(inc, x, key="story-y")
    assert y.result() == 3
    story = client.story("story-x", y)
    assert {entry[0] for entry in story} == {
        "scheduler",
        *client.who_has([x])["story-x"],
        *client.who_has([y])["story-y"],
    }
    assert {entry[1] for entry in story} == {"story-x", "story-y"}
    assert [entry[-1] for entry in story] == sorted(entry[-1] for entry in story)
    assert [entry[2:4] for entry in story if entry[:2] == ("scheduler", "story-x")][:2] == [
        ("released", "waiting"),
        ("waiting", "processing"),
    ]
    assert any(entry[3] == entry[4] == "memory" for entry in story if entry[0] != "scheduler")
    stimulus = next(entry[-2] for entry in story if entry[0] == "scheduler")
    assert ("scheduler", "story-x") in {entry[:2] for entry in client.story(stimulus)}
    assert client.story("nobody") == client.story() == []


def test_keys_of_stories_are_the_users(client):
    future = client.submit(inc, 1, key=("part", 3))
    wait(future)
    assert {entry[1] for entry in client.story(("part", 3))} == {("part", 3)}


def test_story_when_a_worker_is_stuck(client):
    with pytest.raises(ValueError, match="on_error"):
        client.story("x", on_error="shrug")
    assert client.story("in no story", on_error="ignore") == []


def test_versions(client):
    versions = client.get_versions(check=True, packages=["pytest", "no-such-package"])
    assert set(versions) == {"scheduler", "workers", "client"}
    assert set(versions["workers"]) == set(client.nthreads())
    packages = versions["client"]["packages"]
    assert packages["python"] == ".".join(map(str, sys.version_info))
    assert packages["dask"] == dask.__version__
    assert packages["pytest"] == pytest.__version__
    assert packages["no-such-package"] is None
    assert versions["scheduler"]["packages"] == packages
    assert versions["client"]["host"]["python-bits"] == 64
    assert client.get_versions(packages=[("pytest", None)])["scheduler"]["packages"]["pytest"]


def test_versions_that_differ(client, monkeypatch):
    from dagrpc._client import introspection_rpcs

    monkeypatch.setattr(introspection_rpcs, "package_versions", lambda packages: {"dask": "1.0"})
    with pytest.raises(ValueError, match=r"dask: client 1.0, scheduler"):
        client.get_versions(check=True)


def test_a_warning_at_the_connection(shared_cluster, monkeypatch):
    from dagrpc._client import version_warning
    from dagrpc._common.versions import own_versions

    with warnings.catch_warnings():
        warnings.simplefilter("error", VersionMismatchWarning)
        Client(shared_cluster, set_as_default=False).close()
    own = {**own_versions(), "dask": "1.0"}
    monkeypatch.setattr(version_warning, "own_versions", lambda: own)
    with pytest.warns(VersionMismatchWarning, match="dask: client 1.0, scheduler") as record:
        Client(shared_cluster, set_as_default=False).close()
    assert record[0].filename == __file__


# --- sizes ---


def test_nbytes(client):
    futures = client.map(inc, range(10), key=[f"nbytes_inc-{i}" for i in range(10)])
    wait(futures)
    one = client.nbytes([futures[0]], summary=False)
    assert one == {"nbytes_inc-0": one["nbytes_inc-0"]}
    assert one["nbytes_inc-0"] > 0
    assert client.nbytes()["nbytes_inc"] == 10 * one["nbytes_inc-0"]
    assert client.nbytes(["nbytes_inc-3"], summary=False) == {"nbytes_inc-3": one["nbytes_inc-0"]}
    assert client.nbytes([]) == {}


# --- tasks run here ---


def test_a_failed_task_run_here(process_cluster):
    with Client(process_cluster) as client:
        ran.clear()
        zero = client.submit(lambda: 0, key="zero")
        failing = client.submit(divide, client.submit(inc, 0), zero)
        dependent = client.submit(inc, failing)
        del zero
        wait(dependent)
        assert ran == []
        with pytest.raises(ZeroDivisionError):
            client.recreate_error_locally(dependent)
        assert ran == [(1, 0)]
        # With the function's own frame, in which a debugger can look around.
        with pytest.raises(ZeroDivisionError) as caught:
            client.recreate_error_locally([client.submit(inc, 1), failing])
        assert caught.traceback[-1].frame.f_locals["y"] == 0


def test_futures_that_have_not_failed(client):
    with pytest.raises(ValueError, match="No errored futures"):
        client.recreate_error_locally(client.submit(inc, 1))
    with pytest.raises(ValueError, match="No errored futures"):
        client.recreate_error_locally([])
    with pytest.raises(ValueError, match="No futures"):
        client.recreate_task_locally(3)
    with pytest.raises(ValueError, match="not a Python task"):
        client.recreate_task_locally(client.scatter(1))


def test_collections_run_here(client):
    bad = dask.delayed(divide)(dask.delayed(inc)(0), 0)
    with pytest.raises(ZeroDivisionError):
        client.recreate_error_locally(client.persist(dask.delayed(inc)(bad)))
    fine = client.compute(dask.delayed(divide)(dask.delayed(inc)(3), 2))
    assert client.recreate_task_locally(fine) == 2.0
    assert client.recreate_task_locally(client.submit(slowly, 4)) == 5


def test_futures_among_the_inputs(client):
    x = client.submit(inc, 1)
    listed = client.submit(lambda futures: len(futures), [x, x])
    assert client.recreate_task_locally(listed) == 2


# --- small things ---


def test_sync(client):
    assert client.sync(slowly, 1) == 2
    assert client.cluster.sync(slowly, 4) == 5
    with pytest.raises(TimeoutError):
        client.cluster.sync(asyncio.sleep, 60, callback_timeout="10 ms")
    assert dagrpc.sync(client.loop, slowly, 2) == 3
    with pytest.raises(TimeoutError):
        client.sync(asyncio.sleep, 60, callback_timeout="10 ms")
    with pytest.raises(TimeoutError, match="did not end within"):
        dagrpc.sync(client.loop, asyncio.sleep, 60, callback_timeout=0.01)
    with pytest.raises(RuntimeError, match="own thread"):
        client.sync(lambda: _sync_inside(client.loop))
    with pytest.raises(RuntimeError, match="does not run"):
        dagrpc.sync(asyncio.new_event_loop(), slowly, 1)


async def _sync_inside(loop):
    dagrpc.sync(loop, slowly, 1)


def test_start_and_old_names(client):
    assert client.start() is None
    assert set(client.run_coroutine(slowly, 1).values()) == {2}
    assert client.generation == 0
    future = client.submit(inc, 1)
    assert client.futures_of([future, {"x": future}]) == [future]


def test_scheduler_file(client, tmp_path):
    path = tmp_path / "scheduler.json"
    client.write_scheduler_file(path)
    assert client.scheduler_file == str(path)
    identity = json.loads(path.read_text())
    assert identity["type"] == "Scheduler"
    assert set(identity["workers"]) == set(client.nthreads())
    with pytest.raises(ValueError, match="already set"):
        client.write_scheduler_file(tmp_path / "other.json")
    with Client(scheduler_file=str(path), set_as_default=False) as other:
        assert other.submit(inc, 1).result() == 2
        with pytest.raises(ValueError, match="already set"):
            other.write_scheduler_file(path)


def test_extensions(shared_cluster):
    with Client(shared_cluster, extensions={"mine": lambda client: [client]}, set_as_default=False) as client:
        assert client.extensions["mine"] == [client]
    with Client(shared_cluster, set_as_default=False) as client:
        assert client.extensions == {}


def test_normalize_collection(client):
    x = dask.delayed(inc)(1)
    y = dask.delayed(inc)(x)
    x = client.persist(x)
    normal = client.normalize_collection(y)
    assert len(normal.__dask_graph__()) == 2
    assert [future.key for future in client.futures_of(normal)] == [x.key]
    assert normal.compute() == 3
    z = dask.delayed(inc)(10)
    assert client.normalize_collection(z) is z
    with pytest.raises(TypeError, match="collection"):
        client.normalize_collection(1)


def test_restrictions(client):
    x, y = dask.delayed(inc)(1), dask.delayed(inc)(2)
    assert client.get_restrictions([x, y], "alice", False) == ({x.key: ["alice"], y.key: ["alice"]}, [])
    assert Client.get_restrictions([x, y], {x: "a", (x, y): ["b"]}, [y]) == ({x.key: ["a", "b"], y.key: ["b"]}, [y.key])


def test_default_clients(shared_cluster, client):
    with Client(shared_cluster, set_as_default=False) as other:
        with temp_default_client(other):
            assert default_client() is other
            assert dask.config.get("scheduler") is other
        assert default_client() is client
        ensure_default_client(other)
        ensure_default_client(other)
        assert default_client() is other
        ensure_default_client(client)
        assert default_client() is client
    assert default_client() is client


def test_all_of_it_on_an_event_loop(shared_cluster: LocalCluster, tmp_path: Path):
    async def main():
        async with Client(shared_cluster.scheduler_address, asynchronous=True) as client:
            assert await client.start() is client
            x = client.submit(inc, 1, key="async-story")
            await wait(x)
            assert await client.story("async-story")
            assert "dask" in (await client.get_versions())["scheduler"]["packages"]
            assert (await client.nbytes([x], summary=False))["async-story"] > 0
            failing = client.submit(divide, 1, 0)
            with pytest.raises(ZeroDivisionError):
                await client.recreate_error_locally(failing)
            assert await client.recreate_task_locally(x) == 2
            assert await client.recreate_task_locally(client.submit(slowly, 1)) == 2
            assert await client.sync(slowly, 1) == 2
            await client.write_scheduler_file(tmp_path / "scheduler.json")
        assert json.loads((tmp_path / "scheduler.json").read_text())["address"]

    asyncio.run(main())


def test_within_a_task(client):
    def task():
        inside = dagrpc.get_client()
        x = inside.submit(inc, 1, key="story-inside")
        wait(x)
        return len(inside.story(x)), inside.recreate_task_locally(x)

    length, value = client.submit(task).result()
    assert length
    assert value == 2


def test_hardware(client, monkeypatch):
    from dagrpc._client import hardware

    # The cluster is in this process: it sees that.
    monkeypatch.setattr(hardware, "_SECONDS", 0.001)
    found = client.benchmark_hardware()
    assert set(found) == {"disk", "memory", "network"}
    assert set(found["disk"]) == {"1 kiB", "100 kiB", "1 MiB", "10 MiB", "100 MiB"}
    assert set(found["network"]) == {"1 kiB", "10 kiB", "100 kiB", "1 MiB", "10 MiB", "50 MiB"}
    assert all(speed > 0 for speeds in found.values() for speed in speeds.values())


def test_hardware_of_one_worker():
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster, Client(cluster) as client:
        assert client.benchmark_hardware()["network"] == {}
