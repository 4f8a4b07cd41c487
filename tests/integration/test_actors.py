"""Actors: objects that live on a worker, used from clients, tasks and other actors."""

from __future__ import annotations

import asyncio
import operator
import os
import pickle
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import dask
import numpy as np
import pytest

from dagrpc import Actor, ActorFuture, BaseActorFuture, Client, LocalCluster, as_completed, get_client, get_worker, wait
from dagrpc.exceptions import LostActorError
from tests.support.waiting import eventually

TIMEOUT = 60


class Counter:
    kind = "counter"

    def __init__(self, n: int = 0) -> None:
        self.n = n
        self.peer: Any = None

    def add(self, by: int = 1) -> int:
        """Add to the count."""
        self.n += by
        return self.n

    @property
    def tenfold(self) -> int:
        return self.n * 10

    def fail(self) -> None:
        raise KeyError("what is missing")

    def meet(self, peer: Actor) -> None:
        self.peer = peer

    def add_to_peer(self) -> int:
        return self.peer.add().result(timeout=TIMEOUT)

    def double(self, array: Any) -> Any:
        return array * 2

    def lock(self) -> Any:
        return threading.Lock()

    def thread(self) -> str:
        return threading.current_thread().name

    def place(self) -> tuple[str, str]:
        return get_worker().address, get_worker().get_current_task()

    def ask(self, question: list[int]) -> int:
        return get_client().submit(sum, question).result(timeout=TIMEOUT)

    async def on_loop(self) -> bool:
        await asyncio.sleep(0)
        return asyncio.get_running_loop() is get_worker().loop

    async def add_to(self, other: Actor) -> int:
        return await other.add()

    def die(self) -> None:
        os._exit(1)

    def myself(self) -> Counter:
        return self


