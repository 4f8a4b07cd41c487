"""A cluster as an executor, with the behaviour that users of concurrent.futures rely on."""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor
from typing import Any

import pytest

from dagrpc import Client, ClientExecutor, ClosedClientError, LocalCluster, get_worker, worker_client
from tests.support.waiting import eventually

WAIT = 60.0


@pytest.fixture
def executor(client: Client) -> Iterator[ClientExecutor]:
    with client.get_executor() as executor:
        yield executor


def inc(x: int) -> int:
    return x + 1


def draw() -> float:
    return random.random()


def fail(x: int) -> int:
    raise ZeroDivisionError(f"bad {x}")


def fail_at_two(x: int) -> int:
    return fail(x) if x == 2 else x


def options(first: str = "", **others: Any) -> list[Any]:
    return [first, others]


# --- calls ---


def test_the_executor_and_its_futures_have_the_standard_types(executor: ClientExecutor) -> None:
    assert isinstance(executor, Executor)
    future = executor.submit(inc, 1)
    assert type(future) is concurrent.futures.Future
    assert future.result(WAIT) == 2
    assert (future.done(), future.running(), future.cancelled(), future.exception()) == (True, False, False, None)
    assert not future.cancel()
    assert repr(executor).startswith("<ClientExecutor of Client-")


def test_arguments_are_those_of_submit_or_the_functions(executor: ClientExecutor) -> None:
    found = executor.submit(options, "a", key="my-key", pure=True, fn=1, retries=3, other=2).result(WAIT)
    assert found == ["a", {"fn": 1, "other": 2}]


def test_errors_are_those_of_the_function(executor: ClientExecutor) -> None:
    future = executor.submit(fail, 3)
    with pytest.raises(ZeroDivisionError, match="bad 3") as caught:
        future.result(WAIT)
    assert isinstance(future.exception(), ZeroDivisionError)
    assert caught.traceback[-1].name == "fail"
    with pytest.raises(TypeError, match="callable"):
        executor.submit(1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="pickle"):
        executor.submit(inc, threading.Lock())


def test_calls_are_pure_unless_it_says_otherwise(client: Client) -> None:
    with client.get_executor(pure=False) as executor:
        assert len({executor.submit(draw).result(WAIT) for _ in range(3)}) == 3
    with client.get_executor(retries=1, priority=2) as executor:
        first, second = executor.submit(draw), executor.submit(draw)
        assert first.result(WAIT) == second.result(WAIT)


def test_options_hold_for_all_calls(client: Client) -> None:
    for name in ("key", "actor", "fifo_timeout", "whatever"):
        with pytest.raises(TypeError, match=name):
            client.get_executor(**{name: 1})
    for worker, info in client.scheduler_info()["workers"].items():
        with client.get_executor(workers=info["name"]) as executor:
            where = list(executor.map(lambda _: get_worker().address, range(4)))
            assert set(where) == {worker}
    with pytest.raises(ValueError, match="workers"):
        client.get_executor(allow_other_workers=True)


def test_large_results_come_too(executor: ClientExecutor) -> None:
    futures = [executor.submit(bytes, 1_000_000 + number) for number in range(5)]
    assert [len(future.result(WAIT)) for future in futures] == [1_000_000 + number for number in range(5)]
    assert executor.submit(lambda: executor_of_nothing).exception(WAIT).__class__ is NameError  # type: ignore[name-defined] # noqa: F821


def test_a_result_that_cannot_be_sent_is_an_error(executor: ClientExecutor) -> None:
    with pytest.raises(TypeError):
        executor.submit(threading.Lock).result(WAIT)


def test_results_leave_the_cluster_when_they_were_fetched(client: Client, executor: ClientExecutor) -> None:
    futures = [executor.submit(bytes, 100_000) for _ in range(3)]
    assert [len(future.result(WAIT)) for future in futures] == [100_000] * 3
    eventually(lambda: not client.futures, WAIT)


def mark(path: str) -> None:
    time.sleep(0.2)
    with open(path, "w") as file:
        file.write("was here")


def test_calls_run_though_nobody_keeps_their_futures(client: Client, tmp_path: Any) -> None:
    path = tmp_path / "mark"
    executor = client.get_executor()
    executor.submit(mark, str(path))
    del executor
    eventually(path.exists, WAIT)


# --- waiting ---


def test_timeouts(executor: ClientExecutor, nap: Callable[[float], float]) -> None:
    future = executor.submit(nap, 1.0)
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(0.02)
    with pytest.raises(TimeoutError):
        future.exception(0.02)
    assert not future.done()
    assert future.result(WAIT) == 1.0


def test_with_the_functions_of_concurrent_futures(executor: ClientExecutor, nap: Callable[[float], float]) -> None:
    futures = [executor.submit(inc, number) for number in range(5)]
    done, not_done = concurrent.futures.wait(futures, timeout=WAIT)
    assert (len(done), len(not_done)) == (5, 0)
    assert sorted(future.result() for future in concurrent.futures.as_completed(futures, WAIT)) == [1, 2, 3, 4, 5]
    slow: concurrent.futures.Future[Any] = executor.submit(nap, 5.0)
    quick: concurrent.futures.Future[Any] = executor.submit(fail, 1)
    done, not_done = concurrent.futures.wait([slow, quick], WAIT, concurrent.futures.FIRST_EXCEPTION)
    assert (done, not_done) == ({quick}, {slow})
    slow.cancel()
    done, not_done = concurrent.futures.wait([slow, quick], WAIT)
    assert not not_done
    assert list(concurrent.futures.as_completed([slow], WAIT)) == [slow]


