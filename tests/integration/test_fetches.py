"""Long-lived streams over which workers fetch results from each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import dask
import numpy as np
import pytest

from dagrpc import Client, LocalCluster
from dagrpc._codec import payload
from dagrpc._rpc.channels import ChannelPool
from dagrpc._rpc.grpc_options import DATA_CHANNEL
from dagrpc._transfer import same_host, transfers
from dagrpc.exceptions import InvalidRequestError, LimitReachedError
from dagrpc.v1 import data_pb2
from dagrpc.v1 import worker_service_pb2 as pb
from dagrpc_worker.shell.fetch.peer_streams import PeerStreams
from tests.support.settings import set_for_test
from tests.unit.worker_shell.lab import Lab, in_lab

WAIT = 20.0


def with_fetcher(body: Callable[[Lab, PeerStreams, str], Awaitable[None]]) -> None:
    async def run(lab: Lab) -> None:
        worker = await lab.worker("only")
        channels = ChannelPool(DATA_CHANNEL)
        fetcher = PeerStreams(channels)
        try:
            await body(lab, fetcher, worker.address)
        finally:
            await fetcher.close()
            await channels.close()

    in_lab(run)


async def fetch(fetcher: PeerStreams, address: str, *keys: str, nbytes: int = 0, **options: Any) -> dict[str, Any]:
    request = pb.GetDataRequest(keys=keys, requester="127.0.0.1:2", **options)
    received = await fetcher.fetch(address, request, nbytes)
    return {value.entry.key: value for value in received}


def value_of(received: transfers.ReceivedValue) -> Any:
    return payload.decode(received.entry.encoding, received.frames)


async def all_given_back(lab: Lab) -> None:
    slots = lab.workers[0].server.data.slots
    async with asyncio.timeout(WAIT):
        while slots.active or slots.budget.used:
            await asyncio.sleep(0.01)


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that were fetched by a call of their own."""
    found: list[str] = []
    download = transfers.download

    async def noting(client: Any, method: str, request: Any, *rest: Any) -> Any:
        found.extend(request.keys)
        return await download(client, method, request, *rest)

    monkeypatch.setattr(transfers, "download", noting)
    return found


def test_values_of_all_sizes_come_over_one_stream(asked_for: list[str]) -> None:
    async def body(lab: Lab, fetcher: PeerStreams, address: str) -> None:
        data = lab.workers[0].data
        values: dict[str, Any] = {
            "small": 5,
            "array": np.arange(1 << 17),
            "large": np.arange(1 << 20),
            "text": "x" * 100_000,
        }
        for key, value in values.items():
            data.put(key, value, 16)
        for _ in range(20):
            for key, value in values.items():
                got = await fetch(fetcher, address, key)
                assert np.array_equal(value_of(got[key]), value)
        streams = list(fetcher._streams.values())
        assert len(streams) == 1
        await all_given_back(lab)

    with_fetcher(body)
    # Without numbers, text is no bulk that could be read from memory.
    assert set(asked_for) <= {"text"}


def test_missing_keys_are_named_and_the_callers_limit_is_kept(asked_for: list[str]) -> None:
    async def body(lab: Lab, fetcher: PeerStreams, address: str) -> None:
        for key in "abc":
            lab.workers[0].data.put(key, bytes(1000), 1000)
        got = await fetch(fetcher, address, "a", "b", "c", "d", max_bytes=2500)
        assert [value.entry.outcome for value in got.values()] == [
            data_pb2.DATA_OUTCOME_OK,
            data_pb2.DATA_OUTCOME_OK,
            data_pb2.DATA_OUTCOME_DEFERRED,
            data_pb2.DATA_OUTCOME_MISSING,
        ]

    with_fetcher(body)
    assert asked_for == []


def test_many_at_once_are_each_answered() -> None:
    async def body(lab: Lab, fetcher: PeerStreams, address: str) -> None:
        for number in range(300):
            lab.workers[0].data.put(str(number), np.full(10, number), 80)
        got = await asyncio.gather(*(fetch(fetcher, address, str(number)) for number in range(300)))
        assert [value_of(found[str(number)])[0] for number, found in enumerate(got)] == list(range(300))

    with_fetcher(body)


