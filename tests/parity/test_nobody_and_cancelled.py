"""Empty lists of workers, cancelled futures in queues and variables, and how futures come out of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import pytest

from tests.parity.functions import fail, inc, nap


def test_no_worker_is_not_every_worker(client: Any, lib: Any) -> None:
    future = client.submit(inc, 1)
    lib.wait(future)
    assert client.has_what([]) == {}
    assert client.processing(workers=[]) == {}
    assert client.rebalance(workers=[]) is None
    with pytest.raises(TimeoutError, match="No valid workers found"):
        client.scatter(1, workers=[])
    with pytest.raises(ValueError, match="Can not use replicate to delete data"):
        client.replicate([future], workers=[])
    assert client.submit(inc, 2, workers=[]).result(timeout=60) == 3


def test_futures_from_elsewhere_know_at_once_that_they_are_done(client: Any, other: Any, lib: Any) -> None:
    fine, failed = client.submit(inc, 1), client.submit(fail, "in a queue")
    lib.wait([fine, failed])
    queue, variable = lib.Queue("parity-done", client=client), lib.Variable("parity-done", client=client)
    for _ in range(10):
        queue.put(fine)
        queue.put(failed)
        theirs = lib.Queue("parity-done", client=other)
        assert [theirs.get(timeout=60).status for _ in range(2)] == ["finished", "error"]
        variable.set(fine)
        found = lib.Variable("parity-done", client=other).get(timeout=60)
        assert (found.status, found.done()) == ("finished", True)
        del found
    variable.delete()


def test_a_cancelled_future_is_put_nowhere(client: Any, lib: Any) -> None:
    future = client.submit(nap, 30, pure=False)
    future.cancel()
    queue, variable = lib.Queue("parity-cancelled"), lib.Variable("parity-cancelled")
    for put in (queue.put, variable.set):
        with pytest.raises(TimeoutError, match=r"unknown to scheduler"):
            put(future, timeout="2s")
    assert queue.qsize() == 0
    with pytest.raises(TimeoutError):
        variable.get(timeout="100ms")


LARGE: dict[str, Callable[[Any], Any]] = {
    "argument": lambda client: client.submit(len, b"0" * 20_000_000),
    "graph": lambda client: client.compute(dask.delayed(len)(b"0" * 20_000_000)),
    "map": lambda client: client.map(len, [b"0" * 20_000_000]),
}


@pytest.mark.parametrize("what", LARGE)
def test_large_graphs_are_warned_of(client: Any, what: str) -> None:
    with pytest.warns(UserWarning, match=r"^Sending large graph of size 19\.07 MiB"):
        held = LARGE[what](client)
    del held


def test_futures_to_wait_for_come_in_a_list(client: Any, lib: Any) -> None:
    first, second = client.map(inc, [1, 2])
    with pytest.raises(TypeError, match=r"timeout= (.|\n)*wait\(\[x, y"):
        lib.wait(first, second)
