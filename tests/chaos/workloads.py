"""Workloads that clients run during faults. Each one checks its answers against NumPy, pandas or plain Python.

Without faults, a workload takes a few seconds and mostly sleeps, so that faults hit running tasks while the machine
stays idle. Actors and scattered data are lost with their worker, as documented; a workload creates them again and
counts the losses.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dagrpc import Client, Future, as_completed
from dagrpc.exceptions import LostActorError

PATIENCE = 150.0
"""Seconds that a result may take. Far more than it takes with all that breaks: who waits longer waits for ever."""
MOST_ATTEMPTS = 30


class WrongAnswer(AssertionError):
    """The cluster computed something else than one machine does."""


class Tally:
    """Counts the tasks of a workload and its documented losses."""

    def __init__(self) -> None:
        self.tasks = 0
        self.made_again: Counter[str] = Counter()
        """Number of objects of each kind that were lost, as documented, and created again."""


Workload = Callable[[Client, random.Random, Tally], None]


def _check(name: str, found: Any, expected: Any) -> None:
    if not np.allclose(found, expected):
        raise WrongAnswer(f"{name}: {found!r:.300} in place of {expected!r:.300}")


def _compute(client: Client, tally: Tally, collection: Any) -> Any:
    tally.tasks += len(collection.__dask_graph__())
    return client.compute(collection).result(timeout=PATIENCE)


# --- arrays ------------------------------------------------------------------------------------------------------


def waves(rows: Any, columns: Any, phase: float = 0.0, seconds: float = 0.0) -> Any:
    """Return a block of an array by the indices of its elements."""
    time.sleep(seconds)
    return np.sin(0.01 * rows * columns + phase)


def array(client: Client, chance: random.Random, tally: Tally) -> None:
    """Rechunk, multiply and sum; what is persisted is used more than once."""
    import dask.array as da

    phase, shape = chance.random(), (600, 600)
    here = np.fromfunction(partial(waves, phase=phase), shape)
    there = da.fromfunction(
        waves, shape=shape, chunks=(100, 100), dtype=float, phase=phase + 0.0, seconds=chance.choice([0.02, 0.1])
    )
    there = client.persist(there)
    tally.tasks += len(there.__dask_graph__())
    method = chance.choice(["tasks", "p2p"])
    strips = there.rechunk((300, 50), method=method)
    _check(f"rechunk by {method}", _compute(client, tally, strips), here)
    _check("matmul", _compute(client, tally, (strips @ strips.T).sum(axis=0)), (here @ here.T).sum(axis=0))
    _check("sum", _compute(client, tally, there.sum()), here.sum())


# --- dataframes --------------------------------------------------------------------------------------------------


def unhurried(frame: Any, seconds: float) -> Any:
    """Return a partition as it is, after a while."""
    time.sleep(seconds)
    return frame


def dataframe(client: Client, chance: random.Random, tally: Tally) -> None:
    """Group, and merge two tables, shuffled both ways."""
    import dask
    import dask.dataframe as dd
    import pandas as pd

    numbers = np.random.default_rng(chance.randrange(2**32))
    left = pd.DataFrame({"key": numbers.integers(0, 200, 3000), "value": numbers.random(3000)})
    right = pd.DataFrame({"key": np.arange(200), "weight": numbers.random(200)})
    method = chance.choice(["tasks", "p2p"])
    with dask.config.set({"dataframe.shuffle.method": method}):
        parts = dd.from_pandas(left, npartitions=10)
        parts = parts.map_partitions(unhurried, chance.choice([0.05, 0.2]), meta=parts._meta)
        grouped = _compute(client, tally, parts.groupby("key").value.agg(["sum", "count"]))
        merged = _compute(client, tally, parts.merge(dd.from_pandas(right, npartitions=4), on="key"))
    expected = left.groupby("key").value.agg(["sum", "count"])
    pd.testing.assert_frame_equal(grouped.sort_index(), expected, check_dtype=False)
    columns = ["key", "value", "weight"]
    pd.testing.assert_frame_equal(
        merged[columns].sort_values(columns, ignore_index=True),
        left.merge(right, on="key")[columns].sort_values(columns, ignore_index=True),
        check_dtype=False,
    )


# --- futures -----------------------------------------------------------------------------------------------------


def square(number: int, seconds: float) -> int:
    """Return a number's square after a while."""
    time.sleep(seconds)
    return number * number


