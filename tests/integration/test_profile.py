"""Call stacks and profiles of running tasks."""

from __future__ import annotations

import asyncio
import threading
import time

import dask
import pytest

from dagrpc import Client, LocalCluster, Scheduler, Worker

_release = threading.Event()


@pytest.fixture
def release():
    """Lets the tasks of a test end, by itself at the latest when it has ended."""
    _release.clear()
    yield _release
    _release.set()


def hold(x):
    _release.wait(30)
    return x


async def hold_in_coroutine(x):
    while not _release.is_set():
        await asyncio.sleep(0.01)
    return x


def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        inner()
    return seconds


def inner():
    return sum(range(2_000))


def wait_for_stacks(client, futures, count):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = client.call_stack(futures)
        if sum(map(len, found.values())) == count:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not {count} stacks: {found}")


def most(profile):
    """Return the child with the most samples. Others may be there: what a worker does for a task counts, too."""
    return max(profile["children"].values(), key=lambda child: child["count"])


def names(profile):
    return {child["description"]["name"] for child in profile["children"].values()}


def test_call_stacks_of_what_runs(client, release):
    futures = client.map(hold, range(2), pure=False)
    found = wait_for_stacks(client, futures, 2)
    assert found.keys() <= client.nthreads().keys()
    stacks = {key: stack for of_worker in found.values() for key, stack in of_worker.items()}
    assert stacks.keys() == {future.key for future in futures}
    for stack in stacks.values():
        # The task's own frames, and none of those around it.
        assert stack[0].startswith(f'  File "{__file__}", line ')
        assert stack[0].endswith("in hold\n\t_release.wait(30)\n")
        assert "in wait\n" in stack[-1]
    everything = client.call_stack()
    assert {key for of_worker in everything.values() for key in of_worker} == stacks.keys()
    one = futures[0].key
    assert {key for of_worker in client.call_stack(keys=[one]).values() for key in of_worker} == {one}
    assert {key for of_worker in client.call_stack(keys=one).values() for key in of_worker} == {one}
    release.set()
    client.gather(futures)
    assert client.call_stack(futures) == {}
    assert client.call_stack([]) == {}


def test_call_stack_of_a_coroutine(client, release):
    future = client.submit(hold_in_coroutine, 1, pure=False)
    found = wait_for_stacks(client, future, 1)
    (stacks,) = found.values()
    assert "in hold_in_coroutine\n" in stacks[future.key][0]


def test_call_stack_of_a_task_with_a_tuple_as_its_key(client, release):
    future = client.submit(hold, 1, key=("hold-this", 0))
    ((stacks,),) = [wait_for_stacks(client, future, 1).values()]
    assert list(stacks) == [("hold-this", 0)]


def test_a_key_that_nobody_knows_has_no_call_stack(client):
    with pytest.raises(KeyError, match="nobody-knows"):
        client.call_stack(keys=["nobody-knows"])


def test_profile(client):
    before = time.time()
    client.gather(client.map(spin, [0.2, 0.21, 0.22], pure=False))
    profile = client.profile("spin", start=before)
    assert profile["count"] > 3
    child = most(profile)
    assert child["count"] > profile["count"] / 2
    assert child["identifier"].startswith(f"spin;{__file__};")
    assert child["description"]["filename"] == __file__
    assert "inner" in names(child)
    assert client.profile("no-such-task") == client.profile("spin", stop=1.0) == client.profile(workers=[])
    by_worker = client.profile("spin", start=before, merge_workers=False)
    assert by_worker.keys() == client.nthreads().keys()
    assert sum(each["count"] for each in by_worker.values()) == profile["count"]
    worker = next(iter(by_worker))
    assert client.profile("spin", start=before, workers=worker) == by_worker[worker]


def test_profile_of_the_services(client):
    client.profile(scheduler=True)
    deadline = time.monotonic() + 60
    while not (client.profile(scheduler=True)["count"] and client.profile(server=True)["count"]):
        client.gather(client.map(lambda x: x, range(2_000), pure=False))
        assert time.monotonic() < deadline


def test_arguments_of_profile_are_checked(client):
    with pytest.raises(ValueError, match=r"start.*'yesterday'"):
        client.profile(start="yesterday")
    with pytest.raises(TypeError, match="stop"):
        client.profile(stop=float("inf"))
    with pytest.raises(ValueError, match="nowhere"):
        client.profile(workers="nowhere")


def test_profiles_and_call_stacks_on_an_event_loop(shared_cluster, release):
    async def ask():
        async with Client(shared_cluster, asynchronous=True) as client:
            future = client.submit(hold, 5, pure=False)
            while not await client.call_stack(future):
                await asyncio.sleep(0.01)
            # The stack may be asked for before the profiler has had its turn.
            while not (profile := await client.profile("hold"))["count"]:
                await asyncio.sleep(0.01)
            release.set()
            await future
            return profile

    assert "hold" in names(asyncio.run(asyncio.wait_for(ask(), 60)))


def test_profiles_are_made_only_where_they_are_wanted():
    with (
        dask.config.set({"distributed.worker.profile.enabled": False}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        client.submit(spin, 0.1).result()
        assert client.profile()["count"] == 0
        assert client.profile(server=True)["count"] == 0


def test_low_level_profiles_show_what_is_around_a_task():
    with (
        dask.config.set({"distributed.worker.profile.low-level": True}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster,
        Client(cluster) as client,
    ):
        client.submit(spin, 0.2).result()
        assert names(client.profile("spin")) == {"_bootstrap"}


def test_low_level_profiles_of_one_worker():
    async def spin_on_both():
        async with (
            Scheduler() as scheduler,
            Worker(scheduler.address, nthreads=1) as usual,
            Worker(scheduler.address, nthreads=1, low_level_profiler=True, profile_cycle_interval="10 ms") as low,
            Client(scheduler.address, asynchronous=True) as client,
        ):
            await client.gather([client.submit(spin, 0.1, pure=False, workers=[w.address]) for w in (usual, low)])
            profiles = await client.profile("spin", merge_workers=False)
            return profiles[usual.address], profiles[low.address]

    usual, low = asyncio.run(spin_on_both())
    assert "_bootstrap" not in names(usual)
    assert names(low) == {"_bootstrap"}
