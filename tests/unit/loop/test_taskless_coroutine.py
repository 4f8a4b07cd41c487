"""Coroutines that begin at once and go on without a task."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from dagrpc._loop.taskless_coroutine import TasklessCoroutine


def test_a_coroutine_runs_to_its_first_wait_and_resumes_afterwards() -> None:
    async def run() -> None:
        steps: list[str] = []
        gate, over = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            steps.append("begun")
            await gate.wait()
            await asyncio.sleep(0)
            steps.append("over")
            over.set()

        TasklessCoroutine(work())
        assert steps == ["begun"]
        await asyncio.sleep(0)
        assert steps == ["begun"]
        gate.set()
        await asyncio.wait_for(over.wait(), 10)
        assert steps == ["begun", "over"]

    asyncio.run(run())


def test_an_exception_of_its_future_is_raised_within_it() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        failing, cancelled = loop.create_future(), loop.create_future()
        caught: list[BaseException] = []
        over = asyncio.Event()

        async def work() -> None:
            for future in (failing, cancelled):
                try:
                    await future
                except (LookupError, asyncio.CancelledError) as error:
                    caught.append(error)
            over.set()

        TasklessCoroutine(work())
        failing.set_exception(LookupError("nothing there"))
        cancelled.cancel()
        await asyncio.wait_for(over.wait(), 10)
        assert [type(error) for error in caught] == [LookupError, asyncio.CancelledError]

    asyncio.run(run())


def test_its_exception_is_reported_to_the_loop() -> None:
    async def run() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

        async def work() -> None:
            raise LookupError("nothing there")

        TasklessCoroutine(work())
        (context,) = told
        assert isinstance(context["exception"], LookupError)

    asyncio.run(run())


def test_one_that_is_given_up_is_closed_and_does_not_go_on() -> None:
    async def run() -> None:
        steps: list[str] = []
        gate = asyncio.get_running_loop().create_future()

        async def work() -> None:
            try:
                await gate
                steps.append("went on")
            finally:
                steps.append("closed")

        eager = TasklessCoroutine(work())
        eager.close()
        gate.set_result(None)
        await asyncio.sleep(0)
        eager.close()
        assert steps == ["closed"]

    asyncio.run(run())


def test_a_failure_of_what_a_closed_one_waited_for_is_not_logged() -> None:
    async def run() -> None:
        told: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        failing = loop.create_future()

        async def work(awaited: asyncio.Future[None]) -> None:
            await awaited

        coroutine = TasklessCoroutine(work(failing))
        coroutine.close()
        failing.set_exception(LookupError("nothing there"))
        del failing
        await asyncio.sleep(0)
        gc.collect()
        await asyncio.sleep(0)
        assert told == []

    asyncio.run(run())
