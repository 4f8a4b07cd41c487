"""The scheduler calls the hooks of its plugins, whose errors do no harm."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dagrpc import Client, LocalCluster, Scheduler, Worker
from dagrpc.exceptions import CodeNotAllowedError
from dagrpc.plugins.base import SchedulerPlugin
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(120)

CALLS: list[tuple[Any, ...]] = []
"""Calls of the plugins' hooks. The schedulers of these tests run in this process."""


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    CALLS.clear()


class All(SchedulerPlugin):
    """Notes everything."""

    name = "all"

    def start(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        CALLS.append(("start", type(scheduler).__name__))

    async def before_close(self) -> None:
        CALLS.append(("before_close",))

    async def close(self) -> None:
        CALLS.append(("close",))

    def update_graph(self, scheduler: Any, *, client: str, keys: Any, tasks: Any, **kwargs: Any) -> None:
        CALLS.append(("update_graph", keys, sorted(map(str, tasks)), kwargs["annotations"], kwargs["priority"]))

    def restart(self, scheduler: Any) -> None:
        CALLS.append(("restart",))

    def transition(self, key: Any, start: str, finish: str, *args: Any, stimulus_id: str, **kwargs: Any) -> None:
        assert stimulus_id
        CALLS.append(("transition", key, start, finish, kwargs))

    def add_worker(self, scheduler: Any, worker: str) -> None:
        CALLS.append(("add_worker", worker, worker in scheduler.workers))

    async def remove_worker(self, scheduler: Any, worker: str, *, stimulus_id: str, **kwargs: Any) -> None:
        CALLS.append(("remove_worker", worker, worker in scheduler.workers))

    def add_client(self, scheduler: Any, client: str) -> None:
        CALLS.append(("add_client", client in scheduler.clients))

    def remove_client(self, scheduler: Any, client: str) -> None:
        CALLS.append(("remove_client", client in scheduler.clients))

    def log_event(self, topic: str, msg: Any) -> None:
        if topic == "mine":
            CALLS.append(("log_event", msg))


class Raising(SchedulerPlugin):
    """Fails whatever it is told."""

    name = "raising"

    def update_graph(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("update_graph")

    def transition(self, *args: Any, **kwargs: Any) -> None:
        raise SystemExit("transition")

    async def add_worker(self, scheduler: Any, worker: str) -> None:
        raise RuntimeError("add_worker")

    def log_event(self, topic: str, msg: Any) -> None:
        raise RuntimeError("log_event")

    def valid_workers_downscaling(self, scheduler: Any, workers: list[Any]) -> list[Any]:
        raise RuntimeError("valid_workers_downscaling")

    async def close(self) -> None:
        raise RuntimeError("close")


class NotStarting(SchedulerPlugin):
    name = "not-starting"

    async def start(self, scheduler: Any) -> None:
        raise ZeroDivisionError("at the start")


class Stubborn(SchedulerPlugin):
    """Keeps a worker."""

    def __init__(self, name: int) -> None:
        self.keep = name

    def valid_workers_downscaling(self, scheduler: Any, workers: list[Any]) -> list[Any]:
        return [worker for worker in workers if worker.name != self.keep]


@pytest.fixture
def fresh(fresh_cluster: LocalCluster) -> Iterator[Client]:
    with Client(fresh_cluster) as client:
        yield client


def of(kind: str) -> list[tuple[Any, ...]]:
    return [call[1:] for call in CALLS if call[0] == kind]


def test_plugins_are_told_of_tasks(fresh: Client) -> None:
    assert fresh.register_plugin(All()) is None
    assert CALLS == [("start", "Scheduler")]
    future = fresh.submit(sum, [1, 2], key=("sum", 0), priority=3, retries=2)
    assert future.result(timeout=30) == 3
    ((keys, tasks, annotations, priority),) = of("update_graph")
    assert keys == {("sum", 0)}
    assert tasks == ["('sum', 0)"]
    assert annotations == {"priority": {("sum", 0): 3}, "retries": {("sum", 0): 2}}
    assert priority[("sum", 0)][0] == -3
    # First the task, then what becomes of it.
    assert [call[0] for call in CALLS[1:4]] == ["update_graph", "transition", "transition"]
    steps = [(start, finish) for key, start, finish, _ in of("transition") if key == ("sum", 0)]
    assert steps == [("released", "waiting"), ("waiting", "processing"), ("processing", "memory")]
    last = of("transition")[-1][-1]
    assert last["worker"] in fresh.nthreads()
    assert last["nbytes"] > 0
    assert last["typename"] == "int"
    assert last["startstops"][0]["start"] <= last["startstops"][0]["stop"]
    future.release()
    fresh.submit(len, "x").result(timeout=30)
    assert ("sum", 0) in [key for key, _, finish, _ in of("transition") if finish == "forgotten"]


def test_plugins_are_told_of_members_and_events(fresh: Client, fresh_cluster: LocalCluster) -> None:
    fresh.register_plugin(All())
    fresh_cluster.scale(3)
    fresh.wait_for_workers(3, timeout=30)
    ((worker, is_known),) = of("add_worker")
    assert fresh.scheduler_info()["workers"][worker]["name"] == 2
    assert is_known
    with Client(fresh_cluster.scheduler_address) as other:
        other.log_event("mine", {"a": 1})
        assert other.submit(sum, [1, 2]).result(timeout=30) == 3
    assert of("log_event") == [({"a": 1},)]
    assert of("add_client") == [(True,)]
    fresh.submit(sum, [3, 4]).result(timeout=30)
    eventually(lambda: of("remove_client"))
    assert of("remove_client") == [(False,)]
    fresh.restart(timeout=30, wait_for_workers=False)
    assert of("restart") == [()]
    fresh_cluster.close()
    assert {call[2] for call in CALLS if call[0] == "remove_worker"} == {False}
    assert of("before_close") == of("close") == [()]
    assert CALLS.index(("before_close",)) < CALLS.index(("close",))


def test_one_that_fails_does_no_harm(fresh: Client, fresh_cluster: LocalCluster) -> None:
    fresh.register_plugin(Raising())
    fresh.register_plugin(All())
    assert fresh.gather(fresh.map(lambda x: x + 1, range(10))) == list(range(1, 11))
    assert of("update_graph")
    fresh.log_event("mine", 1)
    fresh_cluster.scale(3)
    fresh.wait_for_workers(3, timeout=30)
    with pytest.raises(ZeroDivisionError, match="at the start"):
        fresh.register_plugin(NotStarting())
    with pytest.raises(ValueError, match="not-starting"):
        fresh.unregister_scheduler_plugin("not-starting")


def test_one_of_the_same_name_takes_the_place(fresh: Client) -> None:
    fresh.register_plugin(All())
    fresh.register_scheduler_plugin(All())
    assert len(of("start")) == 2
    fresh.register_scheduler_plugin(All(), idempotent=True)
    assert len(of("start")) == 2
    fresh.submit(sum, [1, 2]).result(timeout=30)
    assert len(of("update_graph")) == 1
    fresh.unregister_scheduler_plugin("all")
    fresh.submit(sum, [1, 2, 3]).result(timeout=30)
    assert len(of("update_graph")) == 1
    with pytest.raises(ValueError, match="Could not find plugin 'all'"):
        fresh.unregister_scheduler_plugin("all")


def test_workers_that_may_leave(fresh: Client) -> None:
    def idle(dask_scheduler: Any) -> list[int]:
        return [dask_scheduler.workers[address].name for address in dask_scheduler.workers_to_close(n=1)]

    fresh.register_plugin(Stubborn(0), name="stubborn")
    assert fresh.run_on_scheduler(idle) == [1]
    fresh.register_plugin(Stubborn(1), name="stubborn")
    assert fresh.run_on_scheduler(idle) == [0]


def test_a_scheduler_that_runs_no_user_code_takes_none_from_clients() -> None:
    async def main() -> None:
        async with (
            Scheduler(allow_code=False, plugins=[All()]) as scheduler,
            Worker(scheduler.address, nthreads=1),
            Client(scheduler.address, asynchronous=True) as client,
        ):
            with pytest.raises(CodeNotAllowedError, match="--allow-code"):
                await client.register_plugin(All())
            with pytest.raises(CodeNotAllowedError, match="--allow-code"):
                await client.unregister_scheduler_plugin("all")
            # Those that it was made with are its owner's.
            assert await client.submit(sum, [1, 2]) == 3
            assert list(scheduler.plugins) == ["all"]
            scheduler.remove_plugin("all")
            with pytest.raises(ValueError, match="all"):
                scheduler.remove_plugin("all")
            scheduler.add_plugin(All(), name="again")
            assert await client.submit(sum, [1, 2, 3]) == 6

    asyncio.run(main())
    assert len(of("update_graph")) == 2
    # Not by `add_plugin`.
    assert len(of("start")) == 1
