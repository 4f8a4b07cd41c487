"""Clusters by specification: the planned workers, the actual workers, and the steps from one to the other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, ClassVar

import dask
import pytest

from tests.parity.functions import inc
from tests.support.waiting import eventually, eventually_async

WAIT = 60


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(main(), 3 * WAIT))


def deploy(lib: Any) -> Any:
    return import_module("distributed.deploy" if lib.__name__ == "distributed" else "dagrpc_deploy.cluster")


@asynccontextmanager
async def specified(lib: Any, **options: Any) -> AsyncIterator[Any]:
    """Yield a cluster that knows what a further worker is, on the caller's loop."""
    scheduler = {"cls": lib.Scheduler, "options": {"port": 0, "dashboard_address": ":0"}}
    worker = {"cls": lib.Worker, "options": {"nthreads": 1}}
    defaults = {"scheduler": scheduler, "worker": worker, "asynchronous": True}
    async with lib.SpecCluster(**{**defaults, **options}) as cluster:
        yield cluster


@asynccontextmanager
async def local(lib: Any, **options: Any) -> AsyncIterator[Any]:
    defaults = {"n_workers": 0, "threads_per_worker": 1, "dashboard_address": ":0", "asynchronous": True}
    async with lib.LocalCluster(**{**defaults, **options}) as cluster:
        yield cluster


# --- asynchronous clusters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["specified", "threads", "processes"])
def test_scale_plans_at_once_and_awaiting_brings_it_about(lib: Any, kind: str) -> None:
    async def main() -> None:
        made = specified(lib) if kind == "specified" else local(lib, processes=kind == "processes")
        async with made as cluster, lib.Client(cluster, asynchronous=True) as client:
            cluster.scale(2)
            assert (list(cluster.worker_spec), list(cluster.workers)) == ([0, 1], [])
            assert await cluster is cluster
            assert list(cluster.workers) == [0, 1]
            assert cluster.plan == cluster.requested == {0, 1}
            assert len(await client.nthreads()) == 2
            assert await client.submit(inc, 1) == 2
            cluster.scale(1)
            assert (len(cluster.worker_spec), len(cluster.workers)) == (1, 2)
            await cluster
            assert list(cluster.workers) == list(cluster.worker_spec)
            if kind == "processes":
                await client.restart()
                await cluster
                assert len(cluster.workers) == 1
            cluster.scale(0)
            assert not cluster.worker_spec
            await cluster
            assert not cluster.workers

    run(main)


def test_the_specification_may_be_changed_by_hand(lib: Any) -> None:
    async def main() -> None:
        async with specified(lib) as cluster:
            cluster.worker_spec["a"] = {"cls": lib.Worker, "options": {"nthreads": 2}}
            await cluster
            assert list(cluster.workers) == ["a"]
            assert cluster.workers["a"].name == "a"
            cluster.worker_spec["b"] = cluster.worker_spec.pop("a")
            await cluster._correct_state()
            assert list(cluster.workers) == ["b"]

    run(main)


def test_more_is_planned_while_what_was_planned_comes(lib: Any) -> None:
    async def main() -> None:
        async with specified(lib) as cluster:
            for n in (2, 1, 3, 1, 2):
                cluster.scale(n)
                await asyncio.sleep(0)
            await cluster
            assert len(cluster.workers) == len(cluster.worker_spec) == 2

    run(main)


def test_an_impossible_plan_raises_at_once(lib: Any) -> None:
    async def main() -> None:
        async with specified(lib) as cluster:
            with pytest.raises(ValueError, match="memory"):
                cluster.scale(memory="3 GB")
            cluster.scale(cores=3)
            assert list(cluster.worker_spec) == [0, 1, 2]

    run(main)


def test_a_lost_worker_comes_back_when_the_cluster_is_awaited(lib: Any) -> None:
    async def main() -> None:
        async with specified(lib) as cluster:
            cluster.scale(2)
            await cluster
            await cluster.workers[0].close()
            assert await eventually_async(lambda: list(cluster.workers) == [1])
            assert sorted(cluster.worker_spec) == [0, 1]
            await cluster
            assert sorted(cluster.workers) == [0, 1]

    with dask.config.set({"distributed.deploy.lost-worker-timeout": "100ms"}):
        run(main)


