"""Clusters for the tests of the client: a small one in this process, shared, and fresh ones where a test breaks it."""

import threading
from collections.abc import Callable, Iterator

import dask
import pytest

from dagrpc import Client, LocalCluster

# What clients held that tests kill is not to be waited for long.
dask.config.set({"dagrpc.scheduler.session-grace": "2s"})

_morning = [threading.Event()]
"""When the tasks of the present test that nap are to wake up."""


def _nap(seconds: float) -> float:
    _morning[0].wait(seconds)
    return seconds


@pytest.fixture
def nap() -> Iterator[Callable[[float], float]]:
    """A task that sleeps, but not beyond its test: one that was cancelled keeps its thread otherwise."""
    _morning[0] = threading.Event()
    yield _nap
    _morning[0].set()


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[LocalCluster]:
    """A cluster in this process that no test may break."""
    with LocalCluster(n_workers=2, threads_per_worker=2, processes=False, memory_limit=0) as cluster:
        yield cluster


@pytest.fixture
def client(shared_cluster: LocalCluster) -> Iterator[Client]:
    """A client of the shared cluster, dask's default scheduler."""
    with Client(shared_cluster) as client:
        yield client


@pytest.fixture
def fresh_cluster() -> Iterator[LocalCluster]:
    """A cluster in this process of the test's own."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, memory_limit=0) as cluster:
        yield cluster


@pytest.fixture
def process_cluster() -> Iterator[LocalCluster]:
    """A cluster of separate processes of the test's own."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def quiet_cluster() -> Iterator[LocalCluster]:
    """Three workers in this process, with a memory manager that does not run by itself."""
    with dask.config.set({"distributed.scheduler.active-memory-manager.start": False}):
        cluster = LocalCluster(n_workers=3, threads_per_worker=1, processes=False, memory_limit=0)
    with cluster:
        yield cluster


@pytest.fixture
def quiet(quiet_cluster: LocalCluster) -> Iterator[Client]:
    """A client of it."""
    with Client(quiet_cluster) as client:
        yield client
