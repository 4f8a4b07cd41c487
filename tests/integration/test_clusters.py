"""SpecCluster, adaptive scaling, and the options of LocalCluster."""

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import dask
import pytest

from dagrpc import Client, LocalCluster, Nanny, ProcessInterface, Scheduler, SpecCluster, Status
from dagrpc.exceptions import NoWorkersError
from dagrpc_deploy.adaptive import Adaptive
from dagrpc_worker.shell.facade.worker import Worker
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(180)

ONE = {"cls": Worker, "options": {"nthreads": 1}}


def inc(number: int) -> int:
    return number + 1


def wait_for_file(path: str) -> int:
    while not os.path.exists(path):
        time.sleep(0.01)
    return 1


# --- SpecCluster -------------------------------------------------------------------------------------------------


def test_a_cluster_of_a_specification() -> None:
    workers = {"a": {"cls": Worker, "options": {"nthreads": 2, "resources": {"GPU": 1}}}, "b": ONE}
    with SpecCluster(workers=workers, worker=ONE, name="mine") as cluster, Client(cluster) as client:
        assert cluster.name == "mine"
        assert cluster.status is Status.running
        assert cluster.plan == cluster.requested == cluster.observed == {"a", "b"}
        assert cluster.scheduler_info["n_workers"] == 2
        assert cluster.workers["a"].resources == {"GPU": 1}
        assert client.submit(inc, 1, resources={"GPU": 1}).result() == 2
        cluster.scale(4)
        assert cluster.plan == {"a", "b", 0, 1}
        assert sorted(client.nthreads().values()) == [1, 1, 1, 2]
        kept = client.map(inc, range(8))
        client.gather(kept)
        cluster.scale(1)
        eventually(lambda: len(cluster.observed) == 1)
        assert len(cluster.workers) == 1
        assert client.gather(kept) == list(range(1, 9))
        held = client.who_has(kept)
        assert all(held.values())
        scheduler = cluster.scheduler
    assert scheduler.status is Status.closed
    assert cluster.status is Status.closed  # type: ignore[comparison-overlap]


def test_a_specification_names_classes_and_groups() -> None:
    class Pair:
        """Two workers that come and go together."""

        def __init__(self, scheduler: str, name: str) -> None:
            self.members = [Worker(scheduler, name=f"{name}{suffix}", nthreads=1) for suffix in ("-0", "-1")]
            self.status = Status.created

        def __await__(self) -> Any:
            async def start() -> None:
                await asyncio.gather(*(member.start() for member in self.members))
                self.status = Status.running

            return start().__await__()

        async def close(self) -> None:
            await asyncio.gather(*(member.close() for member in self.members))
            self.status = Status.closed

    spec: dict[str, Any] = {
        "pair": {"cls": Pair, "options": {}, "group": ["-0", "-1"]},
        "one": {"cls": "distributed.Worker", "options": {"nthreads": 1}},
    }
    with SpecCluster(workers=spec, scheduler={"cls": "dagrpc.Scheduler", "options": {}}) as cluster:
        assert cluster.observed == {"pair", "one"}
        assert cluster.scheduler_info["n_workers"] == 3
        cluster.scale_down(["pair"])
        assert cluster.observed == {"one"}
        assert cluster.scheduler_info["n_workers"] == 1
        with pytest.raises(ValueError, match="has no specification for further workers"):
            cluster.scale(3)


def test_by_cores_and_memory() -> None:
    worker = {"cls": Worker, "options": {"nthreads": 2, "memory_limit": "1 GiB"}}
    with SpecCluster(worker=worker) as cluster:
        cluster.scale(cores=3)
        assert len(cluster.plan) == 2
        cluster.scale(memory="2.5 GiB")
        assert len(cluster.plan) == 3
    with SpecCluster(worker={"cls": Worker, "options": {}}) as cluster:
        with pytest.raises(ValueError, match="The memory limit of a worker is unknown"):
            cluster.scale(memory="1 GiB")
        with pytest.raises(ValueError, match="The number of threads per worker is unknown"):
            cluster.scale(cores=1)
        with pytest.raises(ValueError, match="-1 workers"):
            cluster.scale(-1)


def test_a_worker_that_is_lost_is_brought_back_when_it_is_wanted() -> None:
    with dask.config.set({"dagrpc.deploy.lost-worker-timeout": 0.1}):
        spec = {"a": {"cls": Nanny, "options": {"nthreads": 1}}}
        with SpecCluster(workers=spec, scheduler_sync_interval=0.05) as cluster, Client(cluster) as client:
            before = cluster.workers["a"]
            cluster._loop.run(before.close())
            eventually(lambda: not cluster.workers)
            assert (cluster.plan, cluster.requested, cluster.observed) == ({"a"}, set(), set())
            cluster.scale(1)
            assert cluster.workers["a"] is not before
            assert client.submit(inc, 1).result(timeout=60) == 2


