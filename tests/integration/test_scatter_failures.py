"""Scattering while workers are frozen or die."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dagrpc import Client, LocalCluster
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def client() -> Iterator[Client]:
    with LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=50) as cluster, Client(cluster) as client:
        yield client


def _freeze_the_emptiest(client: Client) -> tuple[str, int]:
    """Stop a worker that has no connection to this client yet, and to which data would go next."""
    frozen, other = client.nthreads()
    pid: int = client.run(os.getpid, workers=[frozen])[frozen]
    client.scatter(np.zeros(100_000), workers=[other])
    os.kill(pid, signal.SIGSTOP)
    return frozen, pid


def test_to_a_worker_that_is_frozen_for_a_moment(client: Client) -> None:
    frozen, pid = _freeze_the_emptiest(client)
    timer = threading.Timer(1.0, os.kill, (pid, signal.SIGCONT))
    timer.start()
    data = client.scatter([1, 2, 3], workers=[frozen], timeout=60)
    assert client.gather(data) == [1, 2, 3]
    assert all(list(workers) == [frozen] for workers in client.who_has(data).values())
    timer.join()


def test_to_a_worker_that_dies(client: Client) -> None:
    frozen, pid = _freeze_the_emptiest(client)
    with ThreadPoolExecutor(1) as executor:
        scattering = executor.submit(client.scatter, np.arange(1000), timeout=60)
        with pytest.raises(TimeoutError):
            scattering.result(1.0)
        os.kill(pid, signal.SIGKILL)
        data = scattering.result(90)
    assert client.submit(np.sum, data).result(timeout=60) == 499_500
    assert frozen not in client.who_has([data])[data.key]


def test_over_a_slow_line(client: Client) -> None:
    with TcpProxy(client.scheduler.address) as proxy:
        proxy.delay(0.3)
        with Client(proxy.address, timeout=60, set_as_default=False, direct_to_workers=False) as far:
            (data,) = far.scatter([np.arange(10)], timeout=60)
            assert far.submit(np.sum, data).result(timeout=60) == 45
