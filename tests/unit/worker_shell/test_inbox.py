"""All events pass through one inbox, in order, batched by turns of the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from dagrpc_worker.core import events
from dagrpc_worker.core.events import Event
from dagrpc_worker.core.instructions import DropData, Instruction
from dagrpc_worker.shell.session.inbox import Inbox


class Recorder:
    """A core that remembers its batches and asks for one thing per event."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.done: list[str] = []
        self.errors: list[Exception] = []

    def handle_batch(self, batch: Iterable[Event], now: float) -> list[Instruction]:
        keys = [event.key for event in batch if isinstance(event, events.ExecuteRescheduled)]
        if "bug" in keys:
            raise ZeroDivisionError
        self.batches.append(keys)
        return [DropData([key]) for key in keys]

    def dispatch(self, orders: Sequence[Instruction]) -> None:
        self.done += [key for order in orders if isinstance(order, DropData) for key in order.keys]


def event(key: Any) -> Event:
    return events.ExecuteRescheduled(str(key), 1)


def test_events_of_threads_come_in_order_and_in_few_batches() -> None:
    recorder = Recorder()

    async def main() -> None:
        inbox = Inbox(recorder, recorder.dispatch, recorder.errors.append)

        def post(name: str) -> None:
            for index in range(1000):
                inbox.post(event(f"{name}{index}"))

        threads = [threading.Thread(target=post, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        while len(recorder.done) < 3000:
            await asyncio.sleep(0.001)
        for thread in threads:
            thread.join()

    asyncio.run(asyncio.wait_for(main(), 20))
    for name in "abc":
        assert [key for key in recorder.done if key[0] == name] == [f"{name}{index}" for index in range(1000)]
    assert len(recorder.batches) < 1500


def test_events_of_the_loop_are_handled_at_once_after_posted_ones() -> None:
    recorder = Recorder()

    async def main() -> None:
        inbox = Inbox(recorder, recorder.dispatch, recorder.errors.append)
        inbox.post(event(1))
        inbox.take([event(2), event(3)])
        assert recorder.batches == [["1", "2", "3"]]
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert recorder.batches == [["1", "2", "3"]]


def test_a_bug_is_told_and_closing_ends_all() -> None:
    recorder = Recorder()

    async def main() -> None:
        inbox = Inbox(recorder, recorder.dispatch, recorder.errors.append)
        inbox.take([event("bug")])
        inbox.take([event("fine")])
        inbox.close()
        inbox.take([event("late")])
        inbox.post(event("later"))
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert [type(error) for error in recorder.errors] == [ZeroDivisionError]
    assert recorder.done == ["fine"]


def test_while_threads_have_enough_to_do_their_events_wait_for_more() -> None:
    recorder = Recorder()

    async def main() -> None:
        seconds = [1.0, 0.0]
        inbox = Inbox(recorder, recorder.dispatch, recorder.errors.append, lambda: seconds.pop(0))
        inbox.post(event(1))
        # It has been looked at, and waits.
        await asyncio.sleep(0)
        inbox.post(event(2))
        while not recorder.batches:
            await asyncio.sleep(0)
        inbox.post(event(3))
        await asyncio.sleep(0)
        assert recorder.batches == [["1", "2"], ["3"]]

    asyncio.run(asyncio.wait_for(main(), 20))
    assert recorder.done == ["1", "2", "3"]


def test_events_during_instructions_come_after_them() -> None:
    recorder = Recorder()

    async def main() -> None:
        def dispatch(orders: Sequence[Instruction]) -> None:
            if recorder.batches[-1] == ["a"]:
                # As a plugin does that is told of a transition.
                inbox.take((event("b"),))
                inbox.take((event("c"),))
            recorder.dispatch(orders)

        inbox = Inbox(recorder, dispatch, recorder.errors.append)
        inbox.take((event("a"),))

    asyncio.run(asyncio.wait_for(main(), 20))
    assert recorder.done == ["a", "b", "c"]
    assert not recorder.errors
