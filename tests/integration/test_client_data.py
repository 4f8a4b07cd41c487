"""Transfers of data between client and workers."""

import asyncio
import operator
import os
import queue
import signal
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest

from dagrpc import Client, FutureCancelledError, LocalCluster, wait
from dagrpc.exceptions import UnknownWorkerError

Point = namedtuple("Point", ["x", "y"])


def inc(x):
    return x + 1


# --- scatter -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direct", [None, True, False])
def test_shapes_are_kept(client, direct):
    for data in ([1, 2, 1], (1, 2), {1, 2}, frozenset({1, 2}), {"sa": 1, ("sb", 0): 2}, range(3), Point(1, 2), "text"):
        futures = client.scatter(data, direct=direct)
        assert type(futures) is type(data) or type(data) in (range, str)
        assert client.gather(futures) == (list(data) if isinstance(data, range) else data)
    assert client.scatter([]) == []
    assert client.scatter({}) == {}


def test_a_dicts_keys_name_the_data(client):
    futures = client.scatter({"name-1": 5, ("name", 2): 6})
    assert {name: future.key for name, future in futures.items()} == {"name-1": "name-1", ("name", 2): ("name", 2)}
    assert client.submit(operator.add, *futures.values()).result() == 11
    with pytest.raises(TypeError, match="key"):
        client.scatter({frozenset(): 1})


def test_a_future_of_data_knows_its_type(client):
    future = client.scatter(np.arange(5))
    assert future.status == "finished"
    assert future.type is np.ndarray
    assert future.key.startswith("ndarray-")


def test_equal_data_is_one(client):
    array = np.arange(1_000)
    first, second = client.scatter(array), client.scatter(array.copy())
    assert first.key == second.key
    one, other = client.scatter(array, hash=False), client.scatter(array, hash=False)
    assert one.key != other.key
    assert (other.result() == array).all()


def test_scatter_again_after_letting_go(client):
    for _ in range(20):
        future = client.scatter([7, 8])
        assert client.gather(future) == [7, 8]
        del future


def test_broadcast(client):
    everywhere = set(client.nthreads())
    future = client.scatter("to all", broadcast=True)
    assert set(client.who_has(future)[future.key]) == everywhere
    future = client.scatter("to two", broadcast=2)
    assert len(client.who_has(future)[future.key]) == 2


def test_to_chosen_workers(client):
    for address, info in client.scheduler_info()["workers"].items():
        for workers in (address, [info["name"]], f"tcp://{address}"):
            future = client.scatter(os.urandom(8), workers=workers)
            assert client.who_has(future) == {future.key: (address,)}
    with pytest.raises(UnknownWorkerError, match="nowhere"):
        client.scatter(1, workers="nowhere")
    assert issubclass(UnknownWorkerError, ValueError)


def test_data_that_cannot_be_scattered(client):
    with pytest.raises(TypeError, match="iterators"):
        client.scatter(iter([1]))
    with pytest.raises(TypeError, match="queues"):
        client.scatter(queue.Queue())
    with pytest.raises(TypeError, match="Could not pickle"):
        client.scatter([(x for x in "ab")], hash=False)


def test_no_workers_to_scatter_to():
    # The call would hang if its own timeout did not count.
    with (
        LocalCluster(n_workers=0, processes=False) as cluster,
        Client(cluster, timeout="1h") as client,
        pytest.raises(TimeoutError, match="orkers"),
    ):
        client.scatter(1, timeout="200 ms")


def test_workers_may_come_meanwhile():
    with LocalCluster(n_workers=0, processes=False) as cluster, Client(cluster) as client:
        cluster.scale(1)
        assert client.scatter(5, timeout=60).result() == 5


# --- gather ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direct", [None, True, False])
def test_large_values(client, direct):
    futures = client.map(np.ones, [1_000, 300_000, 2_000_000], pure=False)
    assert [value.sum() for value in client.gather(futures, direct=direct)] == [1_000, 300_000, 2_000_000]
    frame = client.submit(pd.DataFrame, {"a": np.arange(100_000), "b": ["x"] * 100_000})
    assert client.gather(frame, direct=direct).a.sum() == sum(range(100_000))


