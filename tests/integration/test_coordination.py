"""Locks, semaphores, events, queues and variables, between clients and tasks."""

import functools
import gc
import pickle
import threading
import time

import numpy as np
import pytest

from dagrpc import Client, Event, Lock, MultiLock, Queue, Semaphore, Variable
from dagrpc._client.client_core import core_of
from tests.support.running import in_thread
from tests.support.waiting import eventually


@pytest.fixture
def other(shared_cluster):
    """Another client of the shared cluster, not the default one."""
    with Client(shared_cluster, set_as_default=False) as client:
        yield client


# --- locks ---


def test_lock(client, other):
    lock, theirs = Lock("l1"), Lock("l1", client=other)
    assert lock.acquire() is True
    assert lock.locked() is True
    assert theirs.locked() is True
    assert theirs.acquire(blocking=False) is False
    start = time.monotonic()
    assert theirs.acquire(timeout="100 ms") is False
    assert time.monotonic() - start > 0.09
    assert lock.acquire(timeout=0) is False
    waiting = in_thread(theirs.acquire)
    time.sleep(0.05)
    assert lock.release() is True
    assert waiting() is True
    theirs.release()
    assert lock.locked() is False
    with lock as entered:
        assert entered is lock
        assert theirs.locked()
    assert not theirs.locked()


def test_misuse_of_locks(client):
    lock = Lock("l2")
    with pytest.raises(RuntimeError, match="Released too often"):
        lock.release()
    with pytest.raises(ValueError, match="can't specify a timeout for a non-blocking call"):
        lock.acquire(blocking=False, timeout=1)
    with pytest.raises(ValueError, match="negative"):
        lock.acquire(timeout=-1)
    lock.acquire()
    # A lease is the object's own.
    with pytest.raises(RuntimeError, match="Released too often"):
        Lock("l2").release()
    with pytest.raises(RuntimeError, match="Released too often"):
        pickle.loads(pickle.dumps(lock)).release()
    lock.release()
    assert Lock().name != Lock().name


@pytest.mark.parametrize("name", [5, ("a", 1), b"x", "(1, 2)", ""])
def test_names(client, name):
    with Lock(name):
        assert pickle.loads(pickle.dumps(Lock(name))).locked()
        assert not Lock(repr(name) + "!").locked()


def test_semaphore(client, other):
    semaphore, theirs = Semaphore(2, "s1"), Semaphore(2, "s1", client=other)
    assert [semaphore.acquire(), theirs.acquire(), semaphore.acquire(timeout=0.05)] == [True, True, False]
    assert semaphore.get_value() == 2
    assert semaphore.release() is True
    assert theirs.get_value() == 1
    theirs.release()
    with pytest.raises(RuntimeError, match="Released too often"):
        theirs.release()
    with semaphore:
        assert theirs.get_value() == 1
    copy = pickle.loads(pickle.dumps(semaphore))
    assert (copy.name, copy.max_leases, copy.get_value()) == ("s1", 2, 0)
    assert Semaphore(0, "s2").acquire(timeout=0.02) is False


def test_all_have_to_mean_the_same_semaphore(client):
    Semaphore(2, "s3").acquire()
    wrong = Semaphore(3, "s3")
    for method in (wrong.acquire, wrong.register):
        with pytest.raises(ValueError, match="Inconsistent max leases: 3, expected: 2"):
            method()
    assert wrong.get_value() == 1
    with pytest.raises(TypeError):
        Semaphore("many")  # type: ignore[arg-type]


def test_a_closed_semaphore(client):
    semaphore = Semaphore(1, "s4")
    semaphore.acquire()
    other = Semaphore(1, "s4")
    waiting = in_thread(other.acquire)
    eventually(lambda: core_of(client).session.coordination._requests)
    semaphore.close()
    assert isinstance(waiting(), RuntimeError)
    with pytest.raises(RuntimeError, match="Semaphore or Lock `s4` not known"):
        semaphore.acquire()
    assert semaphore.get_value() == 0
    assert semaphore.release() is True
    assert Semaphore(1, "s4").acquire(timeout=60)


def test_multilock(client, other):
    lock, theirs = MultiLock(["m1", "m2"]), MultiLock(["m2", "m3"], client=other)
    assert lock.acquire() is True
    assert lock.locked()
    assert theirs.acquire(timeout=0.05) is False
    assert theirs.acquire(blocking=False) is False
    assert not theirs.locked()
    assert theirs.acquire(num_locks=1, timeout=60) is True
    theirs.release()
    waiting = in_thread(theirs.acquire)
    lock.release()
    assert waiting() is True
    theirs.release()
    with pytest.raises(ValueError, match="not yet acquired"):
        theirs.release()
    with MultiLock(["m1", "m1"]), pytest.raises(ValueError, match="of 1 locks"):
        MultiLock(["m2"]).acquire(num_locks=2)
    with Lock("m1"), MultiLock(["m1"]):
        pass
    assert pickle.loads(pickle.dumps(lock)).names == ["m1", "m2"]


def test_many_clients_exclude_each_other(shared_cluster):
    clients = [Client(shared_cluster, set_as_default=False) for _ in range(4)]
    inside, most = 0, 0

    def work(client):
        nonlocal inside, most
        for _ in range(25):
            with Lock("crowd", client=client):
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    joins = [in_thread(functools.partial(work, client)) for client in clients for _ in range(2)]
    assert [join() for join in joins] == [None] * 8
    assert most == 1
    for client in clients:
        client.close()


