"""Coroutines that begin at once."""

from __future__ import annotations

import asyncio

import pytest

from dagrpc._io.begun import Begun


def test_it_runs_up_to_where_it_waits_before_anybody_awaits_it() -> None:
    async def run() -> None:
        steps: list[str] = []
        gate = asyncio.Event()

        async def work() -> str:
            steps.append("begun")
            await gate.wait()
            await asyncio.sleep(0)
            steps.append("over")
            return "result"

        begun = Begun(work())
        assert steps == ["begun"]
        asyncio.get_running_loop().call_soon(gate.set)
        assert await begun == "result"
        assert steps == ["begun", "over"]

    asyncio.run(run())


@pytest.mark.parametrize("waits", [False, True])
def test_what_it_raises_is_raised_where_it_is_awaited(waits: bool) -> None:
    async def work() -> None:
        if waits:
            await asyncio.sleep(0)
        raise LookupError("nothing there")

    async def run() -> None:
        begun = Begun(work())
        with pytest.raises(LookupError, match="nothing there"):
            await begun

    asyncio.run(run())


def test_one_that_does_not_wait_has_a_result() -> None:
    async def work() -> int:
        return 5

    async def run() -> int:
        return await Begun(work())

    assert asyncio.run(run()) == 5


def test_it_is_cancelled_with_the_task_that_awaits_it_and_may_clean_up() -> None:
    cleaned: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    async def run() -> None:
        async def wait(begun: Begun[None]) -> None:
            await begun

        task = asyncio.create_task(wait(Begun(work())))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert cleaned == ["up"]


def test_one_that_is_given_up_is_closed() -> None:
    closed: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            closed.append("yes")

    async def run() -> None:
        Begun(work()).close()

    asyncio.run(run())
    assert closed == ["yes"]
