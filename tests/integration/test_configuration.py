"""Settings that only show in a running cluster."""

from __future__ import annotations

import logging
import os

import dask.config
import pytest

from dagrpc import Client, LocalCluster
from dagrpc._io.channels import ServiceClient, open_channel
from dagrpc._io.loop import get_loop
from dagrpc._io.options import CONTROL_CHANNEL
from dagrpc._io.transfer import WORKER_SERVICE
from dagrpc.exceptions import CommClosedError
from dagrpc.v1 import worker_service_pb2


def of_process() -> tuple[int, str | None, str | None]:
    """Return what a worker process was set up with."""
    level = logging.getLogger("dagrpc.worker").level
    return level, os.environ.get("DAGRPC_TEST_HOLIDAY"), os.environ.get("OMP_NUM_THREADS")


def test_worker_processes_have_their_programs_configuration() -> None:
    settings = {
        "distributed.logging": {"distributed.worker": "debug"},
        "distributed.nanny.environ": {"DAGRPC_TEST_HOLIDAY": "yes"},
        "distributed.scheduler.validate": True,
        "distributed.worker.validate": True,
    }
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True) as cluster,
        Client(cluster) as client,
    ):
        level, holiday, threads = client.submit(of_process).result(timeout=60)
        assert (level, holiday) == (logging.DEBUG, "yes")
        assert threads == os.environ.get("OMP_NUM_THREADS", "1")
        assert client.gather(client.map(abs, range(-20, 0))) == list(range(20, 0, -1))


@pytest.mark.parametrize("direct", [True, False])
def test_data_goes_the_configured_way(shared_cluster: LocalCluster, direct: bool) -> None:
    with dask.config.set({"distributed.client.direct-to-workers": direct}), Client(shared_cluster) as client:
        assert client._direct(None) is direct
        assert client.submit(bytes, 100_000, pure=False).result(timeout=60) == bytes(100_000)


def test_calls_that_do_not_reach_their_peer_are_repeated_as_configured() -> None:
    loop = get_loop()
    tried = []

    async def call(method: str) -> None:
        channel = open_channel("127.0.0.1:9", CONTROL_CHANNEL)
        client = ServiceClient(channel, WORKER_SERVICE, "nobody")
        function = channel.unary_unary(
            client._path("GetStatus"), request_serializer=lambda message: tried.append(1) or message.SerializeToString()
        )
        client._unary[method] = function
        try:
            await client.call(method, worker_service_pb2.GetStatusRequest(), worker_service_pb2.GetStatusResponse)
        finally:
            await channel.close()

    settings = {"distributed.comm.retry": {"count": 2, "delay": {"min": "1ms", "max": "2ms"}}}
    for method, expected, given in (("GetStatus", 1, {}), ("GetStatus", 3, settings), ("Run", 1, settings)):
        tried.clear()
        with dask.config.set(given), pytest.raises(CommClosedError):
            loop.run(call(method), 60)
        assert len(tried) == expected
