"""Sections 7 and 17 of the API: the loss of workers."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.parity.functions import identity, inc


def test_results_of_a_lost_worker_are_computed_again(own_client: Any) -> None:
    futures = own_client.map(identity, [f"lost-{number}" for number in range(10)])
    sums = own_client.gather(futures)
    victim = sorted(own_client.nthreads())[0]
    pid = own_client.run(os.getpid, workers=[victim])[victim]
    os.kill(pid, signal.SIGKILL)
    assert own_client.submit(len, futures, pure=False).result(timeout=60) == 10
    assert own_client.gather(futures) == sums


def test_killed_worker(own_client: Any, lib: Any) -> None:
    own_client.run_on_scheduler(inc, 1)
    future = own_client.submit(os._exit, 1, pure=False)
    with pytest.raises(lib.KilledWorker):
        future.result(timeout=110)
    own_client.wait_for_workers(2, timeout=60)
    assert own_client.submit(inc, 1).result(timeout=60) == 2


def test_lost_data_cancels(own_client: Any, lib: Any) -> None:
    worker = sorted(own_client.nthreads())[0]
    future = own_client.scatter("only here", workers=[worker], hash=False)
    pid = own_client.run(os.getpid, workers=[worker])[worker]
    os.kill(pid, signal.SIGKILL)

    def use_until_it_is_gone() -> None:
        for _ in range(1_000):
            own_client.submit(identity, future, pure=False).result(timeout=60)

    with pytest.raises(lib.CancelledError):
        use_until_it_is_gone()
