"""Section 6 of the API: where the methods of actors run."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.parity.functions import Counter


class Where:
    """Tells where its methods run."""

    def thread(self, **options: int) -> tuple[int, dict[str, int]]:
        return threading.get_ident(), options

    async def loop_thread(self) -> int:
        return threading.get_ident()


class Caller:
    """Calls another actor."""

    def __init__(self, other: Any) -> None:
        self.other = other

    def through_the_client(self, get_client: Any) -> int:
        return int(get_client().sync(self.other.increment))

    def thread_of_other(self, separate_thread: bool) -> int:
        return int(self.other.thread(separate_thread=separate_thread).result(timeout=30)[0])


def test_methods_can_run_on_the_loop(client: Any) -> None:
    actor = client.submit(Where, actor=True).result(timeout=60)
    loop = actor.loop_thread().result(timeout=60)
    assert actor.thread(separate_thread=False).result(timeout=60) == (loop, {})
    assert actor.thread(separate_thread=True, mine=3).result(timeout=60)[0] != loop
    assert actor.thread(separate_thread=True, mine=3).result(timeout=60)[1] == {"mine": 3}
    assert actor.loop_thread(separate_thread=False).result(timeout=60) == loop


def test_tasks_choose_the_thread_of_a_method_too(client: Any) -> None:
    def use(actor: Any) -> tuple[int, int, int]:
        loop = actor.loop_thread().result(timeout=30)
        on_loop = actor.thread(separate_thread=False).result(timeout=30)[0]
        return loop, on_loop, actor.thread(separate_thread=True).result(timeout=30)[0]

    actor = client.submit(Where, actor=True).result(timeout=60)
    for worker in client.scheduler_info()["workers"]:
        loop, on_loop, apart = client.submit(use, actor, workers=[worker], pure=False).result(timeout=60)
        assert on_loop == loop != apart


@pytest.mark.parametrize("same_worker", [True, False])
def test_a_method_waits_for_another_actor_through_the_client(client: Any, lib: Any, same_worker: bool) -> None:
    first, second = client.scheduler_info()["workers"]
    counter = client.submit(Counter, 0, actor=True, workers=[first]).result(timeout=60)
    where = first if same_worker else second
    caller = client.submit(Caller, counter, actor=True, workers=[where]).result(timeout=60)
    assert caller.through_the_client(lib.get_client).result(timeout=60) == 1
    assert caller.through_the_client(lib.get_client).result(timeout=60) == 2


def test_a_misspelt_name_is_an_error_for_asynchronous_clients(run_async: Any) -> None:
    async def body(client: Any) -> None:
        counter = await client.submit(Counter, 5, actor=True)
        assert not hasattr(counter, "no_such_name")
        assert hasattr(counter, "increment")
        with pytest.raises(AttributeError):
            await counter.incremnt()
        assert await counter.increment() == 6

    run_async(body)
