"""Failed and interrupted computations leave nothing on the cluster, even while their exceptions are still alive."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import dask
import pytest

from tests.parity.functions import fail, inc, nap
from tests.support.waiting import eventually

PATIENCE = 60


def wait_for_nothing(client: Any) -> None:
    """Wait until there are no tasks."""
    eventually(lambda: not client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)), PATIENCE)


COMPUTATIONS: dict[str, Callable[[Any], Any]] = {
    "dask.compute": lambda client: dask.compute(dask.delayed(fail)(), dask.delayed(inc)(1), dask.delayed(nap)(1)),
    "get": lambda client: client.get({"a": (fail,), "b": (inc, 1), "c": (nap, 1)}, ["a", "b", "c"]),
}


@pytest.mark.parametrize("how", COMPUTATIONS)
def test_a_computation_that_fails_leaves_nothing(client: Any, how: str) -> None:
    with pytest.raises(ZeroDivisionError) as kept:
        COMPUTATIONS[how](client)
    wait_for_nothing(client)
    assert kept.value.__traceback__ is not None


def test_a_computation_that_is_interrupted_leaves_nothing(client: Any) -> None:
    # A program that was started in the background ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt) as kept:
        dask.compute(*[dask.delayed(nap)(3 + number / 10) for number in range(8)])
    wait_for_nothing(client)
    assert kept.value.__traceback__ is not None


def test_futures_take_attributes(client: Any) -> None:
    future = client.submit(inc, 1)
    future.task_run_id = "a name"
    assert future.task_run_id == "a name"
    assert future.result(timeout=PATIENCE) == 2