class Gate:
    """Blocks until it is opened by a method that does not need its thread."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.passed = 0

    def enter(self) -> int:
        assert self.opened.wait(TIMEOUT)
        self.passed += 1
        return self.passed

    async def open(self) -> None:
        self.opened.set()


class Broken:
    def __init__(self) -> None:
        raise ValueError("cannot be made")


def use(counter: Actor) -> tuple[str, str, int]:
    future = counter.add()
    return type(counter).__name__, type(future).__name__, future.result(timeout=TIMEOUT)


def keep(counter: Actor) -> list[Actor]:
    return [counter]


@pytest.fixture(params=["direct", "relayed"])
def anyhow(request: pytest.FixtureRequest, shared_cluster: LocalCluster) -> Iterator[Client]:
    """A client that calls workers directly, and one that calls them through the scheduler."""
    with Client(shared_cluster, direct_to_workers=request.param == "direct") as client:
        yield client


# --- proxies -----------------------------------------------------------------------------------------------------


def test_an_actor_is_called(anyhow: Client) -> None:
    future = anyhow.submit(Counter, 5, actor=True)
    counter = future.result(timeout=TIMEOUT)
    assert isinstance(counter, Actor)
    assert repr(counter) == f"<Actor: Counter, key={future.key}>"
    assert counter.key == future.key
    assert future.type is Counter
    call = counter.add(2)
    assert isinstance(call, ActorFuture)
    assert isinstance(call, BaseActorFuture)
    assert call.result(timeout=TIMEOUT) == 7
    assert call.done()
    assert call.result() == 7
    assert counter.add(by=3).result(timeout="60 s") == 10


def test_calls_are_begun_in_order(anyhow: Client) -> None:
    counter = anyhow.submit(Counter, actor=True).result(timeout=TIMEOUT)
    calls = [counter.add() for _ in range(500)]
    assert [call.result(timeout=TIMEOUT) for call in calls] == list(range(1, 501))


def test_attributes_are_read(anyhow: Client) -> None:
    counter = anyhow.submit(Counter, 4, actors=True).result(timeout=TIMEOUT)
    assert (counter.kind, counter.n, counter.tenfold) == ("counter", 4, 40)
    counter.add().result(timeout=TIMEOUT)
    assert counter.n == 5
    with pytest.raises(AttributeError, match="nothing"):
        _ = counter.nothing
    with pytest.raises(AttributeError, match="_repr_html_"):
        _ = counter._repr_html_
    with pytest.raises(AttributeError, match="set it in a method"):
        counter.n = 100
    assert {"add", "kind", "key"} <= set(dir(counter))
    assert counter.add.__doc__ == "Add to the count."
    assert counter.add.__name__ == "add"


def test_an_error_is_raised_where_the_result_is_asked_for(anyhow: Client) -> None:
    counter = anyhow.submit(Counter, actor=True).result(timeout=TIMEOUT)
    call = counter.fail()
    with pytest.raises(KeyError, match="what is missing") as caught:
        call.result(timeout=TIMEOUT)
    assert caught.traceback[-1].name == "fail"
    assert call.done()
    assert call.status == "error"
    with pytest.raises(TypeError, match="unexpected keyword"):
        counter.add(wrong=1).result(timeout=TIMEOUT)
    assert counter.add().result(timeout=TIMEOUT) == 1


def test_an_argument_that_cannot_be_pickled_is_named(anyhow: Client) -> None:
    counter = anyhow.submit(Counter, actor=True).result(timeout=TIMEOUT)
    with pytest.raises(TypeError, match=r"Counter\.add.*lock"):
        counter.add(threading.Lock())
    with pytest.raises(TypeError, match=r"what Counter\.lock returned"):
        counter.lock().result(timeout=TIMEOUT)
    with pytest.raises(TypeError, match="cannot be pickled"):
        anyhow.submit(repr, counter.add())
    assert counter.myself().result(timeout=TIMEOUT).n == 1


def test_large_arrays(anyhow: Client) -> None:
    counter = anyhow.submit(Counter, actor=True).result(timeout=TIMEOUT)
    array = np.arange(1_500_000.0)
    calls = [counter.add(), counter.double(array), counter.add(), counter.double(array[:3]), counter.add()]
    results = [call.result(timeout=TIMEOUT) for call in calls]
    assert results[0::2] == [1, 2, 3]
    np.testing.assert_array_equal(results[1], array * 2)
    np.testing.assert_array_equal(results[3], array[:3] * 2)


def test_a_timeout_does_not_end_the_call(client: Client) -> None:
    gate = client.submit(Gate, actor=True).result(timeout=TIMEOUT)
    call = gate.enter()
    with pytest.raises(TimeoutError, match=r"Gate\.enter"):
        call.result(timeout=0.05)
    assert not call.done()
    # An attribute is read, and a coroutine runs, while the method has the thread.
    assert gate.passed == 0
    gate.open().result(timeout=TIMEOUT)
    assert call.result(timeout=TIMEOUT) == 1


def test_where_methods_run(client: Client) -> None:
    future = client.submit(Counter, actor=True)
    counter = future.result(timeout=TIMEOUT)
    [address] = client.who_has(future)[future.key]
    assert counter.place().result(timeout=TIMEOUT) == (address, "Counter.place")
    assert "actor" in counter.thread().result(timeout=TIMEOUT)
    assert counter.on_loop().result(timeout=TIMEOUT)
    assert counter.ask([1, 2, 3]).result(timeout=TIMEOUT) == 6


def test_anything_can_be_an_actor(client: Client) -> None:
    numbers = client.submit(lambda: [3, 1, 2], actor=True).result(timeout=TIMEOUT)
    assert repr(numbers).startswith("<Actor: list, key=lambda")
    numbers.sort().result(timeout=TIMEOUT)
    assert numbers.copy().result(timeout=TIMEOUT) == [1, 2, 3]
    with pytest.raises(TypeError):
        len(numbers)


def test_an_actor_that_cannot_be_made(client: Client) -> None:
    with pytest.raises(ValueError, match="cannot be made"):
        client.submit(Broken, actor=True).result(timeout=TIMEOUT)


# --- making them -------------------------------------------------------------------------------------------------


def test_actors_are_never_pure_and_are_spread(client: Client) -> None:
    first, second = client.submit(Counter, actor=True), client.submit(Counter, actor=True)
    assert first.key != second.key
    futures = client.map(Counter, [1, 1, 2, 2, 3, 3], actor=True)
    counters = client.gather(futures)
    assert [counter.n for counter in counters] == [1, 1, 2, 2, 3, 3]
    places = [place for holders in client.who_has(futures).values() for place in holders]
    assert sorted(places.count(address) for address in client.nthreads()) == [3, 3]
    assert len(client.map(Counter, range(3), actors=True)) == 3


@pytest.mark.parametrize("form", ["one", "list", "dict", "key", "all"])
def test_actors_of_collections(client: Client, form: str) -> None:
    counter = dask.delayed(Counter, pure=False)(5)
    used = dask.delayed(use)(counter)
    actors = {"one": counter, "list": [counter], "dict": {counter: True}, "key": counter.key, "all": True}[form]
    futures = client.compute([counter, used], actors=actors)
    proxy, outcome = client.gather(futures)
    assert isinstance(proxy, Actor)
    if form == "all":
        assert repr(outcome).startswith("<Actor: tuple")
    else:
        assert outcome == ("Actor", "ActorFuture", 6)
    persisted = client.persist(dask.delayed(Counter, pure=False)(7), actors=True)
    assert persisted.compute().add().result(timeout=TIMEOUT) == 8


def test_actors_of_a_graph(client: Client) -> None:
    graph = {"made-actor": (Counter, 4), "used-actor": (use, "made-actor")}
    proxy, outcome = client.get(graph, ["made-actor", "used-actor"], actors="made-actor")
    assert isinstance(proxy, Actor)
    assert outcome == ("Actor", "ActorFuture", 5)


# --- using them elsewhere ----------------------------------------------------------------------------------------


def test_actors_in_tasks(process_cluster: LocalCluster) -> None:
    with Client(process_cluster) as client:
        future = client.submit(Counter, actor=True)
        counter = future.result(timeout=TIMEOUT)
        [here] = client.who_has(future)[future.key]
        [there] = set(client.nthreads()) - {here}
        expected = 0
        for argument in (future, counter):
            for place in (here, there):
                expected += 1
                task = client.submit(use, argument, workers=[place], pure=False)
                assert task.result(timeout=TIMEOUT) == ("Actor", "ActorFuture", expected)
        nested = client.submit(lambda found: found["all"][0].add().result(), {"all": [counter]}, workers=[there])
        assert nested.result(timeout=TIMEOUT) == 5
        # A copy of the proxy is no copy of the actor.
        assert client.who_has(future)[future.key] == (here,)

        second = client.submit(Counter, actor=True, workers=[there]).result(timeout=TIMEOUT)
        third = client.submit(Counter, actor=True, workers=[here]).result(timeout=TIMEOUT)
        for other in (second, third):
            other.meet(counter).result(timeout=TIMEOUT)
        assert [second.add_to_peer().result(timeout=TIMEOUT), third.add_to_peer().result(timeout=TIMEOUT)] == [6, 7]
        assert second.add_to(counter).result(timeout=TIMEOUT) == 8
        assert third.add_to(counter).result(timeout=TIMEOUT) == 9
        counter.meet(counter).result(timeout=TIMEOUT)
        assert counter.add_to_peer().result(timeout=TIMEOUT) == 10


def test_a_pickled_proxy_is_the_same_actor(client: Client) -> None:
    counter = client.submit(Counter, actor=True).result(timeout=TIMEOUT)
    copy = pickle.loads(pickle.dumps(counter))
    assert copy == counter
    assert hash(copy) == hash(counter)
    assert copy.add().result(timeout=TIMEOUT) == 1
    assert counter.n == 1
    in_graph = dask.delayed(use)(counter)
    assert client.compute(in_graph).result(timeout=TIMEOUT) == ("Actor", "ActorFuture", 2)


def test_actor_futures_among_others(client: Client) -> None:
    counter = client.submit(Counter, actor=True).result(timeout=TIMEOUT)
    calls = [counter.add() for _ in range(3)]
    assert sorted(call.result() for call in as_completed(calls, timeout=TIMEOUT)) == [1, 2, 3]
    pairs = list(as_completed([counter.add(), client.submit(sum, [1])], with_results=True, timeout=TIMEOUT))
    assert sorted(result for _, result in pairs) == [1, 4]
    with pytest.raises(KeyError):
        list(as_completed([counter.fail()], with_results=True, timeout=TIMEOUT))
    calls = [counter.add(), counter.fail()]
    done, not_done = wait(calls, timeout=TIMEOUT)
    assert done == set(calls)
    assert not not_done


async def _use_asynchronously(address: str) -> None:
    async with Client(address, asynchronous=True) as client:
        counter = await client.submit(Counter, 3, actor=True)
        assert await counter.add() == 4
        assert await counter.add().result(timeout=TIMEOUT) == 5
        assert await counter.kind == "counter"
        assert await counter.n == 5
        with pytest.raises(KeyError):
            await counter.fail()
        assert [await call async for call in as_completed([counter.add(), counter.add()])] == [6, 7]
        array = np.ones(500_000)
        np.testing.assert_array_equal(await counter.double(array), array * 2)


def test_an_asynchronous_client(shared_cluster: LocalCluster) -> None:
    asyncio.run(_use_asynchronously(shared_cluster.scheduler_address))


# --- how long they live ------------------------------------------------------------------------------------------

_alive: weakref.WeakValueDictionary[str, Watched] = weakref.WeakValueDictionary()


class Watched(Counter):
    def __init__(self, name: str) -> None:
        super().__init__()
        _alive[name] = self


def test_an_actor_lives_as_long_as_its_proxies(client: Client) -> None:
    future = client.submit(Watched, "a", actor=True)
    counter = future.result(timeout=TIMEOUT)
    copy = pickle.loads(pickle.dumps(counter))
    del future, counter
    assert copy.add().result(timeout=TIMEOUT) == 1
    [kept] = client.submit(keep, copy).result(timeout=TIMEOUT)
    del copy
    assert kept.add().result(timeout=TIMEOUT) == 2
    holder = client.submit(Watched, "b", actor=True).result(timeout=TIMEOUT)
    holder.meet(kept).result(timeout=TIMEOUT)
    del kept
    assert holder.add_to_peer().result(timeout=TIMEOUT) == 3
    del holder
    eventually(lambda: not _alive)


def test_a_released_actor_is_known_to_be_gone(client: Client) -> None:
    future = client.submit(Counter, actor=True)
    counter = future.result(timeout=TIMEOUT)
    future.cancel()
    with pytest.raises(RuntimeError, match="Worker holding Actor was lost"):
        counter.add()
    other = client.submit(Counter, actor=True).result(timeout=TIMEOUT)
    address, key, data = other._address, other.key, pickle.dumps(other)
    del other
    eventually(lambda: not client.who_has([key])[key])
    with pytest.raises(LostActorError, match="Worker holding Actor was lost"):
        pickle.loads(data).add().result(timeout=TIMEOUT)
    assert address in client.nthreads()


def test_the_loss_of_the_worker(process_cluster: LocalCluster) -> None:
    with Client(process_cluster) as client:
        future = client.submit(Counter, actor=True)
        counter = future.result(timeout=TIMEOUT)
        with pytest.raises(OSError, match="Unable to contact Actor's worker"):
            counter.die().result(timeout=TIMEOUT)
        eventually(lambda: future.status == "error")
        for attempt in (counter.add, lambda: counter.n, lambda: future.result(timeout=TIMEOUT)):
            with pytest.raises(RuntimeError, match="Worker holding Actor was lost"):
                attempt()
        with pytest.raises(RuntimeError, match="Worker holding Actor was lost"):
            client.submit(use, future).result(timeout=TIMEOUT)
        again = client.submit(Counter, actor=True).result(timeout=TIMEOUT)
        assert again.add().result(timeout=TIMEOUT) == 1


def test_a_worker_with_an_actor_does_not_retire(fresh_cluster: LocalCluster) -> None:
    with Client(fresh_cluster) as client:
        future = client.submit(Counter, actor=True)
        counter = future.result(timeout=TIMEOUT)
        [address] = client.who_has(future)[future.key]
        client.retire_workers([address])
        assert address in client.nthreads()
        assert counter.add().result(timeout=TIMEOUT) == 1


def test_a_closed_client_calls_nobody(shared_cluster: LocalCluster) -> None:
    with Client(shared_cluster) as client:
        gate = client.submit(Gate, actor=True).result(timeout=TIMEOUT)
        call = gate.enter()
        gate.open().result(timeout=TIMEOUT)
        assert call.result(timeout=TIMEOUT) == 1
    with pytest.raises(RuntimeError, match="Status: cancelled"):
        gate.enter()


# --- futures and actors that travel with calls -------------------------------------------------------------------


class Maker:
    """Makes futures and actors, and keeps none of them."""

    def actor(self, n: int) -> Actor:
        return get_client().submit(Counter, n, actor=True).result(timeout=TIMEOUT)

    def future(self, number: int) -> Any:
        return get_client().submit(operator.neg, number)

    def many(self, number: int) -> list[Any]:
        return [bytes(3_000_000), self.future(number)]

    def resolve(self, future: Any, *rest: Any) -> int:
        return future.result(timeout=TIMEOUT)

    async def resolve_on_loop(self, future: Any) -> int:
        return await future


def test_the_result_of_a_method_outlives_the_call(process_cluster: LocalCluster) -> None:
    with Client(process_cluster) as client:
        maker = client.submit(Maker, actor=True).result(timeout=TIMEOUT)
        made = [maker.actor(number) for number in range(5)]
        assert [call.result(timeout=TIMEOUT).n for call in made] == list(range(5))
        futures = [maker.future(number) for number in range(20)]
        assert [call.result(timeout=TIMEOUT).result(timeout=TIMEOUT) for call in futures] == [-n for n in range(20)]
        _, future = maker.many(7).result(timeout=TIMEOUT)
        assert future.result(timeout=TIMEOUT) == -7


def test_arguments_outlive_the_futures_of_the_caller(process_cluster: LocalCluster) -> None:
    with Client(process_cluster) as client:
        maker = client.submit(Maker, actor=True).result(timeout=TIMEOUT)
        for number in range(10):
            assert maker.resolve(client.submit(operator.neg, number)).result(timeout=TIMEOUT) == -number
            call = maker.resolve_on_loop(client.submit(operator.neg, number + 100))
            assert call.result(timeout=TIMEOUT) == -number - 100
        call = maker.resolve(client.submit(operator.neg, 1000), bytes(3_000_000), np.ones(1_000_000))
        assert call.result(timeout=TIMEOUT) == -1000


def test_a_restart_takes_the_actors_away(process_cluster: LocalCluster) -> None:
    with Client(process_cluster) as client:
        counter = client.submit(Counter, actor=True).result(timeout=TIMEOUT)
        client.restart(timeout=TIMEOUT)
        with pytest.raises(RuntimeError, match="Worker holding Actor was lost"):
            counter.add().result(timeout=TIMEOUT)
        again = client.submit(Counter, actor=True).result(timeout=TIMEOUT)
        assert again.add().result(timeout=TIMEOUT) == 1


def test_a_failed_actor_can_be_retried(client: Client) -> None:
    attempts = client.submit(Counter, actor=True).result(timeout=TIMEOUT)
    future = client.submit(made_at_the_second_attempt, attempts, actor=True, retries=1)
    assert future.result(timeout=TIMEOUT).add().result(timeout=TIMEOUT) == 1
    assert attempts.n == 2


def made_at_the_second_attempt(attempts: Actor) -> Counter:
    if attempts.add().result(timeout=TIMEOUT) == 1:
        raise ValueError("not yet")
    return Counter()
