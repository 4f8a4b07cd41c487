"""Restarts of workers without nannies, whose replacements another program starts."""

from __future__ import annotations

import asyncio

from dagrpc import Client, Scheduler, Worker

WAIT = 120.0


def test_workers_that_something_else_starts_again_are_awaited() -> None:
    async def body() -> None:
        async with (
            Scheduler() as scheduler,
            Worker(scheduler.address, name="first", nthreads=1) as first,
            Client(scheduler.address, asynchronous=True) as client,
        ):
            restart = asyncio.ensure_future(client.restart(timeout=WAIT))
            await asyncio.wait_for(first.finished(), WAIT)
            assert not restart.done()
            async with Worker(scheduler.address, name="second", nthreads=1):
                await asyncio.wait_for(restart, WAIT)
                assert await client.submit(sum, [1, 2]) == 3

    asyncio.run(body())
