"""P2P shuffles of dataframes and arrays, on worker processes, some of which are killed."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
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
from dagrpc.exceptions import P2PIllegalStateError, P2POutOfDiskError
from dagrpc.shuffle import shuffle_tasks
from tests.support.waiting import eventually

TIMEOUT = 60
ROWS = 20_000
SMALL = {
    "dagrpc.p2p.storage.buffer": "100 kB",
    "dagrpc.p2p.comm.buffer": "200 kB",
    "dagrpc.p2p.comm.message-bytes-limit": "50 kB",
    "dagrpc.p2p.comm.retry.delay.min": "10ms",
}
"""Buffers that hold a small part of what the tests shuffle."""


def frame(rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(rows)
    return pd.DataFrame(
        {
            "k": rng.integers(0, 500, rows),
            "x": rng.random(rows),
            "s": pd.array(rng.integers(0, 50, rows).astype(str), dtype="string[pyarrow]"),
            "c": pd.Categorical.from_codes(rng.integers(0, 3, rows), ["one", "two", "three"]),
            "t": pd.date_range("2020", periods=rows, freq="s", tz="UTC"),
        }
    )


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found.sort_index(), expected)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A cluster whose workers write nearly everything to disk."""
    with dask.config.set(SMALL), LocalCluster(n_workers=3, threads_per_worker=1, processes=True) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as client:
        yield client
        assert_nothing_is_left(client)


def left(client: Client) -> list[tuple[list[str], int, int, list[str]]]:
    """Return the shuffles of each worker, the bytes that it has received and those it is to send, and its files."""

    # Not a function of this module: workers that import it while they import dask for a task may do neither.
    def look(dask_worker: Any) -> Any:
        shuffles = dask_worker.shuffles
        files = [str(path) for path in Path(dask_worker.local_directory).rglob("run-*")]
        return list(shuffles._runs), shuffles._budget.used, shuffles._outbox.budget.used, files

    return list(client.run(look).values())


def assert_nothing_is_left(client: Client) -> None:
    """Wait until no shuffle is known, no memory counted and no file there."""
    deadline = time.monotonic() + TIMEOUT
    nothing: Any = ([], 0, 0, [])
    while True:
        found = left(client)
        known = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler._service.shuffles.runs))
        if not known and all(each == nothing for each in found):
            return
        assert time.monotonic() < deadline, (known, found)
        time.sleep(0.02)


# --- dataframes --------------------------------------------------------------------------------------------------


def test_rows_meet_by_key(client: Client) -> None:
    expected = frame()
    shuffled = dd.from_pandas(expected, npartitions=7).shuffle("k", npartitions=11)
    assert any("shuffle-barrier" in str(key) for key in shuffled.__dask_graph__())
    parts = client.gather(client.compute([shuffled.partitions[i] for i in range(11)]))
    same(pd.concat(parts), expected)
    assert sum(len(set(part.k)) for part in parts) == expected.k.nunique()
    assert all(part.dtypes.equals(expected.dtypes) for part in parts)


def test_more_partitions_than_keys(client: Client) -> None:
    expected = frame(40)
    same(dd.from_pandas(expected, npartitions=40).shuffle("k", npartitions=150).compute(), expected)


def test_workers_that_get_nothing(client: Client) -> None:
    """Neither with one source, so that most workers send nothing either, nor with nothing at all."""
    for rows in (0, 1):
        found = dd.from_pandas(frame(10).iloc[:rows], npartitions=1).shuffle("k", npartitions=9).compute()
        same(found, frame(10).iloc[:rows])


def test_columns_of_objects(client: Client) -> None:
    with dask.config.set({"dataframe.convert-string": False}):
        expected = pd.DataFrame({"k": range(9), "o": pd.Series([{"a": 1}, None, "text"] * 3, dtype=object)})
        same(dd.from_pandas(expected, npartitions=3).shuffle("k").compute(), expected)


def test_merges(client: Client) -> None:
    left, right = frame(), frame(300)[["k", "s"]].drop_duplicates("k").rename(columns={"s": "name"})
    for how in ("inner", "left", "outer"):
        lazy = dd.from_pandas(left, npartitions=5).merge(
            dd.from_pandas(right, npartitions=4), on="k", how=how, broadcast=False
        )
        assert any("hash-join-transfer" in str(key) for key in lazy.__dask_graph__())
        columns = ["k", "x", "s", "name"]
        expected = left.merge(right, on="k", how=how)[columns].sort_values(columns, ignore_index=True)
        found = lazy.compute()[columns].sort_values(columns, ignore_index=True)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_an_index_is_set(client: Client) -> None:
    data = frame()
    found = dd.from_pandas(data, npartitions=6).set_index("x").compute()
    pd.testing.assert_frame_equal(found, data.set_index("x").sort_index())


