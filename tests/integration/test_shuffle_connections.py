"""P2P shuffles whose workers lose their connections to the scheduler or to each other during the shuffle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dagrpc import Client, LocalCluster, wait
from tests.support.clusters import ProxiedWorker, note, runs
from tests.support.waiting import eventually

TIMEOUT = 60
ALL = 1_000
NAMES = ("a", "b", "c")
SETTINGS = {
    "DAGRPC_COMM__TIMEOUTS__TCP": "2s",
    # Half of what is shuffled does not fit in.
    "DAGRPC_P2P__COMM__BUFFER": "100 kB",
    "DAGRPC_P2P__COMM__MESSAGE_BYTES_LIMIT": "20 kB",
    "DAGRPC_P2P__COMM__RETRY__DELAY__MIN": "50ms",
    "DAGRPC_P2P__COMM__RETRY__DELAY__MAX": "300ms",
}
FRAME = pd.DataFrame({"k": np.arange(12_000) * 7919 % 500, "x": np.arange(12_000.0)})
VALUES = np.arange(160_000.0).reshape(400, 400)


class Site:
    """A cluster whose workers reach the scheduler and each other through proxies."""

    def __init__(self, client: Client, workers: dict[str, ProxiedWorker]) -> None:
        self.client = client
        self.workers = workers

    def links(self, *names: str) -> list[Any]:
        """Return the proxies through which others reach workers."""
        return [self.workers[name].to_worker for name in names or NAMES]

    def restore(self) -> None:
        for worker in self.workers.values():
            worker.to_scheduler.restore()
            assert worker.to_worker is not None
            worker.to_worker.restore()

    def statuses(self) -> dict[str, str]:
        return {worker["name"]: worker["status"] for worker in self.client.scheduler_info(-1)["workers"].values()}

    def whole(self) -> bool:
        return self.statuses() == dict.fromkeys(NAMES, "running")

    def runs_begun(self) -> int:
        begun: int = self.client.run_on_scheduler(lambda dask_scheduler: dask_scheduler._service.shuffles.last_run)
        return begun


def site_with(grace: str) -> Iterator[Site]:
    workers: dict[str, ProxiedWorker] = {}
    with (
        pytest.MonkeyPatch.context() as patch,
        dask.config.set({"dagrpc.comm.timeouts.tcp": "2s", "dagrpc.scheduler.worker-grace": grace}),
        LocalCluster(n_workers=0, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        try:
            for name in NAMES:
                workers[name] = ProxiedWorker(cluster.scheduler_address, name, contact=True)
            client.wait_for_workers(len(NAMES), timeout=TIMEOUT)
            yield Site(client, workers)
        finally:
            for worker in workers.values():
                worker.close()


@pytest.fixture(scope="module")
def patient() -> Iterator[Site]:
    """A cluster whose scheduler waits for workers as long as any test takes."""
    yield from site_with("600s")


@pytest.fixture(scope="module")
def hasty() -> Iterator[Site]:
    """A cluster whose scheduler waits half a second for workers."""
    yield from site_with("500ms")


@pytest.fixture
def site(patient: Site) -> Iterator[Site]:
    yield patient
    settle(patient)


@pytest.fixture
def short(hasty: Site) -> Iterator[Site]:
    yield hasty
    settle(hasty)


def settle(site: Site) -> None:
    """Wait until all workers are there, and nothing of a shuffle is left."""
    site.restore()
    eventually(site.whole)

    def nothing_left() -> bool:
        # Not a function of this module: workers that import it while they import dask for a task may do neither.
        def look(dask_worker: Any) -> list[Any]:
            shuffles = dask_worker.shuffles
            files = [str(path) for path in Path(dask_worker.local_directory).rglob("run-*")]
            return [*shuffles._runs, shuffles._budget.used, shuffles._outbox.budget.used, *files]

        known = site.client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler._service.shuffles.runs))
        return not known and all(found == [0, 0] for found in site.client.run(look).values())

    eventually(nothing_left)


# --- what is shuffled: sources and outputs leave a trace, and wait for a gate -----------------------------------


class Trace:
    """Files in which tasks note that they run; all tasks but the first ones wait until the gate is open."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def leave(self, what: str, number: int, limit: int) -> None:
        note(str(self.path / what), number)
        deadline = time.monotonic() + TIMEOUT
        if len(runs(self.path / what)) > limit:
            while not (self.path / f"{what}-may").exists() and time.monotonic() < deadline:
                time.sleep(0.01)

    def wait_for(self, what: str, count: int) -> None:
        eventually(lambda: len(runs(self.path / what)) >= count)

    def open(self, what: str) -> None:
        (self.path / f"{what}-may").touch()


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return Trace(tmp_path)


def part_of_frame(number: int) -> pd.DataFrame:
    return FRAME.iloc[number * 1_000 : (number + 1) * 1_000]


def shuffled_frame(trace: Trace, sources: int, outputs: int) -> Any:
    """Return a dataframe, shuffled, of which so many sources and outputs come before the gates."""

    def source(number: int) -> pd.DataFrame:
        trace.leave("source", number, sources)
        return part_of_frame(number)

    def output(part: pd.DataFrame, partition_info: Any = None) -> pd.DataFrame:
        trace.leave("output", partition_info["number"] if partition_info else 0, outputs)
        return part

    shuffled = dd.from_map(source, range(12), meta=FRAME.iloc[:0]).shuffle("k", npartitions=9, shuffle_method="p2p")
    return shuffled.map_partitions(output, meta=FRAME.iloc[:0])


