"""Several threads share one `as_completed`: each future goes to one thread, and all threads end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.parity.functions import inc, nap_and_return
from tests.support.waiting import eventually

PATIENCE = 60


def in_threads(count: int, body: Callable[[], None]) -> None:
    """Run a function in several threads and see that all of them end."""
    threads = [threading.Thread(target=body, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a thread waits for what will not come"


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_threads_share_one(client: Any, lib: Any, seconds: float) -> None:
    completed = lib.as_completed(client.map(nap_and_return, range(20), seconds=seconds / 4, pure=False))
    found: list[int] = []
    in_threads(5, lambda: found.extend(future.result() for future in completed))
    assert sorted(found) == list(range(20))
    assert completed.is_empty()


def test_a_slow_last_one_ends_all_that_wait_for_it(client: Any, lib: Any) -> None:
    completed = lib.as_completed([client.submit(nap_and_return, 1, 1.0, pure=False)], with_results=True)
    found: list[int] = []
    in_threads(4, lambda: found.extend(result for _, result in completed))
    assert found == [1]


def test_a_taker_may_also_put_in(client: Any, lib: Any) -> None:
    completed = lib.as_completed(client.map(inc, range(8)))
    added = threading.Semaphore(8)
    found: list[int] = []

    def body() -> None:
        for future in completed:
            if added.acquire(blocking=False):
                completed.add(client.submit(inc, 100, pure=False))
            found.append(future.result())

    body()
    assert sorted(found) == [*range(1, 9), *[101] * 8]


def wait_for_repr(completed: Any, expected: str) -> None:
    eventually(lambda: repr(completed) == expected, PATIENCE, repr(completed))


def test_repr_counts_waiting_and_done_futures(client: Any, lib: Any) -> None:
    assert repr(lib.as_completed()) == "<as_completed: waiting=0 done=0>"
    futures = client.map(inc, range(3))
    client.gather(futures)
    wait_for_repr(lib.as_completed(futures), "<as_completed: waiting=0 done=3>")
    slow = client.submit(nap_and_return, 1, 30, pure=False)
    wait_for_repr(lib.as_completed([*futures, slow]), "<as_completed: waiting=1 done=3>")
    slow.cancel()