def test_groups_are_shuffled(client: Client) -> None:
    data = frame()
    lazy = dd.from_pandas(data, npartitions=6)
    found = lazy.groupby("k").x.median().compute().sort_index()
    pd.testing.assert_series_equal(found, data.groupby("k").x.median())
    sums = lazy.groupby("s").x.sum(split_out=3, shuffle_method="p2p").compute().sort_index()
    pd.testing.assert_series_equal(sums, data.groupby("s").x.sum(), check_index_type=False)


def test_one_shuffle_after_another_and_several_at_once(client: Client) -> None:
    expected = frame(5_000)
    lazy = dd.from_pandas(expected, npartitions=5)
    twice = lazy.shuffle("k").shuffle("s", npartitions=3)
    others = [lazy.shuffle(column, npartitions=n) for column, n in (("k", 4), ("s", 6), ("x", 5))]
    for found in dask.compute(twice, twice, *others):
        same(found, expected)
    same(twice.compute(), expected)


def test_existing_results_are_not_computed_again(client: Client) -> None:
    expected = frame(2_000)
    shuffled = dd.from_pandas(expected, npartitions=4).shuffle("k").persist()
    wait(shuffled)
    assert_nothing_is_left(client)
    same(shuffled.compute(), expected)


def test_data_that_cannot_be_shuffled_is_refused_at_once(client: Client) -> None:
    """dask itself raises the error."""
    with pytest.raises(TypeError, match="column names"):
        dd.from_pandas(pd.DataFrame({0: [1, 2], "k": [1, 2]}), npartitions=1).shuffle("k")


def test_a_shuffle_in_a_task(client: Client) -> None:
    def count() -> int:
        data = pd.DataFrame({"k": range(100)})
        lazy = dd.from_pandas(data, npartitions=4).shuffle("k", npartitions=3)
        assert any("shuffle-barrier" in str(key) for key in lazy.__dask_graph__())
        return len(lazy.compute())

    assert client.submit(count).result(timeout=TIMEOUT) == 100


def test_outputs_that_are_wanted_on_one_worker(client: Client) -> None:
    expected = frame(2_000)
    address = next(iter(client.scheduler_info()["workers"]))
    shuffled = client.persist(dd.from_pandas(expected, npartitions=4).shuffle("k"), workers=[address])
    wait(shuffled)
    assert {where for holders in client.who_has(shuffled).values() for where in holders} == {address}
    same(shuffled.compute(), expected)


def test_outputs_that_are_where_nobody_expected_them(client: Client) -> None:
    """The barrier chooses where outputs are put together. Any other worker can do it, too."""
    expected = frame(2_000)
    shuffled = dd.from_pandas(expected, npartitions=4).shuffle("k", npartitions=6)
    first, second = list(client.scheduler_info()["workers"])[:2]
    keys = shuffled.__dask_keys__()
    places = {(key,): second if i % 2 else first for i, key in enumerate(keys)}
    found = client.persist(shuffled, workers=places, optimize_graph=False)
    same(client.compute(found).result(timeout=TIMEOUT), expected)


# --- arrays ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [((10, 100), (100, 10)), ((33, 50), (50, 33)), ((100, 1), (25, 100)), ((7, 13), (100, 100)), ((20, 100), (20, 50))],
)
def test_arrays_are_rechunked(client: Client, old: tuple[int, int], new: tuple[int, int]) -> None:
    values = np.arange(10_000.0).reshape(100, 100)
    array = da.from_array(values, chunks=old).rechunk(new, method="p2p")
    assert array.chunks == da.from_array(values, chunks=new).chunks
    assert np.array_equal((array + 1).compute(), values + 1)


def test_arrays_of_objects_and_of_nothing(client: Client) -> None:
    values = np.array([[None, "text"], [1.5, (1, 2)]], dtype=object)
    found = da.from_array(values, chunks=(1, 2)).rechunk((2, 1), method="p2p").compute()
    assert found.tolist() == values.tolist()
    empty = da.zeros((0, 10), chunks=(0, 5)).rechunk((0, 2), method="p2p")
    assert empty.compute().shape == (0, 10)


def test_few_pieces_are_left_to_tasks_unless_p2p_is_asked_for(client: Client) -> None:
    few, many = da.ones((8, 8), chunks=(4, 4)), da.ones((40, 40), chunks=(1, 40))

    def by_p2p(array: Any) -> bool:
        return any("barrier" in str(key) for key in array.__dask_graph__())

    assert not by_p2p(few.rechunk((3, 3)))
    assert by_p2p(few.rechunk((3, 3), method="p2p"))
    assert by_p2p(many.rechunk((40, 1)))
    assert not by_p2p(many.rechunk((40, 1), method="tasks"))
    with dask.config.set({"array.rechunk.method": "tasks"}):
        assert not by_p2p(many.rechunk((40, 1)))