def test_the_exception_of_a_starting_worker_is_raised(lib: Any) -> None:
    class TooBadError(Exception):
        pass

    class Bad(lib.Worker):  # type: ignore[misc]
        async def start(self) -> Any:
            raise TooBadError("no")

        start_unsafe = start

    spec = {"cls": Bad, "options": {"nthreads": 1}}

    async def main() -> None:
        with pytest.raises(TooBadError):
            async with specified(lib, workers={0: spec}):
                pass
        async with specified(lib, worker=spec) as cluster:
            cluster.scale(1)
            with pytest.raises(TooBadError):
                await cluster

    run(main)


def test_processes_somewhere_else(lib: Any) -> None:
    interface = import_module(
        "distributed.deploy.spec" if lib.__name__ == "distributed" else "dagrpc_deploy.process_interface"
    ).ProcessInterface

    class Job(interface):  # type: ignore[misc, valid-type]
        submitted: ClassVar[list[Any]] = []

        def __init__(self, scheduler: str | None = None, name: Any = None) -> None:
            super().__init__(scheduler=scheduler, name=name)
            self.name = name

        async def start(self) -> None:
            self.submitted.append(self.name)
            await super().start()

        async def close(self) -> None:
            self.submitted.remove(self.name)
            await super().close()

    class Jobs(lib.SpecCluster):  # type: ignore[misc]
        def _new_worker_name(self, worker_number: int) -> str:
            return f"job-{worker_number}"

    async def main() -> None:
        assert Job().address is None
        scheduler = {"cls": lib.Scheduler, "options": {"port": 0, "dashboard_address": ":0"}}
        async with Jobs(scheduler=scheduler, worker={"cls": Job, "options": {}}, asynchronous=True) as cluster:
            cluster.scale(2)
            assert list(cluster.worker_spec) == ["job-0", "job-1"]
            await cluster
            assert sorted(Job.submitted) == ["job-0", "job-1"]
            assert cluster.requested == {"job-0", "job-1"}
            assert cluster.observed == set()
            cluster.scale(1)
            await cluster
            assert Job.submitted == list(cluster.workers)
        assert Job.submitted == []

    run(main)


def test_names_of_workers_are_those_of_the_specification(lib: Any) -> None:
    seen = []

    class Noted(lib.Worker):  # type: ignore[misc]
        def __init__(self, *args: Any, name: Any = None, **kwargs: Any) -> None:
            seen.append(name)
            super().__init__(*args, name=name, **kwargs)

    async def main() -> None:
        async with specified(lib, workers={0: {"cls": Noted}, "one": {"cls": Noted}}):
            assert seen == [0, "one"]

    run(main)


# --- LocalCluster ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [True, False])
def test_a_local_cluster_is_specified(lib: Any, processes: bool) -> None:
    with lib.LocalCluster(
        n_workers=2, threads_per_worker=1, memory_limit="2 GB", processes=processes, dashboard_address=":0"
    ) as cluster:
        kind = lib.Nanny if processes else lib.Worker
        assert isinstance(cluster, lib.SpecCluster)
        assert list(cluster.worker_spec) == list(cluster.workers) == [0, 1]
        assert all(isinstance(worker, kind) for worker in cluster.workers.values())
        assert cluster.new_spec == cluster.worker_spec[0]
        assert cluster.new_spec["cls"] is kind
        options = cluster.new_spec["options"]
        assert (options["nthreads"], options["memory_limit"]) == (1, "2 GB")
        assert cluster.new_worker_spec() == {2: cluster.new_spec}
        assert cluster._new_worker_name(7) == 7
        assert cluster.scheduler_spec["options"]["host"] == options["host"]
        assert cluster.scheduler.address == cluster.scheduler_address
        cluster.scale(cores=4)
        assert list(cluster.worker_spec) == [0, 1, 2, 3]
        assert eventually(lambda: len(cluster.workers) == 4)
        cluster.scale(memory="5 GB")
        assert len(cluster.worker_spec) == 3
        assert eventually(lambda: len(cluster.workers) == 3)
        workers = cluster.workers
        assert workers is cluster.workers
    assert workers == {}
    assert cluster.worker_spec == {}
    assert cluster.status.name == "closed"
    cluster.scale(2)
    assert cluster.worker_spec == {}