def add(one: int, other: int) -> int:
    """Return the sum of two."""
    return one + other


def element(index: int, numbers: Any) -> float:
    """Return an element of an array after a while."""
    time.sleep(0.02)
    return float(numbers[index])


def futures(client: Client, chance: random.Random, tally: Tally) -> None:
    """Map, as_completed, a tree of sums, the results once more; then tasks on scattered data."""
    count = chance.randrange(40, 120)
    squares = client.map(square, range(count), seconds=chance.choice([0.01, 0.05]), pure=False)
    tally.tasks += count
    found = [result for _, result in as_completed(squares, with_results=True, timeout=PATIENCE)]
    for failure in (result for result in found if isinstance(result, BaseException)):
        raise failure
    found.sort()
    _check("as_completed", found, [number * number for number in range(count)])
    level: list[Future[int]] = list(squares)
    while len(level) > 1:
        pairs = [client.submit(add, *level[i : i + 2], pure=False) for i in range(0, len(level) - 1, 2)]
        tally.tasks += len(pairs)
        level = pairs + level[len(level) // 2 * 2 :]
    _check("tree", level[0].result(timeout=PATIENCE), sum(found))
    _check("gather", client.gather(squares), [number * number for number in range(count)])
    _scattered(client, chance, tally)


def _scattered(client: Client, chance: random.Random, tally: Tally) -> None:
    numbers = np.random.default_rng(chance.randrange(2**32)).random(200_000)
    indices = chance.sample(range(len(numbers)), 30)
    for _ in range(MOST_ATTEMPTS):
        data = client.scatter(numbers, hash=False, timeout=PATIENCE)
        elements = client.map(element, indices, numbers=data, pure=False)
        tally.tasks += len(indices)
        try:
            # One by one: gathering has no timeout.
            results = [future.result(timeout=PATIENCE) for future in elements]
        except TimeoutError:
            raise
        except Exception:
            if data.status not in ("lost", "cancelled"):
                raise
            tally.made_again["scattered data"] += 1
            continue
        _check("scatter", results, numbers[indices])
        return
    raise WrongAnswer(f"scattered data was lost {MOST_ATTEMPTS} times")


# --- actors ------------------------------------------------------------------------------------------------------


class Account:
    """Counts what it is given."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def pay(self, amount: int) -> int:
        """Add to the amount, after a while, and return it."""
        time.sleep(0.02)
        self.amount += amount
        return self.amount


def actors(client: Client, chance: random.Random, tally: Tally) -> None:
    """Call an actor; after the loss of its worker, create the actor again and repeat all calls."""
    for _ in range(MOST_ATTEMPTS):
        amount = chance.randrange(1000)
        tally.tasks += 1
        account = client.submit(Account, amount, actor=True)
        try:
            proxy = account.result(timeout=PATIENCE)
            for payment in range(60):
                amount += payment
                _check("actor", proxy.pay(payment).result(timeout=PATIENCE), amount)
            calls = [proxy.pay(1) for _ in range(30)]
            _check("calls", [call.result(timeout=PATIENCE) for call in calls], range(amount + 1, amount + 31))
        except TimeoutError:
            raise
        except (LostActorError, OSError):
            # Documented: calls under way fail with OSError, later ones with LostActorError.
            tally.made_again["actors"] += 1
            continue
        return
    raise WrongAnswer(f"an actor was lost {MOST_ATTEMPTS} times")


WORKLOADS: dict[str, Workload] = {"array": array, "dataframe": dataframe, "futures": futures, "actors": actors}
