"""Threads of a worker unpickle values, and import modules for them, at the same time."""

from __future__ import annotations

import importlib
from typing import Any

from dagrpc import Client, LocalCluster

# These modules import each other. Imports failed when threads started with different modules at the same time.
MODULES = (
    "dask.dataframe",
    "dask.dataframe.core",
    "dask.dataframe.shuffle",
    "dask.dataframe.dask_expr._expr",
    "dask.dataframe.dask_expr._collection",
    "dask.array",
)


class Wants:
    """Imports a module where it is unpickled, and is its name there."""

    def __init__(self, module: str) -> None:
        self.module = module

    def __reduce__(self) -> Any:
        return _name_of, (self.module,)


def _name_of(module: str) -> str:
    return importlib.import_module(module).__name__


def identity(x: Any) -> Any:
    return x


def test_tasks_of_fresh_threads_import_what_they_want() -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=len(MODULES), memory_limit=0) as cluster,
        Client(cluster) as client,
    ):
        futures = [client.submit(identity, Wants(module), pure=False) for module in MODULES]
        runs = client.run(identity, Wants("dask.dataframe.io"))
        assert client.gather(futures) == list(MODULES)
        assert list(runs.values()) == ["dask.dataframe.io"]
