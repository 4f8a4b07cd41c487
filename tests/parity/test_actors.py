"""Section 6 of the API: actors."""

from __future__ import annotations

from typing import Any

import pytest

from tests.parity.functions import Counter, inc


@pytest.fixture
def counter(client: Any) -> Any:
    return client.submit(Counter, 10, actor=True).result(timeout=60)


def test_calls_and_attributes(counter: Any, lib: Any) -> None:
    assert isinstance(counter, lib.Actor)
    assert counter.increment().result(timeout=60) == 11
    assert counter.increment(by=5).result(timeout=60) == 16
    assert counter.n == 16
    assert counter.increment_async().result(timeout=60) == 17


def test_errors(counter: Any) -> None:
    with pytest.raises(ValueError, match="the actor says no"):
        counter.fail().result(timeout=60)
    with pytest.raises(AttributeError):
        counter.nothing_of_the_kind  # noqa: B018
    assert counter.increment().result(timeout=60) == 11


def test_calls_are_futures(counter: Any, lib: Any) -> None:
    call = counter.increment()
    assert isinstance(call, lib.ActorFuture | lib.BaseActorFuture)
    call.result(timeout=60)
    assert call.done()
    calls = [counter.increment() for _ in range(5)]
    assert sorted(future.result(timeout=60) for future in lib.as_completed(calls)) == [12, 13, 14, 15, 16]


def test_actors_in_tasks(client: Any, counter: Any) -> None:
    def use(actor: Any, times: int) -> list[int]:
        return [actor.increment().result(timeout=30) for _ in range(times)]

    assert client.submit(use, counter, 3, pure=False).result(timeout=60) == [11, 12, 13]
    future = client.submit(Counter, 0, actor=True)
    assert client.submit(use, future, 2, pure=False).result(timeout=60) == [1, 2]


def test_two_actors_are_two(client: Any) -> None:
    first, second = (client.submit(Counter, actor=True).result(timeout=60) for _ in range(2))
    first.increment().result(timeout=60)
    assert first.n == 1
    assert second.n == 0


def test_actors_take_results_as_arguments(client: Any) -> None:
    actor = client.submit(Counter, client.submit(inc, 99), actor=True).result(timeout=60)
    assert actor.n == 100


def test_errors_of_the_constructor(client: Any) -> None:
    class Broken:
        def __init__(self) -> None:
            raise LookupError("no instance")

    with pytest.raises(LookupError, match="no instance"):
        client.submit(Broken, actor=True).result(timeout=60)


def test_asynchronous(run_async: Any) -> None:
    async def body(client: Any) -> None:
        actor = await client.submit(Counter, 1, actor=True)
        assert await actor.increment() == 2
        with pytest.raises(ValueError, match="the actor says no"):
            await actor.fail()

    run_async(body)