# --- trouble -----------------------------------------------------------------------------------------------------


class Gate:
    """Lets tasks through up to a number; the others wait until it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def hold(self, data: Any, number: int, limit: int) -> Any:
        (self.path / f"came-{number}").touch()
        deadline = time.monotonic() + TIMEOUT
        while number >= limit and not (self.path / "open").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return data

    def wait_for(self, count: int) -> None:
        eventually(lambda: len(list(self.path.glob("came-*"))) >= count, TIMEOUT)

    def open(self) -> None:
        (self.path / "open").touch()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


def held(lazy: Any, gate: Gate, limit: int) -> Any:
    """Let some partitions of a dataframe through."""

    def hold(data: pd.DataFrame, partition_info: Any = None) -> pd.DataFrame:
        return gate.hold(data, partition_info["number"] if partition_info else 0, limit)

    return lazy.map_partitions(hold, meta=lazy._meta)


def kill_one(client: Client, index: int = 0) -> None:
    pids = client.run(os.getpid)
    os.kill(list(pids.values())[index], signal.SIGKILL)


def all_keep_something(client: Client) -> bool:
    return all(used or files for _, used, _, files in left(client))


def runs_begun(client: Client) -> int:
    begun: int = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler._service.shuffles.last_run)
    return begun


def test_a_worker_is_killed_while_data_is_sent(client: Client, gate: Gate) -> None:
    expected = frame(6_000)
    begun = runs_begun(client)
    lazy = held(dd.from_pandas(expected, npartitions=12), gate, 10).shuffle("k")
    future = client.compute(lazy)
    eventually(lambda: all_keep_something(client))
    kill_one(client)
    gate.open()
    same(future.result(timeout=TIMEOUT), expected)
    assert runs_begun(client) == begun + 2
    client.wait_for_workers(3, timeout=TIMEOUT)


def test_a_worker_is_killed_while_outputs_are_put_together(client: Client, gate: Gate) -> None:
    expected = frame(6_000)
    begun = runs_begun(client)
    lazy = held(dd.from_pandas(expected, npartitions=4).shuffle("k", npartitions=12), gate, 3)
    future = client.compute(lazy)
    gate.wait_for(3)
    kill_one(client, 1)
    gate.open()
    same(future.result(timeout=TIMEOUT), expected)
    assert runs_begun(client) >= begun + 2
    client.wait_for_workers(3, timeout=TIMEOUT)


def test_outputs_that_are_lost_are_computed_again(client: Client) -> None:
    expected = frame(6_000)
    shuffled = client.persist(dd.from_pandas(expected, npartitions=4).shuffle("k", npartitions=9))
    wait(shuffled)
    kill_one(client, 2)
    eventually(lambda: len(client.scheduler_info()["workers"]) == 3)
    same(client.compute(shuffled).result(timeout=TIMEOUT), expected)


def test_chunks_survive_a_killed_worker(client: Client, gate: Gate) -> None:
    values = np.arange(40_000.0).reshape(200, 200)

    def hold(chunk: Any, block_id: Any = None) -> Any:
        return gate.hold(chunk, block_id[0], 18)

    source = da.from_array(values, chunks=(10, 200)).map_blocks(hold, dtype=float, meta=np.empty((0, 0)))
    future = client.compute(source.rechunk((200, 10), method="p2p"))
    eventually(lambda: all_keep_something(client))
    kill_one(client)
    gate.open()
    assert np.array_equal(future.result(timeout=TIMEOUT), values)
    client.wait_for_workers(3, timeout=TIMEOUT)


def test_a_shuffle_is_cancelled_in_the_middle(client: Client, gate: Gate) -> None:
    lazy = held(dd.from_pandas(frame(6_000), npartitions=12), gate, 10).shuffle("k")
    future = client.compute(lazy)
    eventually(lambda: all_keep_something(client))
    future.cancel()
    gate.open()
    assert_nothing_is_left(client)
    same(dd.from_pandas(frame(100), npartitions=2).shuffle("k").compute(), frame(100))


def test_a_run_that_does_not_hold_together_begins_again(client: Client, gate: Gate) -> None:
    expected = frame(6_000)
    begun = runs_begun(client)
    future = client.compute(held(dd.from_pandas(expected, npartitions=12), gate, 10).shuffle("k"))
    eventually(lambda: all_keep_something(client))

    def complain(dask_worker: Any) -> None:
        shuffles = dask_worker.shuffles
        for run in list(shuffles._runs.values()):
            shuffles._on_loop(shuffles._complain(run.id, run.run_id, "a test says so"))

    # Of several that find out about one run, one is enough; the last may already be in the next.
    client.run(complain)
    gate.open()
    same(future.result(timeout=TIMEOUT), expected)
    assert begun + 2 <= runs_begun(client) <= begun + 4


def test_sources_of_another_run_are_noticed(client: Client, tmp_path: Path) -> None:
    expected = frame(1_000)
    begun = runs_begun(client)
    shuffled = dd.from_pandas(expected, npartitions=4).shuffle("k", npartitions=3).optimize()
    graph = dict(shuffled.__dask_graph__())

    def lie(data: Any, spec: Any, number: int) -> shuffle_tasks.Sent:
        """Send a source, and claim once that the source was sent in another run."""
        sent = shuffle_tasks.shuffle_transfer(data, spec, number)
        told = tmp_path / "told"
        if told.exists():
            return sent
        told.touch()
        return replace(sent, run_id=sent.run_id + 1_000)

    key = next(key for key in graph if "transfer" in str(key))
    graph[key] = Task(key, lie, *graph[key].args)
    parts = client.get(graph, shuffled.__dask_keys__())
    same(pd.concat(parts), expected)
    assert runs_begun(client) == begun + 2


def test_an_error_in_the_middle_is_the_shuffles(client: Client) -> None:
    def fail(data: pd.DataFrame, partition_info: Any = None) -> pd.DataFrame:
        if partition_info and partition_info["number"] == 3:
            raise ZeroDivisionError("on purpose")
        return data

    lazy = dd.from_pandas(frame(1_000), npartitions=5)
    with pytest.raises(ZeroDivisionError, match="on purpose"):
        lazy.map_partitions(fail, meta=lazy._meta).shuffle("k").compute()


def test_a_full_disk(client: Client) -> None:
    def limit(dask_worker: Any, size: int) -> None:
        import resource

        # A file that would become larger fails as one on a full disk does.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    client.run(limit, size=4_096)
    try:
        with pytest.raises(P2POutOfDiskError, match="no room on the disk"):
            dd.from_pandas(frame(), npartitions=6).shuffle("k").compute()
    finally:
        client.run(limit, size=-1)
    same(dd.from_pandas(frame(), npartitions=5).shuffle("k").compute(), frame())


def test_without_a_cluster_there_is_no_p2p(client: Client) -> None:
    lazy = dd.from_pandas(frame(10), npartitions=2).shuffle("k")
    with pytest.raises(P2PIllegalStateError, match="cluster"):
        lazy.compute(scheduler="threads")


def test_a_worker_is_retired_in_the_middle(client: Client, gate: Gate) -> None:
    # The last one of the shared cluster, which has a worker less from here.
    expected = frame(6_000)
    lazy = held(dd.from_pandas(expected, npartitions=4).shuffle("k", npartitions=12), gate, 3)
    future = client.compute(lazy)
    gate.wait_for(3)
    address = next(iter(client.scheduler_info()["workers"]))
    retiring = threading.Thread(target=client.retire_workers, args=([address],))
    retiring.start()
    gate.open()
    same(future.result(timeout=TIMEOUT), expected)
    retiring.join(TIMEOUT)
    assert not retiring.is_alive()


def test_all_in_memory(tmp_path: Path) -> None:
    with (
        dask.config.set({"dagrpc.p2p.storage.disk": False, "dagrpc.p2p.storage.buffer": 1}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        same(dd.from_pandas(frame(), npartitions=6).shuffle("k").compute(), frame())
        assert_nothing_is_left(client)


def test_dask_finds_no_distributed_that_is_not_there() -> None:
    program = """
import importlib.util, sys
import dask.dataframe as dd, pandas as pd
from dagrpc import Client, LocalCluster
with LocalCluster(n_workers=1, processes=False) as cluster, Client(cluster, set_as_default=False) as client:
    if importlib.util.find_spec("distributed") is None:
        assert "distributed" not in sys.modules
        try:
            import distributed
        except ModuleNotFoundError:
            pass
        else:
            raise AssertionError("there is a distributed now")
    lazy = dd.from_pandas(pd.DataFrame({"k": range(10)}), npartitions=2).shuffle("k", shuffle_method="p2p")
    assert len(client.compute(lazy).result()) == 10
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr


def test_specs_travel() -> None:
    from dagrpc.shuffle.frames import FrameSpec

    spec = FrameSpec("a", "b", (1, 2), "k", frame(0))
    assert pickle.loads(pickle.dumps(spec)).partitions == (1, 2)
