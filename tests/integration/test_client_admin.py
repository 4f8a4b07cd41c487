"""Queries about the cluster, and commands to it."""

import os
import time

import pytest

from dagrpc import Client, FutureCancelledError, LocalCluster, WorkerStartTimeoutError, wait


def inc(x):
    return x + 1


def fail_on(address, dask_worker=None):
    if dask_worker.address == address:
        raise ZeroDivisionError("here")
    return "fine"


def test_run(client):
    workers = set(client.nthreads())
    assert client.run(os.getpid) == dict.fromkeys(workers, os.getpid())
    assert client.run(int, "ff", base=16) == dict.fromkeys(workers, 255)
    assert client.run(lambda dask_worker: dask_worker.address) == {address: address for address in workers}
    one = next(iter(workers))
    assert client.run(lambda: 1, workers=[one]) == client.run(lambda: 1, workers=one) == {one: 1}
    assert client.run(lambda: 1, workers=[]) == {}
    assert client.run(lambda: 1, wait=False) is None

    async def coroutine(x):
        return x

    assert client.run(coroutine, 3) == dict.fromkeys(workers, 3)


def test_errors_of_run(client):
    first, second = client.nthreads()
    with pytest.raises(ZeroDivisionError, match="here"):
        client.run(fail_on, first)
    returned = client.run(fail_on, first, on_error="return")
    assert isinstance(returned[first], ZeroDivisionError)
    assert returned[second] == "fine"
    assert client.run(fail_on, first, on_error="ignore") == {second: "fine"}
    with pytest.raises(ValueError, match="on_error"):
        client.run(inc, 1, on_error="shrug")
    with pytest.raises(ValueError, match="nowhere"):
        client.run(inc, 1, workers=["nowhere"])


def test_run_on_scheduler(client):
    assert client.run_on_scheduler(lambda x: x + 1, 1) == 2
    assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler is not None) is True
    with pytest.raises(ZeroDivisionError):
        client.run_on_scheduler(lambda: 1 / 0)


def test_who_has_what(client):
    futures = client.map(inc, range(6))
    wait(futures)
    who = client.who_has(futures)
    assert set(who) == {future.key for future in futures}
    what = client.has_what()
    for key, addresses in who.items():
        for address in addresses:
            assert key in what[address]
    assert client.who_has([]) == {}
    assert set(client.who_has()) >= set(who)
    one = next(iter(what))
    assert set(client.has_what(one)) == set(client.has_what([one])) == {one}


def test_processing(client):
    slow = client.submit(time.sleep, 0.5, pure=False)
    time.sleep(0.1)
    busy = client.processing()
    assert [key for keys in busy.values() for key in keys] == [slow.key]
    assert set(busy) == set(client.nthreads())


def test_scheduler_info(client):
    info = client.scheduler_info()
    assert info["type"] == "Scheduler"
    assert info["address"] == client.scheduler.address
    assert (info["n_workers"], info["total_threads"]) == (2, 4)
    assert set(info["workers"]) == set(client.nthreads()) == set(client.ncores())
    worker = next(iter(info["workers"].values()))
    assert worker["nthreads"] == 2
    assert worker["status"] == "running"
    assert {"host", "resources", "local_directory", "name", "memory_limit", "last_seen", "metrics", "nanny"} <= set(
        worker
    )
    assert client.scheduler_info(n_workers=0)["workers"] == {}
    assert client.nthreads(list(client.nthreads())[:1]) == dict(list(client.nthreads().items())[:1])


def test_wait_for_workers(client):
    assert client.wait_for_workers(2) is None
    with pytest.raises(WorkerStartTimeoutError, match="2/5") as info:
        client.wait_for_workers(5, timeout="100 ms")
    assert (info.value.available_workers, info.value.expected_workers) == (2, 5)
    assert isinstance(info.value, TimeoutError)
    for wrong in (0, -1, 1.5, "2", True):
        with pytest.raises(ValueError, match="positive"):
            client.wait_for_workers(wrong)


def test_retire_workers(fresh_cluster):
    with Client(fresh_cluster) as client:
        futures = client.map(inc, range(10))
        wait(futures)
        gone, stays = client.nthreads()
        retired = client.retire_workers([gone])
        assert set(retired) == {gone}
        assert retired[gone]["nthreads"] == 1
        assert set(client.nthreads()) == {stays}
        assert client.gather(futures) == list(range(1, 11))
        # The last one holds what nobody can take.
        assert client.retire_workers() == {}
        assert set(client.nthreads()) == {stays}
        with pytest.raises(TypeError, match="nonsense"):
            client.retire_workers(nonsense=2)


def test_restart(process_cluster):
    with Client(process_cluster) as client:
        before = client.run(os.getpid)
        done, pending = client.submit(inc, 1), client.submit(time.sleep, 60, pure=False)
        done.result()
        assert client.restart(timeout=60) is None
        for future in (done, pending):
            assert future.status == "cancelled"
            with pytest.raises(FutureCancelledError, match="scheduler-restart"):
                future.result()
        after = client.run(os.getpid)
        assert len(after) == 2
        assert not set(after.values()) & set(before.values())
        assert client.submit(inc, 1).result(timeout=60) == 2


def test_restart_workers(process_cluster):
    with Client(process_cluster) as client:
        before = client.run(os.getpid)
        futures = client.map(pow, range(20), [2] * 20)
        wait(futures)
        name = next(iter(before))
        assert set(client.restart_workers([name], timeout=60).values()) == {"OK"}
        after = client.run(os.getpid)
        assert len(after) == 2
        assert len(set(after.values()) & set(before.values())) == 1
        assert client.gather(futures) == [i**2 for i in range(20)]
        with pytest.raises(ValueError, match="nowhere"):
            client.restart_workers(["nowhere"])
        assert client.restart_workers([]) == {}


def test_run_in_nannies(process_cluster):
    with Client(process_cluster) as client:
        workers, nannies = client.run(os.getpid), client.run(os.getpid, nanny=True)
        assert set(workers) == set(nannies)
        assert not set(workers.values()) & set(nannies.values())


def test_shutdown():
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False)
    client = Client(cluster.scheduler_address)
    assert client.submit(inc, 1).result() == 2
    client.shutdown()
    assert client.status == "closed"
    with pytest.raises(OSError, match=cluster.scheduler_address):
        Client(cluster.scheduler_address, timeout=0.5)
    cluster.close()
