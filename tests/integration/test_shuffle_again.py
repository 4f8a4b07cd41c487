"""Tasks of shuffles that run again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask._task_spec import Task

from dagrpc import Client, LocalCluster, wait
from dagrpc.exceptions import CommClosedError
from dagrpc.shuffle import shuffle_tasks


def slow_to_go_on(dask_worker: Any) -> None:
    """Delay tasks that report a fault, so that the worker receives the scheduler's reaction before they go on."""
    shuffles = dask_worker.shuffles
    complain = shuffles._complain

    async def slow(*arguments: Any) -> None:
        await complain(*arguments)
        await asyncio.sleep(0.3)

    shuffles._complain = slow


def cut_off_once(dask_worker: Any) -> None:
    """Make the worker's first flush call to another worker fail with a broken connection."""
    outbox = dask_worker.shuffles._outbox
    client, breaks = outbox.client, iter([True])

    def through(address: str) -> Any:
        peer = client(address)
        call = peer.call

        async def called(method: str, *arguments: Any) -> Any:
            if method == "FlushShuffle" and next(breaks, False):
                raise CommClosedError(f"No connection to worker {address}")
            return await call(method, *arguments)

        peer.call = called
        return peer

    outbox.client = through


def take_and_forget(dask_worker: Any) -> None:
    """Lose the first parcels for the worker, as if an earlier process at the same address had received them."""
    shuffles = dask_worker.shuffles
    keep, taken = shuffles.keep, iter([True] * 3)

    async def kept(run: Any, parcels: Any) -> None:
        await keep(run, parcels[1:] if next(taken, False) else parcels)

    shuffles.keep = kept


def test_data_that_arrived_elsewhere_is_missed() -> None:
    x = da.arange(3600, chunks=100).reshape(60, 60).rechunk((10, 10)).persist(scheduler="sync")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        client.run(take_and_forget)
        found = client.compute(x.rechunk((30, 5), method="p2p")).result(timeout=60)
    np.testing.assert_array_equal(found, np.arange(3600).reshape(60, 60))


def test_the_barrier_waits_for_a_worker_that_is_cut_off() -> None:
    expected = pd.DataFrame({"k": np.arange(100) % 7, "v": np.arange(100)})
    with (
        dask.config.set({"distributed.p2p.comm.retry.delay.min": "50 ms", "dataframe.shuffle.method": "p2p"}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False) as cluster,
        Client(cluster) as client,
    ):
        client.run(cut_off_once)
        shuffled = dd.from_pandas(expected, npartitions=4).shuffle("k")
        found = client.compute(shuffled).result(timeout=30)
    pd.testing.assert_frame_equal(found.sort_index(), expected, check_dtype=False)


def test_the_barrier_uses_no_results_of_the_run_before(tmp_path: Path) -> None:
    """Its worker still uses those when it is told to compute them again, which can be done at once."""
    expected = pd.DataFrame({"k": np.arange(100) % 7, "v": np.arange(100)})
    told = tmp_path / "told"

    def lie(data: Any, spec: Any, number: int) -> shuffle_tasks.Sent:
        """Send a source, and claim once that the source was sent in another run."""
        sent = shuffle_tasks.shuffle_transfer(data, spec, number)
        if told.exists():
            return sent
        told.touch()
        return replace(sent, run_id=sent.run_id + 1_000)

    with LocalCluster(n_workers=1, threads_per_worker=2, silence_logs=50) as cluster, Client(cluster) as client:
        # What is to be sent is there, and needs not be computed before it is sent again.
        frame = dd.from_pandas(expected, npartitions=4).persist()
        wait(frame)
        shuffled = frame.shuffle("k", npartitions=3).optimize()
        graph = dict(shuffled.__dask_graph__())
        key = next(key for key in graph if "transfer" in str(key))
        graph[key] = Task(key, lie, *graph[key].args)
        client.run(slow_to_go_on)
        begun: int = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler._service.shuffles.last_run)
        parts = client.get(graph, shuffled.__dask_keys__())
        pd.testing.assert_frame_equal(pd.concat(parts).sort_values("v"), expected, check_dtype=False)
        ended: int = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler._service.shuffles.last_run)
    assert ended == begun + 2


def without_scheduler(dask_worker: Any, times: int) -> None:
    """Make the first `times` calls of the shuffles to the scheduler fail, as while the connection is broken."""
    shuffles = dask_worker.shuffles
    scheduler = shuffles._scheduler
    left = [times]

    def sometimes() -> Any:
        if left[0]:
            left[0] -= 1
            raise CommClosedError("The connection broke")
        return scheduler()

    shuffles._scheduler = sometimes


@pytest.mark.parametrize("times", [1, 3, 6])
def test_tasks_run_again_that_the_scheduler_did_not_answer(times: int) -> None:
    expected = pd.DataFrame({"k": np.arange(100) % 7, "v": np.arange(100)})
    with LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=50) as cluster, Client(cluster) as client:
        client.run(without_scheduler, times=times)
        found = dd.from_pandas(expected, npartitions=4).shuffle("k", npartitions=3).compute()
    pd.testing.assert_frame_equal(found.sort_values("v"), expected, check_dtype=False)