def test_a_result_can_be_changed_without_harm(client):
    future = client.submit(np.zeros, 100_000)
    array = future.result()
    array += 1
    assert future.result().sum() == 0
    small = client.submit(list, [1])
    small.result().append(2)
    assert small.result() == [1]


def test_many_values_at_once(client):
    futures = client.map(np.full, [2_000] * 300, range(300))
    assert [value[0] for value in client.gather(futures)] == list(range(300))


def test_through_the_scheduler_where_workers_are_out_of_reach(client, monkeypatch):
    from dagrpc._client import fetcher
    from dagrpc._transfer import transfers
    from dagrpc.exceptions import CommClosedError

    futures = client.map(np.ones, [50_000, 50_001])
    wait(futures)
    asked = []

    async def download(peer, method, request, timeout=None):
        asked.append(method)
        if method == "GetData":
            raise CommClosedError("no route")
        return await transfers.download(peer, method, request, timeout)

    monkeypatch.setattr(fetcher, "download", download)
    assert [len(value) for value in client.gather(futures)] == [50_000, 50_001]
    assert asked[-1] == "Gather"
    asked.clear()
    assert len(futures[0].result()) == 50_000
    assert asked == ["Gather"]


def test_a_lost_result_is_awaited_again(fresh_cluster):
    with Client(fresh_cluster) as client:
        futures = client.map(np.ones, range(50_000, 50_010), pure=False)
        wait(futures)
        address = client.who_has(futures[:1])[futures[0].key][0]
        client.retire_workers([address])
        assert [len(value) for value in client.gather(futures)] == list(range(50_000, 50_010))


def test_results_of_a_killed_worker_come_back(process_cluster):
    with Client(process_cluster) as client:
        futures = client.map(np.ones, range(60_000, 60_020), pure=False)
        small = client.map(operator.add, range(20), range(20), pure=False)
        wait(futures + small)
        pids = client.run(os.getpid)
        os.kill(next(iter(pids.values())), signal.SIGKILL)
        assert [len(value) for value in client.gather(futures)] == list(range(60_000, 60_020))
        assert client.gather(client.map(inc, small)) == [2 * i + 1 for i in range(20)]


def test_scattered_data_is_lost_with_its_worker(process_cluster):
    with Client(process_cluster) as client:
        future = client.scatter(np.ones(1_000_000))
        [address] = client.who_has(future)[future.key]
        pid = client.run(os.getpid, workers=[address])[address]
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(FutureCancelledError, match=future.key):
            client.submit(np.sum, future).result(timeout=30)


# --- transfers under the microscope ------------------------------------------------------------------------------


def test_equal_load_on_all_holders(client, monkeypatch):
    """With copies everywhere, the client asks every worker for its part."""
    from dagrpc._client import fetcher
    from dagrpc._transfer import transfers

    futures = client.scatter([np.full(50_000, i) for i in range(8)], broadcast=True)
    asked = []

    async def download(peer, method, request, timeout=None):
        asked.append((peer.peer, len(request.keys)))
        return await transfers.download(peer, method, request, timeout)

    monkeypatch.setattr(fetcher, "download", download)
    assert [value[0] for value in client.gather(futures)] == list(range(8))
    assert sorted(count for _, count in asked) == [4, 4]


def test_values_beyond_one_transfer(client, monkeypatch):
    from dagrpc._client import fetcher

    monkeypatch.setattr(fetcher, "_TRANSFER_BYTES", 500_000)
    futures = client.map(np.full, [50_000] * 10, range(10))
    assert [value[0] for value in client.gather(futures)] == list(range(10))


def test_gather_in_an_asynchronous_client_does_not_block_its_loop(shared_cluster):
    async def run():
        async with Client(shared_cluster, asynchronous=True, set_as_default=False) as client:
            futures = client.map(np.ones, [3_000_000] * 3, pure=False)
            ticks = 0

            async def tick():
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0.001)

            ticking = asyncio.create_task(tick())
            values = await client.gather(futures)
            ticking.cancel()
            return ticks, [value.sum() for value in values]

    ticks, sums = asyncio.run(run())
    assert sums == [3_000_000] * 3
    assert ticks > 3
