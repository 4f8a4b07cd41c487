"""Workloads in which every input partition sends data to every output partition.

Each by tasks, and from peer to peer. The data is made on the workers, the answer is a count, so that neither is moved.
"""

from __future__ import annotations

from typing import Any

from benchmarks.measure import Bench, Watch

PARTITIONS = 40
ROWS = 40_000
"""Number of rows of a partition, whose four columns take 1.3 MB."""
KEYS = 100_000


def make_frame(seed: int, rows: int) -> Any:
    """Return a partition: a key, two numbers and a short text."""
    import numpy
    import pandas

    random = numpy.random.default_rng(seed)
    return pandas.DataFrame(
        {
            "key": random.integers(0, KEYS, rows),
            "x": random.random(rows),
            "y": random.random(rows),
            "text": pandas.array(random.integers(0, 1_000, rows).astype(str), dtype="string[pyarrow]"),
        }
    )


def make_frames(bench: Bench, partitions: int) -> Any:
    """Return a dataframe whose partitions no workload has used."""
    import dask.dataframe

    rows = ROWS // bench.divisor
    seeds = list(bench.fresh(partitions))
    frames: Any = dask.dataframe
    return frames.from_map(make_frame, seeds, rows=rows, meta=make_frame(0, 1))


def counted(frame: Any) -> Any:
    """Return the number of rows, which needs all of every partition."""
    return frame.map_partitions(len, meta=("rows", int)).sum()


def warm_up(bench: Bench, method: str) -> None:
    """Run a small shuffle so that the workers import the modules they need."""
    small = make_frames(bench, 4)
    counted(small.shuffle("key", shuffle_method=method)).compute(scheduler=bench.client)


def run_shuffle(bench: Bench, method: str) -> None:
    """A shuffle that moves rows with the same key to the same partition."""
    warm_up(bench, method)
    frame = make_frames(bench, PARTITIONS)
    watch = Watch()
    with watch:
        answer = counted(frame.shuffle("key", shuffle_method=method)).compute(scheduler=bench.client)
    assert answer == PARTITIONS * (ROWS // bench.divisor)
    bench.record(f"shuffle_{method}", watch.seconds, watch)


def run_merge(bench: Bench, method: str) -> None:
    """A merge of two dataframes by key."""
    warm_up(bench, method)
    left, right = make_frames(bench, PARTITIONS), make_frames(bench, PARTITIONS // 2)[["key", "x"]]
    watch = Watch()
    with watch:
        merged = left.merge(right, on="key", shuffle_method=method, broadcast=False)
        answer = counted(merged).compute(scheduler=bench.client)
    assert answer > 0
    bench.record(f"merge_{method}", watch.seconds, watch)


def run_set_index(bench: Bench, method: str) -> None:
    """A sort of a dataframe by `set_index`."""
    warm_up(bench, method)
    frame = make_frames(bench, PARTITIONS)
    borders = [i * KEYS // PARTITIONS for i in range(PARTITIONS)] + [KEYS]
    watch = Watch()
    with watch:
        answer = counted(frame.set_index("key", divisions=borders, shuffle_method=method)).compute(
            scheduler=bench.client
        )
    assert answer == PARTITIONS * (ROWS // bench.divisor)
    bench.record(f"set_index_{method}", watch.seconds, watch)


def run_rechunk(bench: Bench, method: str) -> None:
    """A rechunk of an array from blocks of rows to blocks of columns."""
    import dask.array

    array: Any = dask.array
    side = 4_000 if bench.divisor == 1 else 1_000
    rows = array.random.random((side, side), chunks=(side // 40, side))
    watch = Watch()
    with watch:
        answer = rows.rechunk((side, side // 40), method=method).sum().compute(scheduler=bench.client)
    assert abs(answer / side**2 - 0.5) < 0.01
    bench.record(f"rechunk_{method}", watch.seconds, watch)


def shuffle_tasks(bench: Bench) -> None:
    """See `run_shuffle`."""
    run_shuffle(bench, "tasks")


def shuffle_p2p(bench: Bench) -> None:
    """See `run_shuffle`."""
    run_shuffle(bench, "p2p")


def merge_tasks(bench: Bench) -> None:
    """See `run_merge`."""
    run_merge(bench, "tasks")


def merge_p2p(bench: Bench) -> None:
    """See `run_merge`."""
    run_merge(bench, "p2p")


def set_index_tasks(bench: Bench) -> None:
    """See `run_set_index`."""
    run_set_index(bench, "tasks")


def set_index_p2p(bench: Bench) -> None:
    """See `run_set_index`."""
    run_set_index(bench, "p2p")


def rechunk_tasks(bench: Bench) -> None:
    """See `run_rechunk`."""
    run_rechunk(bench, "tasks")


def rechunk_p2p(bench: Bench) -> None:
    """See `run_rechunk`."""
    run_rechunk(bench, "p2p")