def test_a_busy_worker_refuses_another_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    set_for_test(monkeypatch, "worker.connections.incoming", 1)

    async def body(lab: Lab, fetcher: PeerStreams, address: str) -> None:
        lab.workers[0].data.put("x", np.arange(1 << 20), 8 << 20)
        slots = lab.workers[0].server.data.slots
        slots.take()
        with pytest.raises(LimitReachedError, match="too many transfers"):
            await fetch(fetcher, address, "x")
        slots.give()
        assert len(value_of((await fetch(fetcher, address, "x"))["x"])) == 1 << 20
        await all_given_back(lab)

    with_fetcher(body)


def test_large_values_go_another_way_where_memory_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, asked_for: list[str]
) -> None:
    monkeypatch.setattr(same_host, "token", lambda: "")

    async def body(lab: Lab, fetcher: PeerStreams, address: str) -> None:
        data = lab.workers[0].data
        for key, value in (("small", 5), ("large", np.arange(1 << 17)), ("huge", np.arange(1 << 20))):
            data.put(key, value, 16)
        assert value_of((await fetch(fetcher, address, "small"))["small"]) == 5
        # What it is said to have and what it has may differ.
        for key in ("large", "huge"):
            for nbytes in (16, 8 << 20):
                assert value_of((await fetch(fetcher, address, key, nbytes=nbytes))[key])[-1] in (2**17 - 1, 2**20 - 1)
        await all_given_back(lab)

    with_fetcher(body)
    assert asked_for == ["large", "large", "huge", "huge"]


def test_memory_that_turns_out_not_to_be_readable_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, asked_for: list[str]
) -> None:
    def refuse(pid: int, buffers: Any) -> None:
        raise PermissionError("not allowed")

    monkeypatch.setattr(same_host, "read_memory", refuse)
    monkeypatch.setattr(transfers, "_closed_ways", set())

    async def body(lab: Lab, fetcher: PeerStreams, address: str) -> None:
        lab.workers[0].data.put("x", np.arange(1 << 17), 1 << 20)
        got = await asyncio.gather(*(fetch(fetcher, address, "x") for _ in range(5)))
        assert [value_of(found["x"])[-1] for found in got] == [2**17 - 1] * 5
        assert len(fetcher._streams) == 1
        await all_given_back(lab)

    with_fetcher(body)
    assert asked_for == ["x"] * 5


def test_memory_that_nobody_says_is_read_is_kept_as_long_as_the_stream() -> None:
    async def body(lab: Lab, fetcher: PeerStreams, address: str) -> None:
        lab.workers[0].data.put("x", np.arange(1 << 17), 1 << 20)
        await fetch(fetcher, address, "x")
        await all_given_back(lab)
        (stream,) = fetcher._streams.values()
        request = pb.GetDataRequest(keys=["x"], host=same_host.token())
        answer = await stream.fetch(request, WAIT)
        assert answer is not None
        assert lab.workers[0].server.data.slots.active == 1
        await fetcher.close()
        await all_given_back(lab)

    with_fetcher(body)


def test_after_a_stream_has_broken_there_is_another() -> None:
    async def body(lab: Lab, fetcher: PeerStreams, address: str) -> None:
        lab.workers[0].data.put("x", 1, 16)
        await fetch(fetcher, address, "x")
        (stream,) = fetcher._streams.values()
        # Longer than keys may be.
        stream.session.send(pb.Fetch(number=99, request=pb.GetDataRequest(keys=["x" * 3_000_000])))
        with pytest.raises(InvalidRequestError, match="fewer at once"):
            await stream.fetch(pb.GetDataRequest(keys=["x"]), WAIT)
        async with asyncio.timeout(WAIT):
            while fetcher._streams.get(address) is stream:
                await asyncio.sleep(0.01)
        assert value_of((await fetch(fetcher, address, "x"))["x"]) == 1

    with_fetcher(body)


def test_graphs_run_over_them_between_processes() -> None:
    import dask.array as da

    with (
        dask.config.set({"dagrpc.scheduler.work-stealing": False}),
        LocalCluster(n_workers=2, threads_per_worker=2) as cluster,
        Client(cluster) as client,
    ):
        x = da.random.default_rng(1).random((800, 800), chunks=(100, 100))
        expected = x.compute(scheduler="synchronous")
        assert np.allclose((x + x.T).sum(axis=0).compute(), (expected + expected.T).sum(axis=0))
        active = client.run(lambda dask_worker: dask_worker._service.server.data.slots.active)
        assert set(active.values()) == {0}