def test_callbacks_get_the_future(executor: ClientExecutor) -> None:
    called = threading.Semaphore(0)
    seen: list[Any] = []

    def note(done: Any) -> None:
        seen.append(done)
        called.release()

    for function, argument in ((inc, 1), (fail, 1), (bytes, 200_000)):
        future = executor.submit(function, argument)
        future.add_done_callback(note)
        assert called.acquire(timeout=WAIT)
        assert seen[-1] is future


def test_on_an_event_loop(executor: ClientExecutor) -> None:
    async def body() -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WAIT):
            assert await asyncio.gather(*(loop.run_in_executor(executor, inc, n) for n in range(20))) == list(
                range(1, 21)
            )
            with pytest.raises(ZeroDivisionError):
                await loop.run_in_executor(executor, fail, 1)

    asyncio.run(body())


def test_an_asynchronous_client_has_an_executor(shared_cluster: LocalCluster) -> None:
    async def body() -> None:
        async with asyncio.timeout(WAIT), Client(shared_cluster, asynchronous=True) as client:
            executor = client.get_executor()
            assert await asyncio.wrap_future(executor.submit(inc, 1)) == 2
            executor.shutdown(wait=False)

    asyncio.run(body())


def test_dask_can_use_it(executor: ClientExecutor) -> None:
    import dask

    assert dask.delayed(inc)(1).compute(scheduler=executor) == 2


# --- map ---


def test_map_is_lazy_and_ordered(executor: ClientExecutor, nap: Callable[[float], float]) -> None:
    assert list(executor.map(inc, range(100))) == list(range(1, 101))
    assert list(executor.map(pow, iter(range(5)), [2, 2, 2])) == [0, 1, 4]
    assert list(executor.map(inc, [])) == []
    assert list(executor.map(inc, range(10), chunksize=4)) == list(range(1, 11))
    results = executor.map(nap, [0.0, 3600.0])
    assert next(results) == 0.0
    results.close()
    with pytest.raises(TypeError, match="other"):
        executor.map(inc, [1], other=1)  # type: ignore[call-arg]


def test_map_raises_where_the_error_is(executor: ClientExecutor) -> None:
    results = executor.map(fail_at_two, range(4))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert next(results, None) is None


def test_map_has_a_timeout(executor: ClientExecutor, nap: Callable[[float], float]) -> None:
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        list(executor.map(nap, [3600.0] * 3, timeout=0.2))
    assert time.monotonic() - begun > 0.1


# --- cancelling and ending ---


def test_cancelled_calls(executor: ClientExecutor, nap: Callable[[float], float]) -> None:
    busy = [executor.submit(nap, 20.0) for _ in range(4)]
    waiting = [executor.submit(inc, number) for number in range(3)]
    assert all(future.cancel() for future in waiting)
    assert all(future.cancelled() and future.done() for future in waiting)
    with pytest.raises(CancelledError):
        waiting[0].result(WAIT)
    assert all(future.cancel() for future in busy)


def test_after_the_shutdown(client: Client, nap: Callable[[float], float]) -> None:
    executor = client.get_executor()
    future = executor.submit(nap, 0.3)
    executor.shutdown()
    assert future.done()
    for call in (lambda: executor.submit(inc, 1), lambda: executor.map(inc, [1])):
        with pytest.raises(RuntimeError, match="after shutdown"):
            call()
    executor.shutdown()
    # The client is open still.
    assert client.submit(inc, 1).result(WAIT) == 2


def test_a_shutdown_that_does_not_wait_cancels(client: Client, nap: Callable[[float], float]) -> None:
    executor = client.get_executor()
    done, *others = [executor.submit(nap, seconds) for seconds in (0.0, 20.0, 20.1, 20.2, 20.3)]
    assert done.result(WAIT) == 0.0
    executor.shutdown(wait=False)
    assert all(future.cancelled() for future in others)
    assert done.result() == 0.0


def test_a_shutdown_can_cancel(client: Client, nap: Callable[[float], float]) -> None:
    executor = client.get_executor()
    futures = [executor.submit(nap, 20.0) for _ in range(6)]
    executor.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in futures)


def test_a_block_ends_when_its_calls_have(client: Client, nap: Callable[[float], float]) -> None:
    with client.get_executor() as executor:
        futures = [executor.submit(nap, 0.1) for _ in range(6)]
        mapped = executor.map(nap, [0.1] * 3)
    assert all(future.done() for future in futures)
    assert list(mapped) == [0.1] * 3


def test_when_the_client_closes(shared_cluster: LocalCluster, nap: Callable[[float], float]) -> None:
    client = Client(shared_cluster, set_as_default=False)
    executor = client.get_executor()
    future = executor.submit(nap, 20.0)
    client.close()
    with pytest.raises(CancelledError):
        future.result(WAIT)
    with pytest.raises(ClosedClientError):
        executor.submit(inc, 1)
    executor.shutdown()


def test_on_a_cluster_of_processes() -> None:
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=True, memory_limit=0)
    with cluster, Client(cluster) as client, client.get_executor() as executor:
        assert list(executor.map(inc, range(50))) == list(range(1, 51))
        assert len(executor.submit(bytes, 1_000_000).result(WAIT)) == 1_000_000
        assert executor.submit(within, 3).result(WAIT) == [1, 2, 3]


def within(n: int) -> list[int]:
    with worker_client() as client, client.get_executor() as executor:
        return list(executor.map(inc, range(n)))
