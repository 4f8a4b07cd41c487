"""Runs each test body against dagrpc, or against distributed if the environment variable says so.

`make parity` runs these tests in the project's environment and once more in one that has distributed. They may
therefore import nothing but the library under test, which is the fixture `lib`.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

BACKEND = os.environ.get("PARITY_BACKEND", "dagrpc")
PATIENCE = 60
"""Seconds after which something that should have happened will not."""


@pytest.fixture(scope="session")
def lib() -> Any:
    """The library: `dagrpc` or `distributed`."""
    return importlib.import_module(BACKEND)


@pytest.fixture(scope="session")
def submodule() -> Callable[[str], Any]:
    """Import a submodule of the library."""
    return lambda name: importlib.import_module(f"{BACKEND}.{name}")


@pytest.fixture(scope="session")
def cluster(lib: Any) -> Iterator[Any]:
    """Two workers with two threads each, which no test may break."""
    with lib.LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def client(lib: Any, cluster: Any) -> Iterator[Any]:
    """A client of the shared cluster."""
    with lib.Client(cluster) as client:
        client.wait_for_workers(2, timeout=PATIENCE)
        yield client


@pytest.fixture
def other(lib: Any, cluster: Any) -> Iterator[Any]:
    """A second client of the shared cluster, which is nobody's default."""
    with lib.Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture
def own_cluster(lib: Any) -> Iterator[Any]:
    """A cluster that the test may break: two workers with one thread each."""
    with lib.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def own_client(lib: Any, own_cluster: Any) -> Iterator[Any]:
    """A client of a cluster that the test may break."""
    with lib.Client(own_cluster) as client:
        client.wait_for_workers(2, timeout=PATIENCE)
        yield client


@pytest.fixture
def run_async(lib: Any, cluster: Any) -> Callable[[Callable[[Any], Coroutine[Any, Any, Any]]], Any]:
    """Run a coroutine function with an asynchronous client."""

    def run(body: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        async def main() -> Any:
            async with lib.Client(cluster.scheduler_address, asynchronous=True) as client:
                return await asyncio.wait_for(body(client), PATIENCE)

        return asyncio.run(main())

    return run
