"""After the permanent loss of the scheduler, futures are cancelled, with the lost connection as the reason."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from dagrpc import Client, LocalCluster, wait
from dagrpc.exceptions import FutureCancelledError, FuturesCancelledError


def test_all_ways_of_waiting_tell_that_the_connection_was_lost() -> None:
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False)
    client = Client(cluster.scheduler_address)
    try:
        future = client.submit(abs, -1)
        assert future.result(timeout=60) == 1
        cluster.close()
        deadline = time.monotonic() + 60
        while client.status != "closed" and time.monotonic() < deadline:
            time.sleep(0.05)
        one: list[Callable[[], Any]] = [
            lambda: client.gather([future]),
            lambda: client.gather(future),
            future.result,
        ]
        for way in one:
            with pytest.raises(FutureCancelledError, match="scheduler-connection-lost") as raised:
                way()
            assert re.search(r"connection to the scheduler at \S+ was lost", str(raised.value))
        with pytest.raises(FuturesCancelledError, match="scheduler-connection-lost") as several:
            wait([future], timeout=10)
        assert re.search(r"connection to the scheduler at \S+ was lost", str(several.value))
    finally:
        client.close()
        cluster.close()
