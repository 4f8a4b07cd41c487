"""Clients and workers that overload the scheduler, or that do not read its messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import dask
import grpc
import pytest

from dagrpc import CancelledError, Client, LocalCluster
from dagrpc._common.versions import own_versions
from dagrpc._loop.io_loop import get_loop
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc._rpc.grpc_options import CONTROL_CHANNEL
from dagrpc.v1 import client_session_pb2 as pb
from dagrpc.v1 import common_pb2, graph_pb2, scheduler_service_pb2
from dagrpc_worker.exits import ExitCode
from tests.support.clusters import ProxiedWorker, inc
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

SERVICE = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
LIMIT = 2 * 2**20
WAIT = 60.0


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    settings = {"dagrpc.scheduler.limits.client-outbox": LIMIT, "dagrpc.worker.allowed-calls": ["builtins:int"]}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, memory_limit=0) as cluster,
    ):
        yield cluster


def part(count: int) -> bytes:
    """Return a graph of tasks that any language can write."""
    call = graph_pb2.Call(entrypoint="builtins:int")
    tasks = [
        graph_pb2.TaskSpec(key=f"never-read-{number}-{'x' * 1_000}", call=call, wanted=True) for number in range(count)
    ]
    graph = graph_pb2.GraphPart(graph_id="graph", tasks=tasks, last=True)
    return pb.UpdateGraphRequest(commands=[pb.ClientCommand(graph=graph)]).SerializeToString()


def test_a_client_that_never_reads_is_cut_off(cluster: LocalCluster) -> None:
    async def body(other: Client) -> grpc.aio.AioRpcError:
        channel = open_channel(cluster.scheduler_address, CONTROL_CHANNEL)
        stream = ServiceClient(channel, SERVICE, "the scheduler").open_session("UpdateGraph")
        hello = pb.ClientHello(client_id="never-reads", versions=common_pb2.Versions(**own_versions()))
        try:
            await stream.write(pb.UpdateGraphRequest(hello=hello).SerializeToString())
            await stream.write(part(25_000))
            await known(other, "never-reads", True)
            await known(other, "never-reads", False)
            while True:
                message = await asyncio.wait_for(stream.read(), WAIT)
                assert message is not grpc.aio.EOF, f"it ended with {await stream.code()}"
        except grpc.aio.AioRpcError as error:
            return error
        finally:
            await channel.close()

    with Client(cluster) as client:
        error = get_loop().run(body(client), 2 * WAIT)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        details = error.details() or ""
        assert "dagrpc.scheduler.limits.client-outbox" in details
        assert str(LIMIT) in details
        # Others are served, and nothing of it is left.
        assert client.submit(sum, [1, 2]).result(WAIT) == 3
        assert client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) <= 1


def test_an_evicted_client_closes_instead_of_reconnecting(cluster: LocalCluster) -> None:
    with (
        TcpProxy(cluster.scheduler_address) as proxy,
        Client(cluster, set_as_default=False) as other,
        Client(proxy.address, set_as_default=False) as client,
    ):
        assert client.submit(sum, [1, 2]).result(WAIT) == 3
        proxy.blackhole("down")
        futures = client.map(inc, range(8_000), key=[f"cut-off-{number}-{'x' * 1_000}" for number in range(8_000)])
        name = client.id
        get_loop().run(known(other, name, False), 2 * WAIT)
        proxy.restore()
        with pytest.raises(CancelledError, match=r"dagrpc\.scheduler\.limits\.client-outbox"):
            futures[-1].result(WAIT)
        eventually(lambda: client.status == "closed")
        # Others are served.
        assert other.submit(sum, [1, 2, 3]).result(WAIT) == 6


def test_a_worker_that_never_keeps_up_comes_back_and_ends_in_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        dask.config.set({"dagrpc.scheduler.limits.worker-outbox": LIMIT // 4}),
        LocalCluster(n_workers=0) as cluster,
        Client(cluster) as client,
    ):
        worker = ProxiedWorker(cluster.scheduler_address, "slow")
        try:
            client.wait_for_workers(1, timeout=WAIT)
            held = client.submit(inc, 1, key="held")
            assert held.result(WAIT) == 2
            futures: list[Any] = []
            for number in range(3):
                worker.to_scheduler.blackhole("down")
                keys = [f"slow-{number}-{task}-{'x' * 500}" for task in range(1_000)]
                futures += client.map(inc, range(1_000), key=keys, workers=["slow"])
                eventually(lambda: not client.nthreads())
                worker.to_scheduler.restore()
                if number < 2:
                    eventually(lambda: len(client.nthreads()) == 1)
                    assert client.gather(futures) == [*range(1, 1_001)] * (number + 1)
                    assert held.result(WAIT) == 2
            assert worker.process.wait(WAIT) == ExitCode.CUT_OFF
            log = capfd.readouterr().err
            assert "evicted 3 times" in log
            assert "dagrpc.scheduler.limits.worker-outbox" in log
            # Another one does what is left.
            other = ProxiedWorker(cluster.scheduler_address, "slow")
            try:
                assert client.gather(futures) == [*range(1, 1_001)] * 3
            finally:
                other.close()
        finally:
            worker.close()


async def known(client: Client, name: str, expected: bool) -> None:
    """Wait until the scheduler knows a client, or does not any more."""

    def is_known(dask_scheduler: Any) -> bool:
        return name in dask_scheduler.clients

    for _ in range(int(WAIT * 20)):
        if await asyncio.to_thread(client.run_on_scheduler, is_known) is expected:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name} is {'not ' if expected else ''}known")