def test_its_nannies_tell_of_their_workers(lib: Any) -> None:
    with (
        lib.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        addresses = set(client.nthreads())
        pids = client.run(os.getpid)
        for name, nanny in cluster.workers.items():
            assert nanny.name == name
            assert nanny.nthreads == 1
            assert nanny.status.name == "running"
            assert nanny.is_alive()
            assert nanny.worker_address in addresses
            assert nanny.pid == pids[nanny.worker_address]
        assert set(client.run(os.getpid, nanny=True).values()) == {os.getpid()}


def test_how_many_there_are_by_default_can_be_read(lib: Any) -> None:
    with lib.LocalCluster(dashboard_address=":0") as cluster, lib.Client(cluster) as client:
        threads = [nanny.nthreads for nanny in cluster.workers.values()]
        assert threads == list(client.nthreads().values())
        assert sum(threads) == len(os.sched_getaffinity(0))


def test_no_workers(lib: Any) -> None:
    with lib.LocalCluster(n_workers=0, dashboard_address=":0") as cluster:
        assert cluster.workers == cluster.worker_spec == {}


@pytest.mark.parametrize("processes", [True, False])
def test_a_subclass_may_scale_in_its_own_way(lib: Any, processes: bool) -> None:
    class Doubling(lib.LocalCluster):  # type: ignore[misc]
        def scale(self, n: int) -> Any:
            return self.sync(self._scale, n)

        async def _scale(self, n: int) -> None:
            super().scale(2 * n)

    with Doubling(n_workers=0, threads_per_worker=1, processes=processes, dashboard_address=":0") as cluster:
        cluster.scale(1)
        assert list(cluster.worker_spec) == [0, 1]
        assert eventually(lambda: len(cluster.workers) == 2)


def test_workers_leave_it_adaptively(lib: Any) -> None:
    with (
        lib.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        cluster.adapt(minimum=0, maximum=2, interval="50 ms", wait_count=1)
        assert eventually(lambda: not cluster.workers)
        assert cluster.worker_spec == {}
        assert client.submit(inc, 1).result(timeout=WAIT) == 2
        assert len(cluster.workers) >= 1


def test_a_subclass_acts_before_and_after(lib: Any) -> None:
    done = []

    class Careful(lib.LocalCluster):  # type: ignore[misc]
        async def _start(self) -> None:
            done.append("before")
            await super()._start()
            done.append(self.scheduler.status.name)

        async def _close(self) -> None:
            await super()._close()
            done.append("after")

    with Careful(n_workers=1, processes=False, dashboard_address=":0") as cluster:
        assert cluster.scheduler_address
    assert done == ["before", "running", "after"]


# --- adaptive ----------------------------------------------------------------------------------------------------


def test_bounds_are_those_of_the_last_call(lib: Any) -> None:
    with lib.LocalCluster(
        n_workers=0, threads_per_worker=2, memory_limit="3 GB", processes=False, dashboard_address=":0"
    ) as cluster:

        def bounds(**options: Any) -> tuple[Any, Any, Any]:
            adaptive = cluster.adapt(**options)
            return adaptive.minimum, adaptive.maximum, adaptive.interval

        inf = float("inf")
        assert bounds(maximum_cores=9, interval="3 s") == (0, 4, 3)
        assert bounds(maximum_memory="20 GB") == (0, 6, 3)
        assert bounds(minimum=1) == (1, inf, 3)
        assert bounds(minimum_cores=3) == (2, inf, 3)
        assert bounds() == (0, inf, 3)


def test_adaptive_scaling_uses_the_methods_of_a_subclass(lib: Any) -> None:
    called = []

    class Noting(lib.LocalCluster):  # type: ignore[misc]
        def scale(self, n: int, **options: Any) -> Any:
            called.append(n)
            return super().scale(n, **options)

    with (
        Noting(n_workers=0, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        adaptive = cluster.adapt(minimum=0, maximum=1, interval="50 ms")
        assert client.submit(inc, 1).result(timeout=WAIT) == 2
        assert called == [1]
        assert cluster._adaptive is adaptive


def test_workers_go_together_by_what_a_key_says_of_them(lib: Any) -> None:
    with (
        lib.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        client.wait_for_workers(2, timeout=WAIT)
        cluster.adapt(
            minimum=0,
            maximum=2,
            interval="50 ms",
            wait_count=1,
            memory_ratio=2,
            worker_key=lambda ws: (ws.host, ws.address.rpartition(":")[0], ws.nthreads, ws.memory_limit, *ws.resources),
        )
        assert eventually(lambda: not client.nthreads())


# --- the base class ----------------------------------------------------------------------------------------------


def test_a_cluster_that_is_connected_to_nothing(lib: Any) -> None:
    async def main() -> None:
        async with deploy(lib).Cluster(asynchronous=True, name="mine") as cluster:
            assert repr(cluster) == "Cluster(mine, '<Not Connected>', workers=0, threads=0, memory=0 B)"
            assert cluster.scheduler_address == "<Not Connected>"
            assert cluster.observed == set()
            assert await cluster is cluster
            with pytest.raises(NotImplementedError):
                cluster.scale(1)
        assert cluster.status.name == "closed"

    run(main)


@pytest.mark.parametrize("kind", ["Cluster", "SpecCluster", "LocalCluster"])
def test_asynchronous_clusters_are_entered_asynchronously(lib: Any, kind: str) -> None:
    async def main() -> None:
        cluster = getattr(deploy(lib) if kind == "Cluster" else lib, kind)(asynchronous=True)
        with pytest.raises(TypeError, match="async with"), cluster:
            pass
        await cluster.close()

    run(main)


def test_a_client_of_the_cluster_is_there_already(lib: Any) -> None:
    with lib.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as cluster:
        with lib.Client(cluster) as client:
            assert cluster.get_client() is client
        with cluster.get_client() as another:
            assert another is not client
            assert cluster.get_client() is another


# --- arguments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [None, False, "error", 40])
def test_levels_of_logs(lib: Any, level: Any) -> None:
    with lib.LocalCluster(n_workers=0, processes=False, dashboard_address=":0", silence_logs=level) as cluster:
        assert cluster.status.name == "running"


def test_handlers_can_be_blocked(lib: Any) -> None:
    with (
        lib.LocalCluster(
            n_workers=0, processes=False, dashboard_address=":0", blocked_handlers=["feed", "run_function"]
        ) as cluster,
        lib.Client(cluster) as client,
        pytest.raises((PermissionError, ValueError), match=r"run_function|RunOnScheduler"),
    ):
        client.run_on_scheduler(os.getpid)


def test_no_threads_are_all_threads(lib: Any) -> None:
    with (
        lib.LocalCluster(n_workers=1, threads_per_worker=0, processes=False, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        assert list(client.nthreads().values()) == [len(os.sched_getaffinity(0))]


def test_arguments_of_a_worker_class_of_ones_own(lib: Any) -> None:
    class Painted(lib.Worker):  # type: ignore[misc]
        def __init__(self, *args: Any, color: str, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.color = color

    with lib.LocalCluster(n_workers=2, worker_class=Painted, color="red", dashboard_address=":0") as cluster:
        assert [worker.color for worker in cluster.workers.values()] == ["red", "red"]


@pytest.mark.parametrize("address", [None, ":0", "127.0.0.1:0"])
def test_addresses_of_dashboards(lib: Any, address: str | None) -> None:
    with lib.LocalCluster(
        n_workers=1,
        processes=False,
        dashboard_address=address,
        worker_dashboard_address=address,
        service_kwargs={"dashboard": {"prefix": "/foo"}},
    ) as cluster:
        assert len(cluster.workers) == 1


def test_variables_of_the_program_go_before_those_of_the_configuration(
    lib: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ.MINE": 1}),
        lib.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", env={"GIVEN": "2"}) as cluster,
        lib.Client(cluster) as client,
    ):
        found = client.submit(lambda: [os.getenv(name) for name in ("OMP_NUM_THREADS", "MINE", "GIVEN")]).result()
        assert found == ["8", "1", "2"]