class Failing(ProcessInterface):
    """Stands for a worker in this process; can be told to have failed."""

    async def start(self) -> None:
        self.worker = await Worker(self.scheduler, name=self.name, nthreads=1)
        await super().start()

    async def close(self, timeout: float | None = None) -> None:
        await self.worker.close()
        await super().close()


def test_a_worker_that_has_failed_is_replaced() -> None:
    with SpecCluster(workers={"a": {"cls": Failing}}, scheduler_sync_interval=0.05) as cluster:
        before = cluster.workers["a"]
        before.status = Status.failed
        eventually(lambda: cluster.workers.get("a") not in (None, before) and cluster.observed == {"a"})
        assert before.worker.status is Status.closed


def test_a_cluster_closes_with_its_scheduler() -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, scheduler_sync_interval=0.05) as cluster:
        nanny = cluster.workers[0]
        os.kill(cluster.scheduler.pid, signal.SIGKILL)
        eventually(lambda: cluster.status is Status.closed)
        assert (cluster.scheduler.status, nanny.status) == (Status.closed, Status.closed)
        assert not nanny.is_alive()


def test_a_server_that_does_not_start_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"no-such-host") as caught:
        SpecCluster(workers={"bad": {"cls": Worker, "options": {"host": "no-such-host", "death_timeout": 1}}})
    assert any("kept worker 'bad' of" in note for note in caught.value.__notes__)
    with pytest.raises(RuntimeError, match=r"no.such\.Class"):
        SpecCluster(scheduler={"cls": "no.such.Class", "options": {}})
    with pytest.raises(NotImplementedError, match="by its name"):
        SpecCluster.from_name("mine")
    with SpecCluster(worker={"cls": Worker, "options": {"host": "no-such-host"}}) as cluster:
        with pytest.raises(RuntimeError, match="no-such-host"):
            cluster.scale(1)
        assert cluster.plan == set()


def test_the_scheduler_can_outlive_its_cluster() -> None:
    async def main() -> None:
        async with SpecCluster(workers={0: ONE}, asynchronous=True, shutdown_scheduler=False) as cluster:
            scheduler: Scheduler = cluster.scheduler
        assert scheduler.status is Status.running
        assert dict(scheduler.workers) == {}
        await scheduler.close()

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["specified", "processes", "threads"])
def test_to_have_no_workers_is_to_give_their_results_up(kind: str) -> None:
    if kind == "specified":
        cluster: Any = SpecCluster(workers={"a": ONE}, worker=ONE)
    else:
        cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=kind == "processes")
    with cluster, Client(cluster) as client:
        future = client.submit(inc, 1)
        assert future.result() == 2
        with pytest.raises(NoWorkersError):
            cluster.scale_down(cluster.plan)
        assert len(cluster.observed) == 1
        cluster.scale(0)
        eventually(lambda: cluster.scheduler_info["n_workers"] == 0)
        assert cluster.plan == set()
        cluster.scale(1)
        assert future.result(timeout=60) == 2


# --- adaptive ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [True, False])
def test_a_cluster_grows_and_shrinks_with_its_work(processes: bool, tmp_path: Path) -> None:
    with (
        LocalCluster(n_workers=0, threads_per_worker=1, processes=processes) as cluster,
        Client(cluster) as client,
    ):
        adaptive = cluster.adapt(minimum=0, maximum=2, interval="50ms", wait_count=2)
        assert "maximum: 2" in repr(adaptive)
        futures = [client.submit(wait_for_file, str(tmp_path / "go"), pure=False) for _ in range(20)]
        eventually(lambda: len(cluster.observed) == 2)
        (tmp_path / "go").touch()
        assert client.gather(futures) == [1] * 20
        # Results stay although workers go.
        eventually(lambda: len(cluster.plan) == 1)
        assert client.gather(futures) == [1] * 20
        assert next(decision["status"] for _, decision in adaptive.log) == "up"
        del futures
        eventually(lambda: len(cluster.plan) == 0)
        assert client.submit(inc, 1).result(timeout=60) == 2


def test_a_minimum_is_kept_and_scaling_by_hand_ends_it() -> None:
    with LocalCluster(n_workers=0, threads_per_worker=1, processes=False) as cluster:
        first = cluster.adapt(minimum=1, interval="20ms")
        eventually(lambda: len(cluster.plan) == 1)
        second = cluster.adapt(maximum=3)
        assert (first.state, second.state) == ("stopped", "running")
        # Bounds are those of the last call, other options stay.
        assert (second.minimum, second.maximum, second.interval) == (0, 3, 0.02)
        cluster.scale(2)
        assert second.state == "stopped"
        assert len(cluster.plan) == 2


