"""wait, as_completed, fire_and_forget, futures_of."""

import asyncio
import signal
import threading
import time

import dask.array as da
import numpy as np
import pytest

from dagrpc import Client, FutureCancelledError, FuturesCancelledError, as_completed, fire_and_forget, futures_of, wait
from tests.support.waiting import eventually


def inc(x):
    return x + 1


def fail(message):
    raise ZeroDivisionError(message)


def sleep(seconds):
    time.sleep(seconds)
    return seconds


# --- wait --------------------------------------------------------------------------------------------------------


def test_wait_for_all(client):
    good, bad = client.map(inc, range(5)), client.submit(fail, "boo")
    done, not_done = wait([*good, bad])
    assert done == {*good, bad}
    assert not_done == set()
    assert wait(good[0]).done == {good[0]}
    assert wait({"a": [good[1]], "b": (bad,)}).done == {good[1], bad}
    assert wait([]) == (set(), set())


def test_wait_for_the_first(client, nap):
    fast, slow = client.submit(sleep, 0.05, pure=False), client.submit(nap, 2, pure=False)
    done, not_done = wait([slow, fast], return_when="FIRST_COMPLETED")
    assert (done, not_done) == ({fast}, {slow})
    assert wait([slow, fast], return_when="FIRST_COMPLETED").done == {fast}
    slow.cancel()
    with pytest.raises(NotImplementedError):
        wait([fast], return_when="FIRST_EXCEPTION")


def test_waiting_leaves_nothing_behind(client, nap):
    slow = client.submit(nap, 1, pure=False)
    for _ in range(3):
        wait([slow, client.submit(inc, 1)], return_when="FIRST_COMPLETED")
        with pytest.raises(TimeoutError):
            wait(slow, timeout=0.01)
    assert slow.bound_state().waiters is None


def test_wait_times_out(client, nap):
    slow = client.submit(nap, 3600, pure=False)
    with pytest.raises(TimeoutError):
        wait([slow], timeout="100 ms")


def test_wait_tells_of_cancelled_futures(client, nap):
    good, gone = client.submit(inc, 1), client.submit(nap, 5, pure=False)
    gone.cancel(reason="whim")
    with pytest.raises(FuturesCancelledError) as info:
        wait([good, gone])
    assert info.value.error_groups == [([gone.key], "whim")]
    later = client.submit(nap, 5, pure=False)
    threading.Timer(0.1, later.cancel).start()
    with pytest.raises(FuturesCancelledError):
        wait([later], timeout=3)


def test_wait_over_several_clients(client, shared_cluster):
    with Client(shared_cluster, set_as_default=False) as other:
        futures = [client.submit(sleep, 0.1, pure=False), other.submit(sleep, 0.1, pure=False)]
        assert wait(futures).done == set(futures)


def test_a_blocking_call_can_be_interrupted(client, nap):
    slow = client.submit(nap, 3600, pure=False)
    for call in (slow.result, lambda: wait(slow), lambda: next(as_completed([slow])), lambda: client.gather([slow])):
        threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            call()
    slow.cancel()
    assert client.submit(inc, 1).result() == 2


# --- as_completed ------------------------------------------------------------------------------------------------


def test_in_the_order_of_completion(client):
    slow, fast = client.submit(sleep, 0.5, pure=False), client.submit(sleep, 0.05, pure=False)
    assert list(as_completed([slow, fast])) == [fast, slow]
    assert list(as_completed([])) == []


def test_duplicates_are_yielded_as_often_as_they_are_there(client):
    first, second = client.submit(inc, 1), client.submit(inc, 1)
    assert len(list(as_completed([first, first, second]))) == 3


def test_futures_can_be_put_in_during_the_iteration(client):
    completed = as_completed(client.map(inc, [1, 2]))
    total = 0
    for future in completed:
        total += future.result()
        if future.result() < 10:
            completed.add(client.submit(lambda x: x * 10, future))
    assert total == 2 + 3 + 20 + 30
    completed.update(client.map(inc, [5, 6]))
    assert sorted(future.result() for future in completed) == [6, 7]


