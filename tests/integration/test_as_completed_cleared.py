"""Iterating over an `as_completed` ends when another consumer takes the last future, or when `clear` removes all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from dagrpc import Client, as_completed


def test_a_thread_that_waits_ends(client: Client, nap: Callable[[float], float]) -> None:
    completed = as_completed([client.submit(nap, 60, pure=False)])
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(completed), daemon=True)
    thread.start()
    time.sleep(0.1)
    completed.clear()
    thread.join(30)
    assert not thread.is_alive()
    assert found == []


def test_a_task_of_an_event_loop_that_waits_ends(client: Client, nap: Callable[[float], float]) -> None:
    completed = as_completed([client.submit(nap, 60, pure=False)])

    async def body() -> list[object]:
        asyncio.get_running_loop().call_later(0.1, completed.clear)
        return [future async for future in completed]

    assert asyncio.run(asyncio.wait_for(body(), 30)) == []


def test_tasks_of_an_event_loop_share_one(client: Client) -> None:
    completed = as_completed(client.map(abs, range(6)))
    found: list[int] = []

    async def take() -> None:
        async for future in completed:
            found.append(future.result())

    async def body() -> None:
        await asyncio.gather(*(take() for _ in range(4)))

    asyncio.run(asyncio.wait_for(body(), 30))
    assert sorted(found) == list(range(6))
