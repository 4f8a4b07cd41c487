"""A coordination primitive is two classes, one for the scheduler and one for the client, and nothing else."""

from __future__ import annotations

import asyncio
import pickle
from collections import OrderedDict
from typing import Any

import pytest

from dagrpc import Client, CommClosedError, Scheduler, Worker
from dagrpc._client.waiting import Operation
from dagrpc.coordination._base import Primitive, new_name, result_of, wait_seconds
from dagrpc_scheduler.coordination import primitive
from dagrpc_scheduler.coordination.primitive import RefusedError, operation
from dagrpc_scheduler.coordination.wait_queue import Line, Request, WaitQueue


class _Latch:
    def __init__(self, count: int) -> None:
        self.count = count
        self.line: Line = OrderedDict()

    def leave(self, request: Request) -> None:
        del self.line[request]


@pytest.fixture(autouse=True)
def latches():
    """The scheduler's side of a count-down latch, which schedulers of this module know."""

    class Latches(primitive.Primitive):
        kind = "test-latch"

        def __init__(self, wait_queue: WaitQueue) -> None:
            super().__init__(wait_queue)
            self._by_name: dict[str, _Latch] = {}

        @operation
        def create(self, request: Request, name: str, count: int) -> None:
            if count < 0:
                raise RefusedError(f"A latch counts down from at least 0; got {count}")
            latch = self._by_name.setdefault(name, _Latch(count))
            self._wait_queue.answer(request, result={"count": latch.count})

        @operation
        def count_down(self, request: Request, name: str, amount: int = 1) -> None:
            latch = self._by_name[name]
            latch.count = max(0, latch.count - amount)
            self._wait_queue.answer(request, result=latch.count)
            if not latch.count:
                line, latch.line = latch.line, OrderedDict()
                for waiting in line:
                    self._wait_queue.answer(waiting)

        @operation
        def wait(self, request: Request, name: str) -> None:
            latch = self._by_name[name]
            if not latch.count:
                self._wait_queue.answer(request)
            elif self._wait_queue.may_wait(request):
                latch.line[request] = None
                self._wait_queue.wait(request, latch)

    yield
    primitive.CLASSES.remove(Latches)


class CountDownLatch(Primitive):
    """The client's side."""

    _kind = "test-latch"
    _arguments = ("name", "count")

    def __init__(self, count: int, name: str | None = None, client: Any = None) -> None:
        self._restore(new_name("latch") if name is None else name, count)
        self._bind(client)

    def _restore(self, name: str, count: int) -> None:
        self.name, self.count = name, count

    def create(self) -> Any:
        return self._core.run(self._create())

    def count_down(self, **arguments: Any) -> Any:
        return self._core.run(self._count_down(arguments))

    def wait(self, timeout: Any = None) -> Any:
        return self._core.run(self._wait(wait_seconds(timeout)))

    def _create(self) -> Operation[Any]:
        return result_of((yield from self._perform("create", count=self.count)))

    def _count_down(self, arguments: dict[str, Any]) -> Operation[Any]:
        return result_of((yield from self._perform("count_down", **arguments)))

    def _wait(self, timeout: float | None) -> Operation[bool]:
        return bool((yield from self._perform("wait", timeout)).done)


class Unknown(CountDownLatch):
    _kind = "test-unknown"


async def on_a_cluster(body: Any) -> None:
    async with (
        Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler,
        Worker(scheduler.address, nthreads=2),
        Client(scheduler.address, asynchronous=True) as client,
    ):
        await asyncio.wait_for(body(client), 60)


def count_down_in_a_task(latch: CountDownLatch) -> int:
    return int(latch.count_down())


def test_a_latch_of_clients_and_tasks() -> None:
    async def body(client: Client) -> None:
        latch = CountDownLatch(3)
        assert await latch.create() == {"count": 3}
        assert await latch.wait("10 ms") is False
        same = pickle.loads(pickle.dumps(latch))
        waiting = asyncio.ensure_future(same.wait())
        results = await client.gather([client.submit(count_down_in_a_task, latch, pure=False) for _ in range(2)])
        assert sorted(results) == [1, 2]
        assert not waiting.done()
        assert await latch.count_down(amount=1) == 0
        assert await waiting is True
        assert await latch.wait() is True

    asyncio.run(on_a_cluster(body))


def test_mistakes_are_errors_of_the_operation_and_the_session_lives() -> None:
    async def body(client: Client) -> None:
        with pytest.raises(ValueError, match="at least 0; got -1"):
            await CountDownLatch(-1).create()
        with pytest.raises(ValueError, match="no operation 'create' of a primitive 'test-unknown'"):
            await Unknown(1).create()
        latch = CountDownLatch(1)
        await latch.create()
        for wrong in ({"steps": 1}, {"name": "x"}, {"request": 1}):
            with pytest.raises(ValueError, match="Operation 'count_down' of a test-latch"):
                await latch.count_down(**wrong)
        with pytest.raises(TypeError, match="plain data"):
            await latch.count_down(amount=object())
        assert await latch.count_down() == 0

    asyncio.run(on_a_cluster(body))


def test_a_wait_ends_with_its_client() -> None:
    async def body(client: Client) -> None:
        latch = CountDownLatch(1)
        await latch.create()
        address = client.scheduler.address
        async with Client(address, asynchronous=True, set_as_default=False) as other:
            waiting = asyncio.ensure_future(CountDownLatch(1, latch.name, client=other).wait())
            await asyncio.sleep(0.1)
        with pytest.raises(CommClosedError):
            await waiting
        assert await latch.count_down() == 0

    asyncio.run(on_a_cluster(body))