def test_bounds_by_cores_and_memory() -> None:
    with LocalCluster(n_workers=0, threads_per_worker=2, processes=False, memory_limit="1 GiB") as cluster:
        adaptive = cluster.adapt(minimum_cores=3, maximum_cores=9, maximum_memory="3 GiB", interval=0)
        assert (adaptive.minimum, adaptive.maximum) == (2, 3)
        for bad in ({"maximum": 1.5}, {"minimum": 3, "maximum": 2}, {"minimum": -1}, {"maximum": "many"}):
            with pytest.raises(ValueError, match="imum is"):
                cluster.adapt(**bad)
        assert cluster._adaptive is adaptive


def test_a_policy_of_ones_own() -> None:
    class Mine(Adaptive):
        wanted = 2

        def target(self) -> int:  # type: ignore[override]
            return self.wanted

        async def workers_to_close(self, target: int) -> Iterable[Any]:
            return sorted(cast("Iterable[int]", self.plan))[target:]

    with LocalCluster(n_workers=0, threads_per_worker=1, processes=False) as cluster:
        adaptive = cluster.adapt(Adaptive=Mine, interval="20ms", wait_count=3)
        assert isinstance(adaptive, Mine)
        eventually(lambda: len(cluster.observed) == 2)
        adaptive.wanted = 1
        eventually(lambda: cluster.plan == {0})


def test_a_key_decides_which_workers_leave_together() -> None:
    with SpecCluster(workers=dict.fromkeys(("a-0", "a-1", "b-0"), ONE), worker=ONE) as cluster:
        adaptive = cluster.adapt(interval=0, minimum=0, worker_key=lambda worker: worker["name"][0])

        async def choose(target: int) -> set[Any]:
            await cluster._refresh()
            return set(await adaptive.workers_to_close(target))

        assert cluster._loop.run(choose(2)) == {"b-0"}
        assert cluster._loop.run(choose(0)) == {"a-0", "a-1", "b-0"}


# --- LocalCluster ------------------------------------------------------------------------------------------------


def test_names_and_classes() -> None:
    with LocalCluster("called", 1, 1, processes=False) as cluster:
        assert cluster.name == "called"
        assert isinstance(cluster.scheduler, Scheduler)
        assert [type(worker) for worker in cluster.workers.values()] == [Worker]
        with pytest.raises(NotImplementedError, match="scale"):
            cluster.start_worker()

    class MyWorker(Worker):
        color = "red"

    with LocalCluster(n_workers=1, worker_class=MyWorker) as cluster, Client(cluster) as client:
        assert client.run(lambda dask_worker: dask_worker.color) == {cluster.workers[0].address: "red"}
    with LocalCluster(n_workers=1, worker_class="distributed.Nanny") as cluster:
        assert [type(worker) for worker in cluster.workers.values()] == [Nanny]
        with pytest.raises(AttributeError, match="in another process"):
            _ = cluster.scheduler.tasks
        assert cluster.plan == cluster.observed == {0}


def test_options_of_scheduler_and_workers() -> None:
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            interface="lo",
            protocol="tcp",
            scheduler_kwargs={"allowed_failures": 7, "idle_timeout": "1 hour"},
            env={"COLOR": "red"},
            config={"mine": {"number": 7}},
            death_timeout="1 minute",
        ) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(lambda: (os.environ["COLOR"], dask.config.get("mine.number"))).result() == ("red", 7)
        assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures) == 7


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"protocol": "ucx"}, ValueError, "ucx"),
        ({"security": object()}, TypeError, "security"),
        ({"interface": "nowhere0"}, ValueError, "nowhere0"),
        ({"interface": "lo", "host": "127.0.0.1"}, ValueError, "one of them"),
        ({"scheduler_kwargs": {"colour": 1}}, RuntimeError, "colour"),
        ({"silence_logs": "loud"}, ValueError, "loud"),
        ({"processes": False, "env": {"A": "b"}}, ValueError, "env="),
        ({"worker_class": "no.such.Class"}, ValueError, r"no\.such\.Class"),
    ],
)
def test_impossible_arguments_are_named(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LocalCluster(n_workers=0, **arguments)


@pytest.mark.parametrize("processes", [True, False])
def test_workers_run_what_is_preloaded(processes: bool, tmp_path: Path) -> None:
    script = tmp_path / "marks.py"
    script.write_text("def dask_setup(worker):\n    worker.marked = 5\n")
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=processes, preload=str(script)) as cluster,
        Client(cluster) as client,
    ):
        assert list(client.run(lambda dask_worker: dask_worker.marked).values()) == [5]
