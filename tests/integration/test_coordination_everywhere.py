"""Locks, queues and the like: with clients that end, with asynchronous clients, in tasks, with lost holders."""

import asyncio
import gc
import subprocess
import sys
from typing import Any

import dask
import pytest

from dagrpc import Client, Event, LocalCluster, Lock, MultiLock, Queue, Semaphore, Variable
from dagrpc._client.client_core import core_of
from dagrpc.exceptions import ClosedClientError, CommClosedError
from tests.support.running import in_thread
from tests.support.waiting import eventually

# --- without a client, after the end ---


def test_without_a_client():
    made = [Lock("n"), Semaphore(1, "n"), MultiLock(["n"]), Event("n"), Queue("n"), Variable("n")]
    for thing in made:
        use: Any = getattr(thing, "acquire", getattr(thing, "set", getattr(thing, "put", None)))
        with pytest.raises(RuntimeError, match="not properly initialized"):
            use(*([] if isinstance(thing, (Lock, Semaphore, MultiLock, Event)) else [1]))


def test_closed_clients(shared_cluster):
    client = Client(shared_cluster, set_as_default=False)
    queue = Queue("closing", client=client)
    waiting = in_thread(queue.get)
    eventually(lambda: core_of(client).session.coordination._requests)
    client.close()
    assert isinstance(waiting(), CommClosedError)
    with pytest.raises(ClosedClientError):
        queue.put(1)


def test_made_without_a_client_used_with_one(shared_cluster):
    lock = Lock("early")
    for _ in range(2):
        with Client(shared_cluster), lock:
            assert lock.locked()


# --- asynchronous ---


@pytest.mark.timeout(60)
def test_asynchronous(shared_cluster):
    async def main():
        async with Client(shared_cluster, asynchronous=True) as client:
            async with Lock("a1") as lock:
                assert await lock.locked()
                assert await Lock("a1").acquire(timeout=0.02) is False
            semaphore = await Semaphore(2, "a2")
            async with semaphore:
                assert await semaphore.get_value() == 1
            async with MultiLock(["a3", "a4"]) as locks:
                assert locks.locked()
            event = await Event("a5")
            _, waited = await asyncio.gather(event.set(), event.wait())
            assert waited
            queue = await Queue("a6")
            await asyncio.gather(*(queue.put(number) for number in range(100)))
            assert sorted(await queue.get(batch=100)) == list(range(100))
            await queue.put(client.submit(pow, 2, 5))
            assert await (await queue.get()) == 32
            await queue.close()
            variable = Variable("a7")
            with pytest.raises(TimeoutError):
                await variable.get(timeout=0.02)
            await variable.set(3)
            assert await variable.get() == 3
            await variable.delete()
            with pytest.raises(TypeError, match="async with"), Lock("a1"):
                pass

    asyncio.run(main())


@pytest.mark.timeout(60)
def test_a_cancelled_wait_is_granted_to_nobody(shared_cluster):
    async def main():
        async with Client(shared_cluster, asynchronous=True):
            queue, lock, locks = Queue("c1"), Lock("c2"), MultiLock(["c3"])
            await lock.acquire()
            await locks.acquire()
            for wait in (queue.get, Lock("c2").acquire, MultiLock(["c3"]).acquire):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(wait(), 0.02)
            await queue.put(1)
            await lock.release()
            await locks.release()
            assert await queue.get(timeout=60) == 1
            assert await Lock("c2").acquire(timeout=60)
            assert await MultiLock(["c3"]).acquire(timeout=60)
            # Cancelled at whatever moment: nothing is lost, nothing stays locked.
            for delay in range(40):
                task = asyncio.ensure_future(queue.get())
                contender = asyncio.ensure_future(lock.acquire())
                await queue.put(delay)
                await asyncio.sleep(delay / 20_000)
                for future in (task, contender):
                    future.cancel()
                got = (await asyncio.gather(task, return_exceptions=True))[0]
                if not isinstance(got, int):
                    got = await queue.get(timeout=60)
                assert got == delay
                await asyncio.gather(contender, return_exceptions=True)
            assert await queue.qsize() == 0

    asyncio.run(main())


# --- in tasks ---


def use_all(number):
    with Lock("t-lock"), Semaphore(2, "t-semaphore"), MultiLock(["t-x", "t-y"]):
        Queue("t-queue").put(number)
    Variable("t-variable").set(number)
    Event("t-event").wait(60)
    return Variable("t-variable").get() is not None


def use_given(lock, queue, event):
    with lock:
        queue.put(event.is_set())


@pytest.fixture(params=["in this process", "processes"])
def cluster(request, shared_cluster):
    if request.param == "in this process":
        yield shared_cluster
    else:
        with LocalCluster(n_workers=2, threads_per_worker=2, processes=True) as cluster:
            yield cluster


def test_in_tasks(cluster):
    with Client(cluster) as client:
        futures = client.map(use_all, range(4), pure=False)
        queue = Queue("t-queue")
        assert sorted(queue.get(timeout=60) for _ in range(4)) == [0, 1, 2, 3]
        Event("t-event").set()
        assert client.gather(futures) == [True] * 4
        lock, event = Lock("t-given"), Event("t-event")
        client.submit(use_given, lock, queue, event).result(timeout=60)
        assert queue.get() is True
        assert lock.acquire(timeout=60)
        Event("t-event").clear()


def count_inside(_):
    inside = Variable("inside")
    with Lock("counter"):
        inside.set(inside.get() + 1)


def test_tasks_exclude_each_other(cluster):
    with Client(cluster) as client:
        Variable("inside").set(0)
        client.gather(client.map(count_inside, range(40)))
        assert Variable("inside").get() == 40


# --- holders that are gone ---

HOLDER = """
import sys, time
from dagrpc import Client, Lock, MultiLock, Queue, Semaphore

def main():
    client = Client(sys.argv[1])
    lock, semaphore, locks = Lock("d1"), Semaphore(1, "d2"), MultiLock(["d3"])
    lock.acquire(), semaphore.acquire(), locks.acquire()
    Queue("d4").put(client.submit(pow, 6, 2))
    print("held", flush=True)
    time.sleep(100)

main()
"""


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_tasks_of_a_dead_client_are_released(client, shared_cluster, end):
    command = [sys.executable, "-c", HOLDER, shared_cluster.scheduler_address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            assert Lock("d1").locked()
            assert not Semaphore(1, "d2").acquire(timeout=0)
            getattr(process, end)()
            for lock in (Lock("d1"), Semaphore(1, "d2"), MultiLock(["d3"])):
                assert lock.acquire(timeout=60)
                lock.release()
            assert Queue("d4").get(timeout=60).result(timeout=60) == 36
        finally:
            process.kill()


def test_leases_are_renewed_as_long_as_their_holder_lives():
    with (
        # Long enough for a busy machine to renew them in time, and shorter than the wait below.
        dask.config.set({"distributed.scheduler.locks.lease-timeout": "1500 ms"}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, memory_limit=0) as cluster,
        Client(cluster),
    ):
        lock, semaphore = Lock("r1"), Semaphore(1, "r2")
        lock.acquire()
        semaphore.acquire()
        assert not Lock("r1").acquire(timeout=3)
        assert semaphore.get_value() == 1
        del lock
        gc.collect()
        assert Lock("r1").acquire(timeout=60)
        assert semaphore.get_value() == 1
        assert semaphore.release()
        assert semaphore.get_value() == 0
