"""A queue that wakes its loop: once for many items, never for none, and no item is left lying."""

from __future__ import annotations

import asyncio
import threading

from dagrpc._loop.wakeup_queue import WakeUpQueue


def test_many_items_wake_the_loop_once() -> None:
    async def run() -> None:
        wakes: list[int] = []
        taken: list[int] = []

        def wake() -> None:
            wakes.append(1)
            taken.extend(queue.drain())

        queue: WakeUpQueue[int] = WakeUpQueue(asyncio.get_running_loop(), wake)
        assert all(queue.put(i) for i in range(100))
        await asyncio.sleep(0)
        assert (len(wakes), taken) == (1, list(range(100)))
        queue.put(100)
        await asyncio.sleep(0)
        assert (len(wakes), taken[-1]) == (2, 100)

    asyncio.run(run())


def test_items_that_are_taken_early_leave_the_wake_as_it_is() -> None:
    async def run() -> None:
        wakes: list[int] = []
        queue: WakeUpQueue[int] = WakeUpQueue(asyncio.get_running_loop(), lambda: wakes.append(len(queue.items)))
        queue.put(1)
        queue.items.popleft()
        queue.put(2)
        await asyncio.sleep(0)
        assert wakes == [1]

    asyncio.run(run())


def test_no_item_of_many_threads_is_left() -> None:
    count, threads = 2_000, 8

    async def run() -> None:
        taken: list[int] = []
        every = asyncio.Event()

        def wake() -> None:
            taken.extend(queue.drain())
            if len(taken) == count * threads:
                every.set()

        queue: WakeUpQueue[int] = WakeUpQueue(asyncio.get_running_loop(), wake)
        writers = [threading.Thread(target=lambda: [queue.put(i) for i in range(count)]) for _ in range(threads)]
        for writer in writers:
            writer.start()
        await asyncio.wait_for(every.wait(), 60)

    asyncio.run(run())


def test_an_item_for_a_closed_loop_is_refused_each_time() -> None:
    loop = asyncio.new_event_loop()
    queue: WakeUpQueue[int] = WakeUpQueue(loop, lambda: None)
    loop.close()
    assert [queue.put(1), queue.put(2)] == [False, False]
