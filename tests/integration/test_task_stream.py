"""The task stream records the worker and the time of each task."""

from __future__ import annotations

import asyncio
import time

import pytest

from dagrpc import Client, LocalCluster, get_task_metadata, get_task_stream, wait
from tests.support.waiting import eventually


def inc(x):
    return x + 1


def add(*numbers):
    return sum(numbers)


def fail(x):
    raise ValueError(f"not {x}")


async def later(x):
    await asyncio.sleep(0.01)
    return x


def test_runs_before_the_first_question_are_reported_once(fresh_cluster):
    keys = {f"inc-before-{number}" for number in range(10)}
    with Client(fresh_cluster) as client:
        wait([client.submit(inc, 1, key=key) for key in sorted(keys)])
        assert {task["key"] for task in client.get_task_stream()} == keys
        wait(client.submit(inc, 1, key="inc-after"))
        for _ in range(2):
            found = [task["key"] for task in client.get_task_stream()]
            assert len(found) == 11
            assert set(found) == {*keys, "inc-after"}
    with Client(fresh_cluster) as other:
        # What was told to another client is there as well.
        found = [task["key"] for task in other.get_task_stream()]
        assert len(found) == 11
        assert set(found) == {*keys, "inc-after"}


def test_a_block_has_nothing_of_what_ran_before_it(fresh_cluster):
    with Client(fresh_cluster) as client:
        wait(client.submit(inc, 1, key="inc-before"))
        with get_task_stream(client) as recorded:
            wait(client.submit(inc, 1, key="inc-within"))
            assert {task["key"] for task in client.get_task_stream()} >= {"inc-before", "inc-within"}
        assert [task["key"] for task in recorded.data] == ["inc-within"]


def test_fields_of_a_record(client):
    with get_task_stream(client) as recorded:
        before = time.time()
        future = client.submit(inc, 1, key=("inc-record", 1))
        wait(future)
        after = time.time()
    (task,) = recorded.data
    assert recorded.figure is None
    assert task["key"] == ("inc-record", 1)
    assert task["name"] == "inc-record"
    assert task["worker"] in client.nthreads()
    assert task["status"] == "OK"
    assert task["nbytes"] == 28
    assert (task["type"], task["typename"]) == ("builtins.int", "int")
    assert isinstance(task["thread"], int)
    (activity,) = task["startstops"]
    assert activity["action"] == "compute"
    assert before <= activity["start"] <= activity["stop"] <= after


def test_failed_tasks_and_coroutines_are_recorded(client):
    with get_task_stream(client) as recorded:
        wait([client.submit(fail, "this", key="fail-1"), client.submit(later, 1, key="later-1")])
    tasks = {task["key"]: task for task in recorded.data}
    assert tasks.keys() == {"fail-1", "later-1"}
    assert tasks["fail-1"]["status"] == "error"
    assert tasks["fail-1"]["exception_text"] == "builtins.ValueError: not this"
    assert tasks["later-1"]["status"] == "OK"


def test_transfers_count_for_the_task_that_uses_what_they_bring(client):
    first, second = client.nthreads()
    with get_task_stream(client) as recorded:
        x = client.submit(inc, 1, key="inc-there", workers=[first])
        y = client.submit(add, x, 1, key="add-here", workers=[second])
        assert y.result() == 3
    (task,) = [task for task in recorded.data if task["key"] == "add-here"]
    transfer, compute = task["startstops"]
    assert (transfer["action"], transfer["source"]) == ("transfer", first)
    assert compute["action"] == "compute"
    assert transfer["start"] <= transfer["stop"] <= compute["start"]


def test_choosing_records(client):
    client.get_task_stream()
    marker = time.time()
    wait(client.map(inc, range(20), pure=False))
    assert len(client.get_task_stream(start=marker)) == 20
    assert len(client.get_task_stream(start=marker, count=3)) == 3
    assert client.get_task_stream(start=marker, count=3) == client.get_task_stream(start=marker)[-3:]
    assert client.get_task_stream(count=0) == client.get_task_stream(count=-1) == ()
    assert client.get_task_stream(stop=marker - 3600) == ()
    assert len(client.get_task_stream(start="1 hour")) >= 20
    with pytest.raises(TypeError, match="count"):
        client.get_task_stream(count="many")
    with pytest.raises(ValueError, match="ever"):
        client.get_task_stream(start="for ever")


def test_a_block_has_its_own_tasks_only(client):
    wait(client.map(inc, range(5), pure=False))
    with get_task_stream(client) as first:
        wait(client.map(inc, range(3), pure=False))
    with get_task_stream(client) as second:
        wait(client.map(inc, range(2), pure=False))
    assert (len(first.data), len(second.data)) == (3, 2)


def test_metadata_of_a_block(client):
    with get_task_metadata() as tasks:
        wait([client.submit(inc, 1, key="inc-meta"), client.submit(fail, 1, key="fail-meta")])
    assert tasks.state == {"inc-meta": "memory", "fail-meta": "erred"}
    assert tasks.metadata == {"inc-meta": None, "fail-meta": None}


def test_on_an_event_loop(shared_cluster):
    async def ask():
        async with Client(shared_cluster, asynchronous=True) as client:
            with pytest.raises(TypeError, match="async with"), get_task_stream(client):
                pass
            async with get_task_stream(client) as recorded:
                await client.submit(inc, 1, key="inc-loop")
            assert [task["key"] for task in recorded.data] == ["inc-loop"]
            return await client.get_task_stream(count=1)

    assert len(asyncio.run(ask())) == 1


def test_workers_that_join_later_record_from_their_start_on(tmp_path):
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, memory_limit=0) as cluster:
        with Client(cluster) as client, get_task_stream(client) as recorded:
            before = set(client.nthreads())
            cluster.scale(2)
            client.wait_for_workers(2, timeout=60)
            (new,) = set(client.nthreads()) - before
            wait(client.submit(inc, 1, workers=[new], pure=False))
        assert [task["worker"] for task in recorded.data] == [new]


def test_many_records_come_in_pieces(client):
    with get_task_stream(client) as recorded:
        wait(client.map(inc, range(12_000), pure=False))
    assert len(recorded.data) == 12_000
    stops = [task["startstops"][-1]["stop"] for task in recorded.data]
    assert stops == sorted(stops)


def test_nothing_is_recorded_after_a_block(fresh_cluster):
    def recorders(dask_worker):
        return dask_worker._service.runner.recorder.on

    def wait_for(client, value):
        eventually(lambda: set(client.run(recorders).values()) == {value})

    with Client(fresh_cluster) as client:
        wait_for(client, False)
        with get_task_stream(client), get_task_stream(client):
            assert set(client.run(recorders).values()) == {True}
        # The next heartbeat tells.
        wait_for(client, False)
        with Client(fresh_cluster, set_as_default=False) as other:
            other.get_task_stream()
            assert set(client.run(recorders).values()) == {True}
        wait_for(client, False)


def test_records_are_complete_while_heartbeats_take_them_too():
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, heartbeat_interval="10 ms", silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        for _ in range(5):
            with get_task_stream(client) as recorded:
                wait(client.map(inc, range(3_000), pure=False))
            assert len(recorded.data) == 3_000
        assert client.run(lambda dask_worker: dask_worker.heartbeat_interval)
        (before,) = (worker["last_seen"] for worker in client.scheduler_info()["workers"].values())
        eventually(lambda: [w["last_seen"] for w in client.scheduler_info()["workers"].values()] > [before])
