"""A process at the address of an earlier process reports that the earlier one's parcels are lost."""

from __future__ import annotations

import pytest

from dagrpc._rpc.channels import ServiceClient
from dagrpc.exceptions import ShuffleClosedError
from dagrpc.v1 import shuffle_service_pb2 as pb
from dagrpc_worker.shell.shuffle.shuffle_run import Run
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

        from dagrpc._rpc import error_status

        # Parcels of run 8, which began after the worker was registered, may also be missing: a sender may still be
        # connected to the worker's predecessor.
        for number in (5, 8):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await fetch(client, number, 2)
            error = error_status.from_rpc_error(refused.value, "the worker")
            assert isinstance(error, ShuffleClosedError)
            assert "No parcel has arrived; 2 sources have sent some" in str(error)
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


def test_before_it_is_registered_it_cannot_know_what_is_its_own() -> None:
    async def body(lab: Lab, client: ServiceClient) -> None:
        async def send(address: str) -> None:
            other = ServiceClient(lab.client(address).channel, SERVICE, address)
            parcel = pb.Parcel(source=1, nbytes=1, data=b"x", format="pickle", outputs=[0], starts=[0, 1])
            for shuffle, number in (("former", 7), ("s", 8)):
                call = other.open_upload("SendParcels")
                run = pb.ShuffleRun(shuffle_id=shuffle, run_id=number)
                await call.write(pb.SendParcelsRequest(run=run, parcels=[parcel]).SerializeToString())
                await call.done_writing()
                await call

        lab.scheduler.before_welcome = send
        address = (await lab.worker("another")).address
        shuffles = lab.workers[-1].shuffles
        # What began before is gone, but may be taken part in by those that only send.
        assert [(run.id, run.run_id) for run in shuffles._runs.values()] == [("s", 8)]
        assert len(await fetch(ServiceClient(lab.client(address).channel, SERVICE, "it"), 8, 1)) == 1
        assert shuffles.run("former", 7).store.in_memory == 0

    with_successor(body)
