"""Settings whose effect shows only in a running cluster."""

from __future__ import annotations

import logging
import os
from collections import Counter
from typing import Any

import dask.config
import pytest

from dagrpc import Client, LocalCluster
from dagrpc._client.client_core import core_of
from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc._transfer.transfers import WORKER_SERVICE
from dagrpc.exceptions import CodeNotAllowedError, CommClosedError
from dagrpc.v1 import worker_service_pb2


def of_process() -> tuple[int, str | None, str | None]:
    """Return the log level and the environment variables of a worker process."""
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
        assert core_of(client).chosen_direct(None) is direct
        assert client.submit(bytes, 100_000, pure=False).result(timeout=60) == bytes(100_000)


def test_calls_that_do_not_reach_their_peer_are_repeated_as_configured() -> None:
    loop = get_loop()
    tried = []

    def serialize(message: Any) -> bytes:
        tried.append(1)
        return message.SerializeToString()

    async def call(method: str) -> None:
        channel = open_channel("127.0.0.1:9", CONTROL_CHANNEL)
        client = ServiceClient(channel, WORKER_SERVICE, "nobody")
        function = channel.unary_unary(client._path("GetStatus"), request_serializer=serialize)
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


@pytest.mark.parametrize("direct", [True, False])
def test_data_is_compressed_on_its_way_if_that_is_configured(direct: bool) -> None:
    # On one host nothing is, unless processes are not to read each other's memory.
    settings = {"distributed.comm.compression": "zlib", "dagrpc.comm.same-host": False}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True) as cluster,
        Client(cluster, direct_to_workers=direct) as client,
    ):
        a, b = client.nthreads()
        zeros = client.submit(bytes, 5_000_000, workers=[a])
        assert client.submit(len, zeros, workers=[b]).result(timeout=60) == 5_000_000
        assert zeros.result(timeout=60) == bytes(5_000_000)
        assert client.submit(len, client.scatter(bytes(3_000_000))).result(timeout=60) == 3_000_000
        [value] = get_loop().run(
            core_of(client).fetcher._fetch_once([zeros.bound_state().wire_key], direct, Counter()), 60
        )
        assert list(value.entry.frame_compressions) == ["zlib"]
        assert value.entry.frame_lengths[0] < 100_000


def test_a_codec_that_is_not_there_is_told_at_the_start() -> None:
    with (
        dask.config.set({"distributed.comm.compression": "rar"}),
        pytest.raises(RuntimeError, match="rar"),
        LocalCluster(n_workers=1, processes=False),
    ):
        pass


def test_blocked_methods_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    settings = {
        "distributed.scheduler.blocked-handlers": ["run_function", "RestartWorkers", "unheard_of"],
        "distributed.worker.blocked-handlers": ["run"],
    }
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=1, processes=False) as cluster,
        Client(cluster) as client,
    ):
        with pytest.raises(CodeNotAllowedError, match=r"RunOnScheduler is blocked .*scheduler\.blocked"):
            client.run_on_scheduler(abs, -1)
        with pytest.raises(CodeNotAllowedError, match="RestartWorkers"):
            client.restart(timeout=10)
        with pytest.raises((PermissionError, OSError), match="Run is blocked"):
            client.run(abs, -1)
        # All else works.
        assert client.submit(abs, -1).result(timeout=60) == 1
    assert "blocks 'unheard_of', which is not a method here" in caplog.text
