"""Attributes of workers and nannies, for code that runs there: `get_worker()`, ``dask_worker`` of `Client.run`."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.parity.functions import identity, inc

PATIENCE = 60.0


def on_one(client: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
    """Run a function on one worker."""
    one = sorted(client.nthreads())[0]
    return client.run(function, *args, workers=[one], **kwargs)[one]


def test_where_a_worker_is(client: Any) -> None:
    def look(dask_worker: Any) -> Any:
        return dask_worker.host, dask_worker.ip, dask_worker.port, dask_worker.contact_address == dask_worker.address

    host, ip, port, same = on_one(client, look)
    assert (host, ip, same) == ("127.0.0.1", "127.0.0.1", True)
    assert sorted(client.nthreads())[0].endswith(f":{port}")


def test_the_keys_of_a_worker(client: Any) -> None:
    one = sorted(client.nthreads())[0]
    future = client.submit(identity, 1, key="held-here", workers=[one])
    future.result(timeout=PATIENCE)

    def look(dask_worker: Any) -> Any:
        return dask_worker.keys(), dask_worker.active_keys, dask_worker.active_threads

    keys, active, threads = on_one(client, look)
    assert type(keys) is list
    assert "held-here" in keys
    assert (type(active), type(threads)) == (set, dict)


def test_a_task_finds_itself(client: Any, lib: Any) -> None:
    def look() -> Any:
        import threading

        worker = lib.get_worker()
        threads = worker.active_threads
        thread = threading.get_ident()
        # What others have cancelled may still run.
        return "finds-itself" in worker.active_keys, threads[thread], worker.thread_id != thread

    assert client.submit(look, key="finds-itself").result(timeout=PATIENCE) == (True, "finds-itself", True)


def test_the_executor(client: Any) -> None:
    def submit(dask_worker: Any) -> Any:
        from concurrent.futures import Executor

        executor = dask_worker.executor
        broken = executor.submit(lambda: 1 / 0)
        return (
            isinstance(executor, Executor),
            executor is dask_worker.executors["default"],
            executor.submit(sum, [1, 2]).result(60),
            list(executor.map(abs, [-1, -2])),
            type(broken.exception(60)),
        )

    assert on_one(client, submit) == (True, True, 3, [1, 2], ZeroDivisionError)
    assert client.submit(inc, 1, pure=False).result(timeout=PATIENCE) == 2


def test_logs_and_versions(client: Any) -> None:
    def look(dask_worker: Any) -> Any:
        import logging

        for number in range(3):
            logging.getLogger("distributed.worker").warning("line %d", number)
        return dask_worker.get_logs(n=2), dask_worker.get_logs(start=1, n=2), dask_worker.versions()

    logs, second, versions = on_one(client, look)
    assert [level for level, _ in logs] == ["WARNING", "WARNING"]
    assert [text.endswith(end) for (_, text), end in zip(logs, ("line 2", "line 1"), strict=True)] == [True, True]
    assert second == logs
    assert set(versions) == {"host", "packages"}
    assert {"python", "OS", "python-bits"} <= set(versions["host"])
    assert isinstance(versions["host"]["python-bits"], int)
    assert versions["packages"]["dask"]


def test_resources_of_the_process(client: Any) -> None:
    def look(dask_worker: Any) -> Any:
        monitor = dask_worker.monitor
        monitor.recent()
        return monitor.recent(), monitor.count, monitor.range_query(monitor.count - 1), set(monitor.quantities)

    recent, count, last, quantities = on_one(client, look)
    assert {"cpu", "memory", "time", "num_fds"} <= set(recent)
    assert recent["memory"] > 1_000_000
    assert count >= 1
    assert last["memory"][0] > 1_000_000
    assert set(recent) == quantities


def test_metrics(own_client: Any) -> None:
    async def look(dask_worker: Any) -> Any:
        return await dask_worker.get_metrics()

    found = on_one(own_client, look)
    names = {"task_counts", "spilled_bytes", "transfer", "managed_bytes", "cpu", "memory", "event_loop_interval"}
    assert names <= set(found)
    assert set(found["spilled_bytes"]) == {"memory", "disk"}
    assert {"incoming_bytes", "incoming_count", "outgoing_bytes", "outgoing_count"} <= set(found["transfer"])


def test_a_metric_that_is_added(own_client: Any) -> None:
    def add(dask_worker: Any) -> None:
        dask_worker.metrics["answer"] = lambda worker: worker.nthreads if hasattr(worker, "nthreads") else 1

    own_client.run(add)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        workers = own_client.scheduler_info()["workers"].values()
        if all(worker["metrics"].get("answer") == 1 for worker in workers):
            break
        time.sleep(0.05)
    assert [worker["metrics"]["answer"] for worker in workers] == [1, 1]


def test_memory_limits(client: Any) -> None:
    def look(dask_worker: Any) -> Any:
        manager = dask_worker.memory_manager
        return (
            manager.memory_limit,
            manager.memory_target_fraction,
            manager.memory_spill_fraction,
            manager.memory_pause_fraction,
            manager.max_spill,
        )

    limit, *rest = on_one(client, look)
    assert limit > 1_000_000
    assert rest == [0.6, 0.7, 0.8, False]


def test_settings_of_a_worker(client: Any) -> None:
    def look(dask_worker: Any) -> Any:
        return (
            dask_worker.lifetime,
            dask_worker.lifetime_restart,
            dask_worker.startup_information,
            dask_worker.heartbeat_interval > 0,
            type(dask_worker.extensions),
            type(dask_worker.services),
            type(dask_worker.security).__name__,
            dask_worker.transfer_outgoing_count >= 0,
            dask_worker.transfer_outgoing_bytes >= 0,
            dask_worker.bandwidth > 0,
            dask_worker.latency >= 0,
        )

    assert on_one(client, look) == (None, False, {}, True, dict, dict, "Security", True, True, True, True)


def test_extensions_keep_what_is_put_into_them(client: Any) -> None:
    def put(dask_worker: Any) -> None:
        dask_worker.extensions["mine"] = 5

    def get(dask_worker: Any) -> Any:
        return dask_worker.extensions.pop("mine")

    on_one(client, put)
    assert on_one(client, get) == 5


def test_the_story_of_a_task(client: Any) -> None:
    one = sorted(client.nthreads())[0]
    client.submit(inc, 1, key="has-a-story", workers=[one]).result(timeout=PATIENCE)

    async def look(dask_worker: Any) -> Any:
        return await dask_worker.get_story(keys_or_stimuli=["has-a-story"])

    story = on_one(client, look)
    assert any(entry[0] == "has-a-story" and "memory" in entry for entry in story)


def test_stacks_and_profiles(client: Any) -> None:
    one = sorted(client.nthreads())[0]
    future = client.submit(time.sleep, 30, key="stands-still", workers=[one])

    async def look(dask_worker: Any) -> Any:
        return dask_worker.get_call_stack(keys=["stands-still"]), await dask_worker.get_profile()

    deadline = time.monotonic() + PATIENCE
    stacks: Any = {}
    while not stacks and time.monotonic() < deadline:
        stacks, profile = on_one(client, look)
    assert set(stacks) == {"stands-still"}
    assert all(isinstance(frame, str) for frame in stacks["stands-still"])
    assert {"count", "children", "identifier", "description"} == set(profile)
    future.cancel()


def test_a_file_that_is_uploaded(client: Any) -> None:
    async def upload(dask_worker: Any) -> Any:
        answer = await dask_worker.upload_file(filename="uploaded_by_a_plugin.py", data=b"number = 7\n")
        return answer

    def use() -> Any:
        import importlib

        return importlib.import_module("uploaded_by_a_plugin").number

    assert on_one(client, upload) == {"status": "OK", "nbytes": 11}
    assert on_one(client, use) == 7


def test_a_task_as_the_worker_knows_it(client: Any) -> None:
    one = sorted(client.nthreads())[0]
    client.submit(inc, 1, key="is-known", workers=[one]).result(timeout=PATIENCE)

    def look(dask_worker: Any) -> Any:
        task = dask_worker.state.tasks["is-known"]
        return (
            task.state,
            task.type,
            task.done,
            task.run_id > -1,
            task.waiting_for_data,
            task.waiters,
            task.coming_from,
        )

    future = client.submit(inc, 1, key="is-known", workers=[one])
    future.result(timeout=PATIENCE)
    assert on_one(client, look) == ("memory", int, True, True, set(), set(), None)


@pytest.mark.parametrize("nanny", [False, True])
def test_servers_of_this_process(client: Any, lib: Any, nanny: bool) -> None:
    workers = set(client.nthreads())

    def look() -> Any:
        # Nannies may live in this process, beside workers of earlier tests that have yet to be collected.
        mine = [worker for worker in lib.Worker._instances if worker.address in workers]
        return bool(mine), bool(lib.Nanny._instances)

    found = set(client.run(look, nanny=nanny).values())
    assert found == ({(False, True)} if nanny else {(True, False)})


# --- nannies -----------------------------------------------------------------------------------------------------


def test_attributes_of_a_nanny(client: Any) -> None:
    def look(dask_worker: Any) -> Any:
        import os

        nanny = dask_worker
        identity = nanny.identity()
        return {
            "class": type(nanny).__name__,
            "type": identity["type"],
            "id": nanny.id == identity["id"] and nanny.id.startswith("Nanny-"),
            "status": nanny.status.name,
            "name": nanny.name in (0, 1),
            "host": nanny.host,
            "port": nanny.address.endswith(f":{nanny.port}"),
            "listens": nanny.listen_address == nanny.address == nanny.address_safe,
            "worker": nanny.worker_address,
            "scheduler": nanny.scheduler_addr,
            "alive": (nanny.is_alive(), nanny.process.is_alive(), nanny.pid == nanny.process.pid),
            "another process": nanny.pid != os.getpid(),
            "nthreads": nanny.nthreads,
            "told": (nanny.resources, nanny.death_timeout, nanny.contact_address, nanny.services),
            "directory": os.path.isdir(nanny.local_directory) and nanny.worker_dir.startswith(nanny.local_directory),
            "limit": nanny.memory_manager.memory_limit > 1_000_000,
            "dicts": (type(nanny.env), type(nanny.config), type(nanny.worker_kwargs), type(nanny.plugins)),
            "preload": (nanny.preload, nanny.preload_argv),
            "versions": set(nanny.versions()),
            "security": type(nanny.security).__name__,
        }

    one = sorted(client.nthreads())[0]
    assert on_one(client, look, nanny=True) == {
        "class": "Nanny",
        "type": "Nanny",
        "id": True,
        "status": "running",
        "name": True,
        "host": "127.0.0.1",
        "port": True,
        "listens": True,
        "worker": one,
        "scheduler": client.scheduler.address,
        "alive": (True, True, True),
        "another process": True,
        "nthreads": 2,
        "told": (None, None, None, {}),
        "directory": True,
        "limit": True,
        "dicts": (dict, dict, dict, dict),
        "preload": ([], []),
        "versions": {"host", "packages"},
        "security": "Security",
    }


def test_a_nanny_calls_the_scheduler(client: Any) -> None:
    async def look(dask_worker: Any) -> Any:
        dask_worker.log_event("from-a-nanny", {"pid": dask_worker.pid})
        return await dask_worker.scheduler.ncores(), dask_worker.pid

    threads, pid = on_one(client, look, nanny=True)
    assert threads == client.nthreads()
    deadline = time.monotonic() + PATIENCE
    while not client.get_events("from-a-nanny") and time.monotonic() < deadline:
        time.sleep(0.05)
    (event,) = client.get_events("from-a-nanny")
    assert event[1]["pid"] == pid


def test_a_nanny_starts_and_stops_its_worker(own_client: Any) -> None:
    def color() -> Any:
        import os

        return os.environ.get("COLOR_OF_A_TEST")

    async def paint(dask_worker: Any) -> Any:
        before = dask_worker.pid
        dask_worker.env["COLOR_OF_A_TEST"] = "red"
        await dask_worker.kill()
        dead = dask_worker.is_alive()
        status = await dask_worker.instantiate()
        return dead, status.name, dask_worker.pid != before

    assert set(own_client.run(paint, nanny=True).values()) == {(False, "running", True)}
    own_client.wait_for_workers(2, timeout=PATIENCE)
    assert set(own_client.run(color).values()) == {"red"}


def test_plugins_and_functions_get_the_same_nanny(own_client: Any, lib: Any) -> None:
    class Marks(lib.NannyPlugin):  # type: ignore[misc, name-defined, unused-ignore]
        def setup(self, nanny: Any) -> None:
            nanny.marked_by = type(nanny).__name__

    own_client.register_plugin(Marks(), name="marks")
    answers = own_client.run(lambda dask_worker: (dask_worker.marked_by, list(dask_worker.plugins)), nanny=True)
    assert set(map(repr, answers.values())) == {repr(("Nanny", ["marks"]))}
