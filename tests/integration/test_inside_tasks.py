"""Tasks can look at their worker, submit tasks, and wait for tasks without occupying a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dask
import dask.array as da
import pytest
from dask import delayed

import dagrpc
from dagrpc import (
    Client,
    LocalCluster,
    Reschedule,
    as_completed,
    default_client,
    get_client,
    get_worker,
    local_client,
    rejoin,
    secede,
    wait,
    worker_client,
)

WAIT = 60.0


@pytest.fixture(scope="module", params=["processes", "in process"])
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """A cluster with a single thread: a task that waits for another task without leaving the thread waits forever."""
    processes = request.param == "processes"
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=processes, memory_limit=0) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client


def run(client: Client, function: Callable[..., Any], *args: Any) -> Any:
    return client.submit(function, *args, pure=False).result(WAIT)


def inc(x: int) -> int:
    return x + 1


# --- the worker ---


def look_around() -> dict[str, Any]:
    worker = get_worker()
    return {
        "address": worker.address,
        "name": worker.name,
        "id": worker.id,
        "directory": worker.local_directory,
        "threads": worker.nthreads,
        "resources": worker.resources,
        "task": worker.get_current_task(),
        "held": "held" in worker.data,
        "executing": worker.state.executing_count,
        "executors": list(worker.executors),
        "plugins": worker.plugins,
        "loop": worker.loop.is_running(),
        "scheduler": worker.scheduler.address,
        "same client": worker.client is get_client(),
    }


def test_a_task_sees_its_worker(client: Client) -> None:
    held = client.submit(inc, 1, key="held")
    assert held.result(WAIT) == 2
    ((address, known),) = client.scheduler_info()["workers"].items()
    seen = client.submit(look_around, key=("look", 1)).result(WAIT)
    assert seen["id"].startswith("Worker-")
    assert seen | {"id": "", "directory": ""} == {
        "address": address,
        "name": known["name"],
        "id": "",
        "directory": "",
        "threads": 1,
        "resources": {},
        "task": ("look", 1),
        "held": True,
        "executing": 1,
        "executors": ["default", "offload", "actor"],
        "plugins": {},
        "loop": True,
        "scheduler": client.scheduler.address,
        "same client": True,
    }
    assert seen["directory"]


def keep_something() -> int:
    worker = get_worker()
    worker.counter = getattr(worker, "counter", 0) + 1
    return int(worker.counter)


def test_tasks_can_keep_things_on_their_worker(client: Client) -> None:
    first = run(client, keep_something)
    assert run(client, keep_something) == first + 1


def outcomes(functions: list[Callable[[], Any]]) -> list[str]:
    found: list[str] = []

    def ask() -> None:
        for function in functions:
            try:
                found.append(type(function()).__name__)
            except ValueError as error:
                found.append(str(error)[:15])

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(WAIT)
    return found


def enter() -> None:
    with worker_client():
        pass


def test_outside_of_tasks_there_is_no_worker(client: Client) -> None:
    asked = [get_worker, secede, rejoin, enter]
    assert outcomes(asked) == ["No worker found"] * 4
    # A thread that a task starts is not the task; but there is a client for it.
    assert run(client, outcomes, [*asked, get_client]) == ["No worker found"] * 4 + ["Client"]


def test_without_any_client_that_is_said() -> None:
    with pytest.raises(ValueError, match="no client"):
        get_client()


# --- the client ---


def clients() -> list[bool]:
    first = get_client()
    with worker_client() as second, local_client() as third:
        pass
    return [
        other is first
        for other in (
            second,
            third,
            default_client(),
            get_worker().client,
            Client.current(),
            get_client(get_worker().scheduler.address),
        )
    ]


def test_all_of_a_worker_s_tasks_share_a_client(client: Client) -> None:
    assert run(client, clients) == [True] * 6
    ids = {run(client, lambda: get_client().id) for _ in range(2)}
    assert len(ids) == 1
    with pytest.raises(ValueError, match="No clients"):
        run(client, lambda: Client.current(allow_global=False))


def connect_elsewhere() -> None:
    get_client("127.0.0.1:1", timeout=0.2)


def test_another_address_is_another_client(client: Client) -> None:
    with pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
        run(client, connect_elsewhere)


def close_the_client() -> str:
    shared = get_client()
    shared.close()
    return str(shared.status)


def submit_and_wait(x: int) -> int:
    with worker_client() as shared:
        return int(shared.submit(inc, x).result(WAIT))


def test_a_client_that_a_task_closed_is_replaced(cluster: LocalCluster) -> None:
    with Client(cluster, set_as_default=False) as client:
        assert run(client, close_the_client) == "closed"
        assert run(client, submit_and_wait, 1) == 2


def test_the_client_closes_with_its_worker() -> None:
    before = threading.active_count()
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, memory_limit=0) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        assert run(client, submit_and_wait, 1) == 2
        (worker,) = cluster.workers.values()
        shared = worker.client
        assert shared is not client
        assert shared.status == "running"
    assert shared.status == "closed"
    assert threading.active_count() < before + 10


# --- recursion on one thread ---


def fib_secede(n: int) -> int:
    if n < 2:
        return n
    client = get_client()
    a_future = client.submit(fib_secede, n - 1)
    b_future = client.submit(fib_secede, n - 2)
    secede()
    a, b = client.gather([a_future, b_future])
    rejoin()
    return int(a + b)


def fib_worker_client(n: int) -> int:
    if n < 2:
        return n
    with worker_client() as client:
        a_future = client.submit(fib_worker_client, n - 1)
        b_future = client.submit(fib_worker_client, n - 2)
        a, b = client.gather([a_future, b_future])
    return int(a + b)


@delayed
def fib_delayed(n: int) -> int:
    if n < 2:
        return n
    a = fib_delayed(n - 1)
    b = fib_delayed(n - 2)
    a, b = dask.compute(a, b)
    return int(a + b)


async def fib_coroutine(n: int) -> int:
    if n < 2:
        return n
    async with worker_client() as client:
        futures = [client.submit(fib_coroutine, n - 1), client.submit(fib_coroutine, n - 2)]
        a, b = await client.gather(futures)
    return int(a + b)


@pytest.mark.parametrize("fib", [fib_secede, fib_worker_client, fib_coroutine])
def test_fibonacci_on_one_thread(client: Client, fib: Callable[[int], int]) -> None:
    assert run(client, fib, 10) == 55
    # All threads came back: tasks run, and no more than one at a time.
    assert most_at_once(client) == 1


def test_fibonacci_on_two_workers() -> None:
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, memory_limit=0)
    with cluster, Client(cluster) as client:
        for fib in (fib_secede, fib_worker_client, fib_coroutine):
            assert run(client, fib, 9) == 34


def test_fibonacci_with_delayed_on_one_thread(client: Client) -> None:
    assert fib_delayed(7).compute() == 13
    assert most_at_once(client) == 1


def interval(_: int) -> tuple[float, float]:
    begin = time.monotonic()
    time.sleep(0.02)
    return begin, time.monotonic()


def most_at_once(client: Client) -> int:
    """Return the maximum number of tasks that ran at the same time."""
    spans = client.gather(client.map(interval, range(8), pure=False))
    return max(sum(begin <= start < end for begin, end in spans) for start, _ in spans)


def several_ways(n: int) -> list[Any]:
    client = get_client()
    futures = client.map(inc, range(n))
    secede()
    done = sorted(future.result() for future in as_completed(futures, timeout=WAIT))
    ready, not_ready = wait(client.map(inc, range(n, 2 * n)), timeout=WAIT)
    first = client.submit(inc, 100)
    result = first.result(WAIT)
    rejoin()
    return [done, len(ready), len(not_ready), result]


def test_tasks_wait_in_all_ways(client: Client) -> None:
    assert run(client, several_ways, 3) == [[1, 2, 3], 3, 0, 101]


def seceded_in_helpers() -> str:
    def helper() -> int:
        with worker_client() as client:
            return int(client.submit(inc, 7).result(WAIT))

    with worker_client():
        assert helper() == 8
        # The inner one has not brought the thread back in.
        assert dask.compute(delayed(inc)(8)) == (9,)
        assert submit_and_wait(9) == 10
    secede()
    secede()
    rejoin()
    rejoin()
    return "fine"


def test_leaving_twice_is_leaving_once(client: Client) -> None:
    assert run(client, seceded_in_helpers) == "fine"
    assert most_at_once(client) == 1


def fail_outside() -> None:
    with worker_client():
        raise ZeroDivisionError("on purpose")


def test_errors_bring_the_thread_back(client: Client) -> None:
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        run(client, fail_outside)
    assert most_at_once(client) == 1


def stay_out(seconds: float) -> str:
    with worker_client():
        time.sleep(seconds)
    return "done"


def test_long_running_tasks_are_known_as_such(client: Client) -> None:
    future = client.submit(stay_out, 2.0, pure=False)
    deadline = time.monotonic() + WAIT
    metrics: dict[str, Any] = {}
    while not metrics.get("long_running") and time.monotonic() < deadline and not future.done():
        (metrics,) = (worker["metrics"] for worker in client.scheduler_info()["workers"].values())
        # Others run meanwhile.
        assert run(client, inc, 1) == 2
    assert future.result(WAIT) == "done"


# --- dask in tasks ---


def compute_with_dask() -> tuple[Any, ...]:
    x = delayed(inc)(1)
    kept = x.persist()
    futures = dagrpc.futures_of(kept)
    with worker_client():
        assert get_client().gather(futures) == [2]
        assert get_client().compute(x, sync=True) == 2
    get = dask.base.get_scheduler()
    return *dask.compute(x, delayed(inc)(kept)), x.compute(), get.__self__ is get_client()


def test_dask_in_a_task_computes_on_the_cluster(client: Client) -> None:
    assert run(client, compute_with_dask) == (2, 3, 2, True)


def test_dask_in_a_task_needs_no_default_client(cluster: LocalCluster) -> None:
    with Client(cluster, set_as_default=False) as client:
        assert run(client, compute_with_dask) == (2, 3, 2, True)
        # In the user's own threads nothing has changed.
        assert dask.base.get_scheduler() is None


def compute_in_threads() -> str:
    with dask.config.set(scheduler="synchronous"):
        return str(delayed(lambda: threading.current_thread().name)().compute() == threading.current_thread().name)


def test_a_task_can_choose_another_scheduler(client: Client) -> None:
    assert run(client, compute_in_threads) == "True"


def test_arrays_in_tasks(client: Client) -> None:
    def total() -> float:
        x = da.ones((40, 40), chunks=20).persist()
        return float((x + x.T).sum().compute())

    assert run(client, total) == 3200.0


# --- giving a task back ---


def only_once_more() -> int:
    worker = get_worker()
    worker.attempts = getattr(worker, "attempts", 0) + 1
    if worker.attempts < 3:
        raise Reschedule
    return int(worker.attempts)


def test_a_task_can_be_given_back(client: Client) -> None:
    assert run(client, only_once_more) == 3


# --- coroutines ---


async def look_around_on_the_loop() -> list[Any]:
    worker = get_worker()
    client = get_client()
    await client
    secede()
    futures = client.map(inc, range(3))
    done = [await future async for future in as_completed(futures)]
    inner = await asyncio.create_task(ask_for_the_worker())
    rejoin()
    return [
        worker.loop is asyncio.get_running_loop(),
        sorted(done),
        await client.submit(inc, 5),
        inner is worker,
        client.asynchronous,
    ]


async def ask_for_the_worker() -> Any:
    return get_worker()


def test_coroutine_functions_run_on_the_loop(client: Client) -> None:
    assert run(client, look_around_on_the_loop) == [True, [1, 2, 3], 6, True, True]
