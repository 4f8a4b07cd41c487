"""The client as dask's scheduler by name."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import pytest

from tests.parity.functions import inc


@pytest.mark.parametrize("name", ["distributed", "dask.distributed"])
def test_dask_finds_the_client_by_name(client: Any, lib: Any, name: str) -> None:
    assert dask.delayed(inc)(1).compute(scheduler=name) == 2
    with dask.config.set(scheduler=name):
        assert dask.compute(dask.delayed(inc)(2)) == (3,)
        kept = da.ones(4, chunks=2).persist()
    assert len(lib.futures_of(kept)) == 2
    assert dask.delayed(inc)(3).compute(scheduler="threads") == 4


def test_other_schedulers_are_not_the_client(client: Any, lib: Any) -> None:
    kept = da.ones(4, chunks=2).persist(scheduler="threads")
    assert lib.futures_of(kept) == []
