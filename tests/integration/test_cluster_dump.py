"""Cluster dumps: written by a client or by the scheduler, and read back."""

import asyncio

import pytest
import yaml

from dagrpc import Client, wait
from dagrpc.cluster_dump import DumpArtefact


def inc(x):
    return x + 1


def fail(x):
    raise ZeroDivisionError("for the dump")


@pytest.fixture
def work(client):
    tag = object()
    done = client.map(inc, range(3), key=[f"dump-{id(tag)}-{i}" for i in range(3)])
    tupled = client.submit(inc, 5, key=("dump-part", id(tag)))
    failed = client.submit(fail, 1, key=f"dump-failed-{id(tag)}")
    wait([*done, tupled, failed])
    return done, tupled, failed


@pytest.mark.parametrize("format", ["msgpack", "yaml"])
def test_written_and_read(client, work, tmp_path, format):
    done, tupled, failed = work
    path = tmp_path / "new" / "dump"
    assert client.dump_cluster_state(str(path), format=format) is None
    file = f"{path}.{'msgpack.gz' if format == 'msgpack' else 'yaml'}"
    dump = DumpArtefact.from_url(file)
    assert set(dump) == {"scheduler", "workers", "versions"}
    assert set(dump["workers"]) == set(client.nthreads())
    assert dump["scheduler"]["address"] == client.scheduler.address
    assert "dask" in dump["versions"]["client"]["packages"]
    assert dump["scheduler"]["clients"][client.id]["wants_what"]
    assert dump.missing_workers() == []
    key = done[0].key
    assert [entry[1:3] for entry in dump.scheduler_story(key)[key]][-1] == ("processing", "memory")
    assert [entry[2] for entry in dump.worker_story(key)[key]][-1] == "memory"
    assert {entry[0] for entry in dump.scheduler_story(tupled.key)[tupled.key]} == {str(tupled.key)}
    states = {task["key"]: task["state"] for task in dump.scheduler_tasks_in_state()}
    assert states[key] == "memory"
    assert failed.key in {task["key"] for task in dump.scheduler_tasks_in_state("erred")}
    assert key in {task["key"] for task in dump.worker_tasks_in_state("memory")}
    assert len(dump.worker_tasks_in_state()) >= len(dump.worker_tasks_in_state("memory"))
    assert "2 workers" in repr(dump)


def test_single_files(client, work, tmp_path):
    client.dump_cluster_state(str(tmp_path / "dump"), format="yaml", exclude=["transition_log", "config"])
    dump = DumpArtefact.from_url(str(tmp_path / "dump.yaml"))
    assert "transition_log" not in dump["scheduler"]
    assert dump.scheduler_story("x") == {"x": []}
    dump.to_yamls(tmp_path / "files")
    assert work[0][0].key in yaml.safe_load((tmp_path / "files" / "scheduler" / "tasks.yaml").read_text())
    workers = [path for path in (tmp_path / "files").iterdir() if path.name != "scheduler"]
    assert len(workers) == 2
    assert all(
        {path.name for path in worker.iterdir()} == {"general.yaml", "log.yaml", "tasks.yaml"} for worker in workers
    )


def test_written_where_the_scheduler_is(process_cluster, tmp_path):
    with Client(process_cluster) as client:
        client.submit(inc, 1).result()
        client.dump_cluster_state(f"file://{tmp_path}/there", write_from_scheduler=True, format="yaml")
        dump = DumpArtefact.from_url(f"file://{tmp_path}/there.yaml")
        assert len(dump["workers"]) == 2
        # The scheduler writes the dump through a client of its own, in addition to this one.
        assert client.id in dump["scheduler"]["clients"]


def test_workers_that_cannot_be_asked():
    dump = DumpArtefact(
        {
            "scheduler": {"address": "s:1", "workers": {"a:1": {}, "b:1": {}}},
            "workers": {"a:1": {"id": "A"}, "b:1": "gone"},
        }
    )
    assert dump.missing_workers() == ["b:1"]
    assert dump.worker_tasks_in_state() == []


def test_impossible_dumps_are_refused(client, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="Unsupported format 'json'"):
        client.dump_cluster_state(str(tmp_path / "dump"), format="json")
    with pytest.raises(ValueError, match="suffix"):
        DumpArtefact.from_url(str(tmp_path / "dump"))
    monkeypatch.setitem(__import__("sys").modules, "msgpack", None)
    with pytest.raises(ImportError, match="format='yaml'"):
        client.dump_cluster_state(str(tmp_path / "dump"))
    (tmp_path / "taken").write_text("")
    with pytest.raises(OSError, match="taken"):
        client.dump_cluster_state(str(tmp_path / "taken" / "dump"), format="yaml")


def test_on_an_event_loop(shared_cluster, tmp_path):
    async def main():
        async with Client(shared_cluster.scheduler_address, asynchronous=True) as client:
            await client.dump_cluster_state(str(tmp_path / "dump"), format="yaml")

    asyncio.run(main())
    assert DumpArtefact.from_url(str(tmp_path / "dump.yaml"))["scheduler"]["type"] == "Scheduler"
