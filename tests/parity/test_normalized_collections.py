"""`Client.normalize_collection`: what the client holds becomes futures, the rest stays what it is."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import pytest

from tests.parity.functions import add, inc


def test_the_rest_of_a_graph_follows_from_what_is_persisted(client: Any) -> None:
    kept = client.persist(da.ones(10, chunks=5) + 1)
    total = (da.ones(10, chunks=5) + 1).sum()
    normalized = client.normalize_collection(total)
    assert float(client.compute(normalized).result(timeout=60)) == 20.0
    graph = dict(normalized.__dask_graph__())
    futures = [key for key, node in graph.items() if type(node).__name__ == "Future"]
    assert sorted(futures) == sorted(kept.__dask_keys__())
    assert len(graph) > len(futures)


@pytest.mark.parametrize("held", [0, 1])
def test_delayed_objects(client: Any, held: int) -> None:
    first = dask.delayed(inc)(1, dask_key_name="parity-first")
    second = dask.delayed(inc)(first, dask_key_name="parity-second")
    third = dask.delayed(add)(second, first, dask_key_name="parity-third")
    future = client.compute((first, second)[held], optimize_graph=False)
    normalized = client.normalize_collection(third)
    assert normalized.compute() == 5
    assert third.compute() == 5
    assert future.result(timeout=60) == 2 + held


def test_nothing_is_held(client: Any) -> None:
    x = da.arange(7, chunks=3).sum()
    assert client.normalize_collection(x).compute() == 21