def test_with_results(client, nap):
    good, bad = client.submit(inc, 1), client.submit(fail, "boo")
    assert list(as_completed([good], with_results=True)) == [(good, 2)]
    with pytest.raises(ZeroDivisionError, match="boo"):
        list(as_completed([bad], with_results=True))
    [(future, (kind, error, trace))] = as_completed([bad], with_results=True, raise_errors=False)
    assert future is bad
    assert kind is ZeroDivisionError
    assert isinstance(error, ZeroDivisionError)
    assert trace is not None
    gone = client.submit(nap, 5, pure=False)
    gone.cancel()
    [(future, error)] = as_completed([gone], with_results=True)
    assert isinstance(error, FutureCancelledError)
    arrays = client.map(np.ones, [100_000, 100_001])
    assert sorted(len(value) for _, value in as_completed(arrays, with_results=True)) == [100_000, 100_001]


def test_batches(client):
    futures = client.map(inc, range(20))
    wait(futures)
    completed = as_completed(futures)
    assert (completed.count(), completed.has_ready(), completed.is_empty()) == (20, True, False)
    assert len(completed.next_batch()) == 20
    assert (completed.count(), completed.has_ready(), completed.is_empty()) == (0, False, True)
    assert completed.next_batch(block=False) == []
    slow = client.submit(sleep, 0.1, pure=False)
    completed.add(slow)
    assert completed.next_batch(block=False) == []
    assert completed.next_batch() == [slow]
    assert sum(map(len, as_completed(futures).batches())) == 20
    assert list(as_completed(futures[:1], with_results=True).batches()) == [[(futures[0], 1)]]


def test_next_and_clear(client):
    futures = client.map(inc, range(3))
    completed = as_completed(futures)
    assert completed.next() in futures
    completed.clear()
    assert completed.is_empty()
    assert list(completed) == []
    with pytest.raises(StopIteration):
        next(completed)


def test_only_futures(client):
    with pytest.raises(TypeError, match="future"):
        as_completed([1])  # type: ignore[list-item]


def test_the_iteration_times_out(client, nap):
    slow = client.submit(nap, 2, pure=False)
    with pytest.raises(TimeoutError):
        list(as_completed([slow], timeout="100 ms"))


def test_many_futures(client):
    futures = client.map(inc, range(2_000), pure=False)
    assert sum(future.result() for future in as_completed(futures)) == sum(range(1, 2_001))


def test_asynchronous_iteration(client, nap):
    async def collect():
        futures = client.map(sleep, [0.05, 0.1, 0.15], pure=False)
        completed = as_completed(futures, with_results=True)
        return [value async for _, value in completed]

    assert asyncio.run(collect()) == [0.05, 0.1, 0.15]

    async def too_slow():
        async for _ in as_completed([client.submit(nap, 2, pure=False)], timeout=0.1):
            pass

    with pytest.raises(TimeoutError):
        asyncio.run(too_slow())


# --- the others --------------------------------------------------------------------------------------------------


def test_fire_and_forget(client, tmp_path):
    path = tmp_path / "done"

    def touch():
        time.sleep(0.2)
        path.touch()

    assert fire_and_forget(client.submit(touch, pure=False)) is None  # type: ignore[func-returns-value]
    fire_and_forget([client.submit(inc, 1)])
    eventually(path.exists)


def test_futures_of(client):
    x, y = client.map(inc, [1, 2])
    assert futures_of([x, {"a": (y, x)}]) == [x, y]
    assert futures_of(1) == []
    array = da.ones(10, chunks=5).persist()
    assert [future.key for future in futures_of(array)] == list(array.__dask_keys__())
    assert set(futures_of([array, x])) >= {x}
    assert wait(array).not_done == set()
    x.cancel()
    with pytest.raises(FuturesCancelledError):
        futures_of([x, y], client=client)