# --- events ---


def test_event(client, other):
    event, theirs = Event("e1"), Event("e1", client=other)
    assert event.is_set() is False
    assert event.wait(timeout=0.02) is False
    waiting = in_thread(theirs.wait)
    event.set()
    assert waiting() is True
    assert event.wait("1s") is True
    assert pickle.loads(pickle.dumps(event)).is_set()
    theirs.clear()
    assert event.is_set() is False


# --- queues ---


def test_queue(client, other):
    queue, theirs = Queue("q1", maxsize=3), Queue("q1", client=other)
    for value in (1, {"a": [1, (2, None)]}, lambda x: x + 1):
        queue.put(value)
    assert theirs.qsize() == 3
    with pytest.raises(TimeoutError):
        theirs.put(4, timeout="20 ms")
    assert theirs.get() == 1
    assert theirs.get(timeout=60) == {"a": [1, (2, None)]}
    assert theirs.get()(1) == 2
    for timeout in (0, 0.02):
        with pytest.raises(TimeoutError):
            queue.get(timeout=timeout)
    assert queue.get(batch=True) == []
    waiting = in_thread(lambda: theirs.get(batch=3))
    for value in range(4):
        queue.put(value)
    assert waiting() == [0, 1, 2]
    assert queue.get(timeout=60, batch=True) == [3]
    with pytest.raises(NotImplementedError):
        queue.get(timeout=1, batch=2)
    copy = pickle.loads(pickle.dumps(queue))
    assert (copy.name, copy.maxsize) == ("q1", 3)
    with pytest.raises(TypeError):
        queue.put(threading.Lock())
    assert queue.qsize() == 0


def test_large_values_pass_through_a_queue(client):
    queue = Queue("q2")
    queue.put(np.arange(1_000_000))
    array = queue.get(timeout=60)
    assert array.sum() == sum(range(1_000_000))
    array[0] = 1


def test_a_queue_keeps_its_futures(client, shared_cluster):
    queue = Queue("q3")
    writer = Client(shared_cluster, set_as_default=False)
    for number in range(3):
        Queue("q3", client=writer).put(writer.submit(pow, number, 2, key=f"kept-{number}"))
    failing = writer.submit(divmod, 1, 0)
    Queue("q3", client=writer).put(failing)
    del failing
    writer.close()
    time.sleep(0.1)
    assert [queue.get().result() for _ in range(3)] == [0, 1, 4]
    with pytest.raises(ZeroDivisionError):
        queue.get().result()


def test_futures_within_data_are_kept_too(client, shared_cluster):
    with Client(shared_cluster, set_as_default=False) as writer:
        Queue("q4", client=writer).put({"a": [writer.submit(pow, 7, 2)], "b": 1})
    gc.collect()
    value = Queue("q4").get()
    assert value["a"][0].result() == 49
    assert value["a"][0].client is client


def test_a_future_of_another_client(client, other):
    queue = Queue("q5")
    future = other.submit(pow, 5, 2)
    queue.put(future)
    del future
    got = queue.get()
    assert got.client is client
    assert got.result() == 25


def test_values_taken_out_are_forgotten_when_nobody_needs_them(client):
    queue = Queue("q6")
    queue.put(client.submit(pow, 9, 2, key="q6-nine"))
    assert queue.get().result() == 81
    assert core_of(client).table.states == {} or "q6-nine" not in client.futures
    eventually(lambda: not client.who_has().get("q6-nine"))


def test_closing_a_queue(client):
    queue = Queue("q7")
    other = Queue("q7")
    queue.put(client.submit(pow, 3, 3, key="q7-kept"))
    other.put(1)
    queue.close()
    queue.close()
    assert queue.qsize() == 2
    other.close()
    assert queue.qsize() == 0
    eventually(lambda: not client.who_has().get("q7-kept"))


# --- variables ---


def test_variable(client, other):
    variable, theirs = Variable("v1"), Variable("v1", client=other)
    for timeout in (0, 0.02):
        with pytest.raises(TimeoutError):
            variable.get(timeout=timeout)
    waiting = in_thread(theirs.get)
    variable.set((1, [2]), timeout="1s")
    assert waiting() == (1, [2])
    future = client.submit(pow, 11, 2, key="v1-key")
    variable.set(future)
    del future
    assert theirs.get().result() == 121
    assert variable.get().result() == 121
    variable.set(None)
    assert variable.get() is None
    eventually(lambda: not client.who_has().get("v1-key"))
    variable.delete()
    with pytest.raises(TimeoutError):
        variable.get(timeout=0.02)
    variable.delete()


def test_a_reader_is_not_overtaken_by_a_writer(client, other):
    """A future that was read from a variable keeps its result, even if the variable is overwritten meanwhile."""
    variable, theirs = Variable("v2"), Variable("v2", client=other)
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            variable.set(client.submit(pow, number, 2, pure=False))
        return number

    join = in_thread(write)
    results = [theirs.get(timeout=60).result(timeout=60) for _ in range(60)]
    stop.set()
    assert isinstance(join(), int)
    assert results == sorted(results)
