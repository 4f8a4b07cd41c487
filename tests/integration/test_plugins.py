"""Plugins reach all present and future workers and nannies."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dagrpc import Client, LocalCluster, Scheduler, Worker
from dagrpc.plugins.base import NannyPlugin, WorkerPlugin

pytestmark = pytest.mark.timeout(180)


def told(path: Path) -> list[str]:
    """Return the lines that plugins wrote."""
    return path.read_text().splitlines() if path.exists() else []


class Note(WorkerPlugin):
    """Writes down what happens to it."""

    def __init__(self, path: Path, text: str = "") -> None:
        self.path = path
        self.text = text

    def write(self, what: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{what}{self.text}\n")

    def setup(self, worker: Any) -> Any:
        self.write("+")

    def teardown(self, worker: Any) -> Any:
        self.write("-")


class AsyncNote(Note):
    async def setup(self, worker: Any) -> None:
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is worker.loop
        self.write("+")

    async def teardown(self, worker: Any) -> None:
        await asyncio.sleep(0)
        self.write("-")


class Kept(Note):
    name = "kept"
    idempotent = True


class Broken(WorkerPlugin):
    name = "broken"

    def setup(self, worker: Any) -> None:
        raise ZeroDivisionError("by the plugin")


class BrokenAtTheEnd(WorkerPlugin):
    name = "broken-at-the-end"

    def teardown(self, worker: Any) -> None:
        raise KeyError("of the plugin")


class Marked(WorkerPlugin):
    name = "marked"

    def setup(self, worker: Any) -> None:
        worker.mark = 42


def mark(dask_worker: Any) -> Any:
    return getattr(dask_worker, "mark", None)


@pytest.fixture
def fresh(fresh_cluster: LocalCluster) -> Iterator[Client]:
    with Client(fresh_cluster) as client:
        yield client


@pytest.mark.parametrize("kind", [Note, AsyncNote])
def test_a_plugin_is_set_up_and_torn_down(kind: type[Note], tmp_path: Path) -> None:
    path = tmp_path / "notes"
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        answer = client.register_plugin(kind(path), name="note")
        assert answer == {address: {"status": "OK"} for address in client.nthreads()}
        assert told(path) == ["+", "+"]
        assert client.run(lambda dask_worker: list(dask_worker.plugins)) == {w: ["note"] for w in answer}
        assert client.unregister_worker_plugin("note") == answer
        assert told(path) == ["+", "+", "-", "-"]
        assert client.run(lambda dask_worker: list(dask_worker.plugins)) == {w: [] for w in answer}
        client.register_plugin(kind(path))
    # The closing cluster tears it down, too.
    assert told(path) == ["+", "+", "-", "-", "+", "+", "-", "-"]


def test_one_of_the_same_name_takes_the_place(fresh: Client, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    fresh.register_plugin(Note(path, "1"), name="note")
    fresh.register_plugin(Note(path, "2"), name="note")
    notes = told(path)
    assert sorted(notes) == ["+1", "+1", "+2", "+2", "-1", "-1"]
    # The former goes before the new one comes.
    assert notes.index("-1") < notes.index("+2")


def test_an_idempotent_one_is_kept(fresh: Client, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    assert len(fresh.register_plugin(Kept(path, "1"))) == 2
    assert fresh.register_plugin(Kept(path, "2")) == {}
    assert told(path) == ["+1", "+1"]


def test_plugins_without_names_do_not_replace_each_other(fresh: Client, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    fresh.register_plugin(Note(path, "1"))
    fresh.register_worker_plugin(Note(path, "2"))
    assert sorted(told(path)) == ["+1", "+1", "+2", "+2"]


def test_new_workers_get_all_in_order(fresh: Client, fresh_cluster: LocalCluster, tmp_path: Path) -> None:
    for text in "abc":
        fresh.register_plugin(Note(tmp_path / "notes", text), name=text)
    fresh.register_plugin(Note(tmp_path / "notes", "B"), name="b")
    before = len(told(tmp_path / "notes"))
    fresh_cluster.scale(3)
    fresh.wait_for_workers(3, timeout=60)
    assert told(tmp_path / "notes")[before:] == ["+a", "+c", "+B"]


def test_a_failing_setup_is_told_and_the_plugin_stays(fresh: Client, fresh_cluster: LocalCluster) -> None:
    with pytest.raises(ZeroDivisionError, match="by the plugin"):
        fresh.register_plugin(Broken())
    assert set(fresh.run(lambda dask_worker: "broken" in dask_worker.plugins).values()) == {True}
    # Those who come later fail, too, and do without it.
    fresh_cluster.scale(3)
    fresh.wait_for_workers(3, timeout=60)
    assert fresh.submit(sum, [1, 2]).result(timeout=30) == 3
    assert fresh.unregister_worker_plugin("broken").keys() == fresh.nthreads().keys()


def test_a_failing_teardown_is_told(fresh: Client) -> None:
    fresh.register_plugin(BrokenAtTheEnd())
    with pytest.raises(KeyError, match="of the plugin"):
        fresh.unregister_worker_plugin("broken-at-the-end")
    with pytest.raises(ValueError, match="broken-at-the-end does not exist"):
        fresh.unregister_worker_plugin("broken-at-the-end")


def test_an_object_that_is_no_plugin_is_refused(client: Client) -> None:
    class Duck:
        def setup(self, worker: Any) -> None: ...

    for wrong in (Note, 5, Duck()):
        with pytest.raises(TypeError, match="plugin"):
            client.register_plugin(wrong)
    with pytest.raises(ValueError, match="nanny plugin nobody does not exist"):
        client.unregister_worker_plugin("nobody", nanny=True)
    with pytest.raises(TypeError, match="does not fit"):
        client.register_worker_plugin(Marked(), nanny=True)
    with pytest.raises(ValueError, match="the most that can be sent"):
        client.register_plugin(Note(Path(), "x" * 70_000_000))


def test_callbacks_are_called_on_all_workers(fresh: Client, fresh_cluster: LocalCluster) -> None:
    def prepare(dask_worker: Any) -> None:
        dask_worker.mark = dask_worker.name

    fresh.register_worker_callbacks(prepare)
    fresh_cluster.scale(3)
    fresh.wait_for_workers(3, timeout=60)
    assert sorted(fresh.run(mark).values()) == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        fresh.register_worker_callbacks(lambda: 1 / 0)


def test_from_an_event_loop_and_from_a_task(fresh_cluster: LocalCluster, tmp_path: Path) -> None:
    async def on_a_loop() -> None:
        async with Client(fresh_cluster, asynchronous=True) as client:
            assert len(await client.register_plugin(Marked())) == 2
            assert set((await client.run(mark)).values()) == {42}
            await client.unregister_worker_plugin("marked")

    asyncio.run(on_a_loop())

    def task() -> int:
        from dagrpc import get_client

        return len(get_client().register_plugin(Marked()))

    with Client(fresh_cluster) as client:
        assert client.submit(task).result(timeout=60) == 2


class Watcher(WorkerPlugin):
    name = "watcher"

    def setup(self, worker: Any) -> None:
        worker.seen = []
        self.worker = worker

    def transition(self, key: Any, start: str, finish: str, **kwargs: Any) -> None:
        self.worker.seen.append((key, start, finish))
        if key == "fails":
            raise RuntimeError("of the watcher")


def seen(dask_worker: Any) -> Any:
    return dask_worker.seen


def test_transitions_are_told_in_order(fresh: Client) -> None:
    fresh.register_plugin(Watcher())
    (worker, other) = fresh.nthreads()
    first = fresh.submit(sum, [1, 2], key=("first", 1), workers=[worker])
    failing = fresh.submit(lambda: 1 / 0, key="fails", workers=[worker])
    assert fresh.submit(lambda x: x + 1, first, key="second", workers=[worker]).result(timeout=30) == 4
    assert isinstance(failing.exception(timeout=30), ZeroDivisionError)
    told = fresh.run(seen, workers=[worker])[worker]
    of = {key: [(start, finish) for each, start, finish in told if each == key] for key, _, _ in told}
    assert [finish for _, finish in of["first", 1]][-3:] == ["ready", "executing", "memory"]
    assert of["fails"][-1] == ("executing", "error") or ("executing", "error") in of["fails"]
    assert of["second"][0][0] == "released"
    assert fresh.run(seen, workers=[other]) == {other: []}
    fresh.unregister_worker_plugin("watcher")
    before = len(fresh.run(seen, workers=[worker])[worker])
    assert fresh.submit(sum, [1, 5], workers=[worker]).result(timeout=30) == 6
    assert len(fresh.run(seen, workers=[worker])[worker]) == before


def test_a_worker_as_an_object_has_plugins_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "notes"

    async def main() -> list[str]:
        async with Scheduler() as scheduler, Worker(scheduler.address, nthreads=1, plugins=[Note(path, "1")]) as worker:
            await worker.plugin_add(AsyncNote(path, "2"), name="second")
            await worker.plugin_add(AsyncNote(path, "3"), name="second")
            async with Client(scheduler.address, asynchronous=True) as client:
                await client.register_plugin(Note(path, "4"), name="fourth")
            await worker.plugin_remove("fourth")
            return list(worker.plugins)

    names = asyncio.run(main())
    assert [name.partition("-")[0] for name in names] == ["Note", "second"]
    assert told(path) == ["+1", "+2", "-2", "+3", "+4", "-4", "-1", "-3"]


# --- processes ---------------------------------------------------------------------------------------------------


class Variable(NannyPlugin):
    name = "variable"
    restart = True

    def setup(self, nanny: Any) -> None:
        nanny.env["PLUGIN_TEST"] = "set"

    def teardown(self, nanny: Any) -> None:
        del nanny.env["PLUGIN_TEST"]


class BrokenNannyPlugin(NannyPlugin):
    name = "broken"

    def setup(self, nanny: Any) -> None:
        raise RuntimeError("in the nanny")


def variable() -> str | None:
    return os.environ.get("PLUGIN_TEST")


def test_restarted_workers_have_their_plugins_before_their_first_task(process_cluster: LocalCluster) -> None:
    with Client(process_cluster) as client:
        client.register_plugin(Marked())
        assert set(client.run(mark).values()) == {42}
        client.restart(timeout=60)

        def ask() -> Any:
            from dagrpc import get_worker

            return get_worker().mark, list(get_worker().plugins)

        assert {tuple(map(str, f.result(timeout=60))) for f in client.map(lambda _: ask(), range(8), pure=False)} == {
            ("42", "['marked']")
        }


def test_plugins_of_nannies(process_cluster: LocalCluster) -> None:
    with Client(process_cluster) as client:
        pids = set(client.run(os.getpid).values())
        assert len(client.register_plugin(Variable())) == 2
        # The workers were restarted with the variable.
        assert pids.isdisjoint(client.run(os.getpid).values())
        assert set(client.run(variable).values()) == {"set"}
        assert set(client.run(lambda dask_worker: list(dask_worker.plugins) == ["variable"], nanny=True).values()) == {
            True
        }
        # A new nanny has it before its worker joins.
        process_cluster.scale(3)
        client.wait_for_workers(3, timeout=60)
        assert set(client.run(variable).values()) == {"set"}
        client.unregister_worker_plugin("variable", nanny=True)
        client.restart(timeout=60)
        assert set(client.run(variable).values()) == {None}
        with pytest.raises(RuntimeError, match="in the nanny"):
            client.register_plugin(BrokenNannyPlugin())
        client.restart(timeout=60)
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3
