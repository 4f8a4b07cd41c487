"""Section 4 of the API: operations that tasks can use."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.parity.functions import add, inc, inc_async


def test_get_worker(client: Any, lib: Any) -> None:
    def where() -> tuple[str, Any]:
        worker = lib.get_worker()
        return worker.address, worker.name

    address, name = client.submit(where, pure=False).result(timeout=60)
    assert address in client.nthreads()
    assert name in (0, 1)
    with pytest.raises(ValueError):  # noqa: PT011
        lib.get_worker()


def test_tasks_submit_tasks(client: Any, lib: Any) -> None:
    def fibonacci(n: int) -> int:
        if n < 2:
            return n
        with lib.worker_client() as inner:
            futures = inner.map(fibonacci, [n - 1, n - 2])
            return sum(inner.gather(futures))

    def fibonacci_seceding(n: int) -> int:
        if n < 2:
            return n
        inner = lib.get_client()
        futures = inner.map(fibonacci_seceding, [n - 1, n - 2])
        lib.secede()
        values = inner.gather(futures)
        lib.rejoin()
        return sum(values)

    assert client.submit(fibonacci, 6).result(timeout=60) == 8
    assert client.submit(fibonacci_seceding, 6).result(timeout=60) == 8


def test_secede_outside_a_task(lib: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        lib.secede()


def test_futures_travel_by_variables(client: Any, lib: Any) -> None:
    lib.Variable("parity-travelling").set(client.submit(inc, 1, pure=False))

    def use() -> int:
        with lib.worker_client():
            return lib.Variable("parity-travelling").get(timeout=30).result(timeout=30) + 1

    assert client.submit(use, pure=False).result(timeout=60) == 3


def test_tasks_that_are_coroutines(client: Any) -> None:
    assert client.submit(inc_async, 1).result(timeout=60) == 2
    assert client.gather(client.map(inc_async, range(3))) == [1, 2, 3]


def test_reschedule(client: Any, lib: Any) -> None:
    counter = lib.Variable("parity-reschedule")
    counter.set(0)

    def hand_back_once() -> int:
        value = lib.Variable("parity-reschedule").get(timeout=30)
        lib.Variable("parity-reschedule").set(value + 1)
        if value == 0:
            raise lib.Reschedule
        return value

    assert client.submit(hand_back_once, pure=False).result(timeout=60) == 1


def test_current_task(client: Any, lib: Any) -> None:
    future = client.submit(lambda: lib.get_worker().get_current_task(), key="parity-current")
    assert future.result(timeout=60) == "parity-current"


def test_collections_in_tasks(client: Any) -> None:
    def compute(n: int) -> int:
        import dask

        return dask.delayed(add)(n, dask.delayed(inc)(n)).compute()

    assert client.submit(compute, 3).result(timeout=60) == 7


def test_print_and_warn(client: Any, lib: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def speak() -> None:
        lib.print("hello from", "a task", sep=" <> ")
        lib.warn("a warning from a task", category=RuntimeWarning)

    import time
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client.submit(speak, pure=False).result(timeout=60)
        heard = ""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            heard += capsys.readouterr().out
            if "hello from <> a task" in heard and any("from a task" in str(w.message) for w in caught):
                break
            time.sleep(0.02)
    assert "hello from <> a task" in heard
    assert any(issubclass(w.category, RuntimeWarning) and "from a task" in str(w.message) for w in caught)


def test_the_client_of_tasks_reaches_the_workers(client: Any, lib: Any) -> None:
    get_client = lib.get_client
    assert client.submit(lambda: get_client().direct_to_workers, pure=False).result(timeout=60) is True


def test_the_old_name_of_worker_client_warns(client: Any, lib: Any) -> None:
    local_client = lib.local_client

    def use() -> tuple[int, list[str]]:
        import warnings

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with local_client() as inner:
                result = inner.submit(sum, [1, 2]).result(timeout=30)
        return result, [str(warning.message) for warning in caught if warning.category is UserWarning]

    result, said = client.submit(use, pure=False).result(timeout=60)
    assert result == 3
    assert len(said) == 1
    assert "worker_client" in said[0]


def test_events_of_workers_say_which_worker(client: Any, lib: Any) -> None:
    get_worker = lib.get_worker

    def log() -> str:
        message = {"done": 3}
        get_worker().log_event("parity-says-worker", message)
        get_worker().log_event("parity-says-worker", {"worker": "me"})
        get_worker().log_event("parity-says-worker", 5)
        assert message == {"done": 3}
        return str(get_worker().address)

    address = client.submit(log, pure=False).result(timeout=60)
    for _ in range(600):
        events = client.get_events("parity-says-worker")
        if len(events) == 3:
            break
        time.sleep(0.1)
    assert [message for _, message in events] == [{"done": 3, "worker": address}, {"worker": address}, 5]
