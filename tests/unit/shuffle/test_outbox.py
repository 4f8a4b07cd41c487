"""The outbox sends parcels in batches, repeats calls that break, and gives up when the run is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import dask
import pytest

from dagrpc._rpc.channels import ChannelPool
from dagrpc._rpc.grpc_options import DATA_CHANNEL
from dagrpc.exceptions import CommClosedError, P2POutOfDiskError, ShuffleClosedError
from dagrpc.shuffle.specs import Parcel
from dagrpc_worker.data.byte_budget import ByteBudget
from dagrpc_worker.data.shuffle_store import ShuffleStore
from dagrpc_worker.shell.shuffle.shuffle_outbox import Outbox
from dagrpc_worker.shell.shuffle.shuffle_run import Run

SETTINGS = {"dagrpc.p2p.comm.retry.count": 2, "dagrpc.p2p.comm.retry.delay.min": 0.001}


class ScriptedOutbox(Outbox):
    """An outbox whose calls come out as the test says."""

    def __init__(self, answer: Callable[[], Awaitable[None]]) -> None:
        super().__init__(ChannelPool(DATA_CHANNEL))
        self.answer = answer
        self.calls: list[tuple[str, list[int]]] = []

    async def _call(self, run: Run, address: str, batch: Sequence[Parcel]) -> None:
        self.calls.append((address, [parcel.source for parcel in batch]))
        await self.answer()


def parcel(source: int, size: int = 10) -> Parcel:
    return Parcel(source, [0], [0, size], "pickle", bytes(size))


def new_run(tmp_path: Path) -> Run:
    return Run("s", 1, ShuffleStore(tmp_path / "run", ByteBudget(1_000), "s"))


def put(outbox: Outbox, run: Run, *parcels: tuple[str, Parcel]) -> None:
    for _, each in parcels:
        outbox.budget.take(each.nbytes)
    outbox.put(run, parcels)


def with_outbox(answer: Callable[[], Awaitable[None]], test: Callable[[ScriptedOutbox], Awaitable[None]]) -> None:
    async def run() -> None:
        outbox = ScriptedOutbox(answer)
        await asyncio.wait_for(test(outbox), 20)
        await outbox.close()
        assert outbox.budget.used == 0
        assert not outbox._queues
        assert not outbox._of_run

    with dask.config.set(SETTINGS):
        asyncio.run(run())


async def fine() -> None:
    await asyncio.sleep(0)


def test_data_that_gathers_during_a_call_goes_with_the_next(tmp_path: Path) -> None:
    async def test(outbox: ScriptedOutbox) -> None:
        run = new_run(tmp_path)
        put(outbox, run, ("a", parcel(1)), ("a", parcel(2)), ("b", parcel(3)))
        await asyncio.sleep(0)
        put(outbox, run, ("a", parcel(4)), ("a", parcel(5, 20 << 20)), ("a", parcel(6)))
        await run.flush()
        assert [call for call in outbox.calls if call[0] == "a"] == [("a", [1, 2]), ("a", [4]), ("a", [5]), ("a", [6])]
        assert ("b", [3]) in outbox.calls
        assert run.sending == 0

    with_outbox(fine, test)


def test_a_call_that_breaks_is_repeated(tmp_path: Path) -> None:
    failures = [CommClosedError("broken"), TimeoutError("late")]

    async def answer() -> None:
        if failures:
            raise failures.pop()

    async def test(outbox: ScriptedOutbox) -> None:
        run = new_run(tmp_path)
        put(outbox, run, ("a", parcel(1)))
        await run.flush()
        assert outbox.calls == [("a", [1])] * 3

    with_outbox(answer, test)


@pytest.mark.parametrize(("error", "calls"), [(CommClosedError("gone"), 3), (P2POutOfDiskError("full"), 1)])
def test_parcels_that_cannot_be_sent_fail_the_tasks_that_rely_on_them(
    tmp_path: Path, error: Exception, calls: int
) -> None:
    async def answer() -> None:
        raise error

    async def test(outbox: ScriptedOutbox) -> None:
        run = new_run(tmp_path)
        put(outbox, run, ("a", parcel(1)))
        with pytest.raises(type(error)):
            await run.flush()
        assert len(outbox.calls) == calls
        put(outbox, run, ("a", parcel(2)))
        with pytest.raises(type(error)):
            await run.flush()
        assert len(outbox.calls) == calls

    with_outbox(answer, test)


@pytest.mark.parametrize("started", [True, False])
def test_nothing_is_sent_for_a_run_that_is_over(tmp_path: Path, started: bool) -> None:
    async def test(outbox: ScriptedOutbox) -> None:
        run = new_run(tmp_path)
        put(outbox, run, ("a", parcel(1)), ("b", parcel(2)))
        if started:
            await asyncio.sleep(0)
        run.close()
        run.store.close()
        outbox.end(run)
        with pytest.raises(ShuffleClosedError):
            await run.flush()
        put(outbox, run, ("a", parcel(3)))
        assert len(outbox.calls) == (2 if started else 0)
        # The cancelled ones give back what they held.
        while run.sending:
            await asyncio.sleep(0)

    async def hang() -> None:
        await asyncio.sleep(100)

    with_outbox(hang, test)


def test_waiting_ends_with_the_run(tmp_path: Path) -> None:
    async def run() -> None:
        run = new_run(tmp_path)
        assert await run.unless_over(asyncio.sleep(0, "done")) == "done"
        asyncio.get_running_loop().call_soon(run.close)
        with pytest.raises(ShuffleClosedError, match="Run 1 of shuffle s"):
            await run.unless_over(asyncio.sleep(100))
        await run.wait_closed(100)

    asyncio.run(asyncio.wait_for(run(), 20))
