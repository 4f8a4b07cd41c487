"""A process that took over the address of another has nothing of what that kept in shuffles, and says so."""

from __future__ import annotations

import asyncio

import pytest

from dagrpc._io.channels import ServiceClient
from dagrpc.exceptions import ShuffleClosedError
from dagrpc.v1 import shuffle_service_pb2 as pb
from dagrpc_worker.shell.shuffles import Run
from tests.unit.worker_shell.lab import Lab, in_lab

SERVICE = pb.DESCRIPTOR.services_by_name["ShuffleService"]


def run_of(number: int) -> pb.ShuffleRun:
    return pb.ShuffleRun(shuffle_id="s", run_id=number)


def with_successor(body: object) -> None:
    async def run(lab: Lab) -> None:
        lab.scheduler.last_shuffle_run = 7
        worker = await lab.worker("successor")
        client = ServiceClient(lab.client(worker.address).channel, SERVICE, worker.address)
        await body(lab, client)  # type: ignore[operator]

    in_lab(run)


async def fetch(client: ServiceClient, number: int, parcels: int) -> list[bytes]:
    request = pb.FetchOutputRequest(run=run_of(number), output=0, parcels=parcels)
    call = client.open_download("FetchOutput", request)
    return [data async for data in call]


def test_outputs_that_were_sent_to_another_process_are_not_empty_but_gone() -> None:
    async def body(lab: Lab, client: ServiceClient) -> None:
        import grpc

        from dagrpc._io import status

        # Also of a run that began after it was registered: whoever sends may still have a connection to the other one.
        for number in (5, 8):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await fetch(client, number, 2)
            error = status.from_rpc_error(refused.value, "the worker")
            assert isinstance(error, ShuffleClosedError)
            assert "Nothing has arrived, and 2 sources have sent something" in str(error)
        assert await fetch(client, 8, 0) == []

    with_successor(body)


def test_nothing_is_taken_for_runs_before_it() -> None:
    async def body(lab: Lab, client: ServiceClient) -> None:
        shuffles = lab.workers[0].shuffles
        with pytest.raises(ShuffleClosedError, match="began before"):
            await shuffles.keep(run_of(7), [])
        assert not shuffles._runs
        await shuffles.keep(run_of(8), [])

    with_successor(body)


def test_a_barrier_is_not_told_that_all_has_arrived() -> None:
    async def body(lab: Lab, client: ServiceClient) -> None:
        with pytest.raises(ShuffleClosedError, match="began before"):
            await client.call("FlushShuffle", pb.FlushShuffleRequest(run=run_of(6)), pb.FlushShuffleResponse)
        await client.call("FlushShuffle", pb.FlushShuffleRequest(run=run_of(9)), pb.FlushShuffleResponse)
        # One that it takes part in, though it began before, as a worker that only sends.
        run = lab.workers[0].shuffles.run("s", 6)
        assert isinstance(run, Run)
        await client.call("FlushShuffle", pb.FlushShuffleRequest(run=run_of(6)), pb.FlushShuffleResponse)

    with_successor(body)


def test_before_it_is_registered_nothing_is_its_own() -> None:
    async def body(lab: Lab, client: ServiceClient) -> None:
        welcomed = asyncio.Event()

        async def ask(address: str) -> None:
            other = ServiceClient(lab.client(address).channel, SERVICE, address)
            with pytest.raises(ShuffleClosedError, match="began before"):
                await other.call("FlushShuffle", pb.FlushShuffleRequest(run=run_of(99)), pb.FlushShuffleResponse)
            welcomed.set()

        lab.scheduler.before_welcome = ask
        await lab.worker("another")
        assert welcomed.is_set()

    with_successor(body)