def shuffled_array(trace: Trace, sources: int, outputs: int) -> Any:
    def source(block: Any, block_info: Any = None) -> Any:
        trace.leave("source", block_info[0]["chunk-location"][0] if block_info else 0, sources)
        return block

    def output(block: Any, block_info: Any = None) -> Any:
        trace.leave("output", block_info[0]["chunk-location"][1] if block_info else 0, outputs)
        return block

    array = da.from_array(VALUES, chunks=(40, 400)).map_blocks(source, dtype=VALUES.dtype, meta=VALUES[:0, :0])
    array = array.rechunk((400, 40), method="p2p")
    return array.map_blocks(output, dtype=VALUES.dtype, meta=VALUES[:0, :0])


def right(found: Any) -> bool:
    if isinstance(found, pd.DataFrame):
        pd.testing.assert_frame_equal(found.sort_index(), FRAME)
    else:
        assert np.array_equal(found, VALUES)
    return True


def each(name: str, *values: str) -> Any:
    """Run a test with each value, with dataframes and arrays in turns."""
    makers = (shuffled_frame, shuffled_array)
    return pytest.mark.parametrize((name, "shuffled"), [(value, makers[i % 2]) for i, value in enumerate(values)])


# --- between a worker and the scheduler --------------------------------------------------------------------------


@each("how", "drop", "cut", "blackhole")
def test_a_worker_is_back_within_the_grace(site: Site, trace: Trace, shuffled: Any, how: str) -> None:
    future = site.client.compute(shuffled(trace, 6, 2))
    begun = site.runs_begun()
    trace.wait_for("source", 7)
    getattr(site.workers["a"].to_scheduler, how)()
    trace.open("source")
    if how != "drop":
        eventually(lambda: site.statuses()["a"] == "disconnected")
        site.restore()
    trace.wait_for("output", 3)
    site.workers["b"].to_scheduler.drop()
    trace.open("output")
    assert right(future.result(timeout=TIMEOUT))
    # Nothing was begun again.
    assert site.runs_begun() <= begun + 1
    assert sorted(set(runs(trace.path / "source"))) == runs(trace.path / "source")


@each("when", "source", "output")
def test_a_worker_is_back_after_the_grace(short: Site, trace: Trace, shuffled: Any, when: str) -> None:
    future = short.client.compute(shuffled(trace, 6, 2))
    trace.wait_for("source", 7)
    if when == "output":
        trace.open("source")
        trace.wait_for("output", 3)
    short.workers["a"].to_scheduler.cut()
    eventually(lambda: "a" not in short.statuses())
    trace.open("source")
    if when == "source":
        # Others begin the shuffle again, and the one that was given up comes back in the middle of that.
        trace.wait_for("output", 3)
    short.restore()
    eventually(short.whole)
    trace.open("output")
    assert right(future.result(timeout=TIMEOUT))


def test_a_worker_that_never_is_back(short: Site, trace: Trace) -> None:
    future = short.client.compute(shuffled_array(trace, 6, ALL))
    trace.wait_for("source", 7)
    short.workers["a"].to_scheduler.cut()
    short.workers["a"].to_worker.cut()  # type: ignore[union-attr]
    trace.open("source")
    assert right(future.result(timeout=TIMEOUT))


# --- between workers ---------------------------------------------------------------------------------------------


@each("how", "drop", "cut", "blackhole", "up", "down", "delay")
def test_connections_break_while_data_is_sent(site: Site, trace: Trace, shuffled: Any, how: str) -> None:
    future = site.client.compute(shuffled(trace, 6, ALL))
    trace.wait_for("source", 7)
    break_links(site.links("a", "b"), how)
    trace.open("source")
    if how in ("cut", "blackhole", "up", "down"):
        with pytest.raises(TimeoutError):
            wait(future, timeout=2.5)
        site.restore()
    assert right(future.result(timeout=TIMEOUT))


def break_links(links: list[Any], how: str) -> None:
    for link in links:
        if how in ("up", "down"):
            link.blackhole(how)
        elif how == "delay":
            link.delay(0.05)
        else:
            getattr(link, how)()


@each("how", "cut", "blackhole")
def test_connections_break_while_the_barrier_waits(site: Site, trace: Trace, shuffled: Any, how: str) -> None:
    """All parcels are queued for sending, and none of them arrives."""
    future = site.client.compute(shuffled(trace, 6, ALL))
    trace.wait_for("source", 7)
    links = site.links()
    for link in links:
        link.delay(0.3)
    trace.open("source")
    eventually(lambda: barrier_runs(site))
    break_links(links, how)
    with pytest.raises(TimeoutError):
        wait(future, timeout=2.5)
    site.restore()
    assert right(future.result(timeout=TIMEOUT))


def barrier_runs(site: Site) -> bool:
    return any("barrier" in str(key) for keys in site.client.processing().values() for key in keys)


def test_a_break_that_is_longer_than_calls_are_repeated(site: Site, trace: Trace) -> None:
    begun = site.runs_begun()
    future = site.client.compute(shuffled_frame(trace, 6, ALL))
    trace.wait_for("source", 7)
    for link in site.links():
        link.cut()
    trace.open("source")
    eventually(lambda: site.runs_begun() >= begun + 2)
    site.restore()
    assert right(future.result(timeout=TIMEOUT))
