"""Managed memory includes a result as soon as the result exists, and until the result is released."""

from __future__ import annotations

import time
from typing import Any

from tests.parity.conftest import PATIENCE

SIZE = 50_000_000


def managed(client: Any) -> int:
    return int(client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.memory.managed))


def test_a_result_counts_at_once(own_client: Any) -> None:
    assert managed(own_client) < SIZE
    future = own_client.submit(bytes, SIZE, pure=False)
    future.result(timeout=PATIENCE)
    assert managed(own_client) >= SIZE
    by_worker = own_client.run_on_scheduler(
        lambda dask_scheduler: [worker.memory.managed for worker in dask_scheduler.workers.values()]
    )
    assert sorted(by_worker)[0] < SIZE <= sorted(by_worker)[1]


def test_samples_have_results_that_are_only_now_there(own_client: Any, submodule: Any) -> None:
    sampler = submodule("diagnostics").MemorySampler()
    future = own_client.submit(bytes, SIZE, pure=False)
    future.result(timeout=PATIENCE)
    with sampler.sample("held", measure="managed", client=own_client, interval=0.05):
        time.sleep(0.5)
    assert sampler.samples["held"][0][1] >= SIZE
    future.release()
    deadline = time.monotonic() + PATIENCE
    while managed(own_client) >= SIZE:
        assert time.monotonic() < deadline
    with sampler.sample("released", measure="managed", client=own_client, interval=0.05):
        time.sleep(0.5)
    assert sampler.samples["released"][0][1] < SIZE
