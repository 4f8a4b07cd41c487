"""Workers and nannies that do not start: what is raised, from what; and those that are told to close."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.waiting import eventually_async

PATIENCE = 60


class Started(Exception):
    """The server started, although it should have failed."""


def outcome(lib: Any, make: Callable[[str], Any]) -> tuple[Any, BaseException]:
    """Make a server with a scheduler's address; return the server and the exception that it raises when awaited."""

    async def body() -> tuple[Any, BaseException]:
        async with lib.Scheduler(port=0, dashboard_address=":0") as scheduler:
            made = make(scheduler.address)
            try:
                await asyncio.wait_for(_settled(made), PATIENCE)
            except BaseException as error:
                return made, error
            await made.close()
            raise Started

    return asyncio.run(body())


async def _settled(made: Awaitable[Any]) -> None:
    await made


def causes(error: BaseException | None) -> list[BaseException]:
    """Return an exception and what it comes from."""
    return [] if error is None else [error, *causes(error.__cause__)]


@pytest.mark.parametrize("kind", ["Worker", "Nanny"])
def test_nobody_where_the_scheduler_should_be(lib: Any, kind: str) -> None:
    made, error = outcome(lib, lambda _: getattr(lib, kind)("tcp://127.0.0.1:1", nthreads=1, death_timeout=1))
    assert isinstance(error, TimeoutError)
    assert f"{kind} start timed out" in str(error)
    assert made.status.name == "failed"


def refusing(lib: Any) -> Any:
    class Refusing(lib.WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            raise ValueError("no licence")

    return Refusing()


def test_a_plugin_that_fails_keeps_a_worker_from_starting(lib: Any) -> None:
    made, error = outcome(lib, lambda address: lib.Worker(address, nthreads=1, plugins={refusing(lib)}))
    first, second = causes(error)
    assert isinstance(first, RuntimeError)
    assert str(first).startswith("Worker failed to start")
    assert (type(second), str(second)) == (ValueError, "no licence")
    assert made.status.name == "failed"


@pytest.mark.parametrize("processes", [True, False])
def test_plugins_of_a_cluster_are_those_of_its_workers(lib: Any, processes: bool) -> None:
    if processes and lib.__name__ == "distributed":
        pytest.skip("it sends nannies only plugins that are importable")

    class Marking(lib.WorkerPlugin):  # type: ignore[misc]
        name = "marking"

        def setup(self, worker: Any) -> None:
            worker.mark = "set up"

    options: dict[str, Any] = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0"}
    options["processes"] = processes
    with lib.LocalCluster(plugins={Marking()}, **options) as cluster, lib.Client(cluster) as client:
        assert list(client.run(lambda dask_worker: dask_worker.mark).values()) == ["set up"]
    with pytest.raises(RuntimeError, match="failed to start"):
        lib.LocalCluster(plugins={refusing(lib)}, **options)


@pytest.mark.parametrize("kind", ["Worker", "Nanny"])
def test_a_range_of_ports_that_is_used_up(lib: Any, kind: str) -> None:
    async def body() -> None:
        async with lib.Scheduler(port=0, dashboard_address=":0") as scheduler:
            make, address = getattr(lib, kind), scheduler.address
            async with (
                make(address, nthreads=1, port="29867:29868"),
                make(address, nthreads=1, port="29867:29868"),
            ):
                with pytest.raises(RuntimeError, match=f"{kind} failed to start") as raised:
                    await make(address, nthreads=1, port="29867:29868")
        cause = raised.value.__cause__
        assert isinstance(cause, ValueError)
        assert f"Could not start {kind} on host" in str(cause)
        assert "with port 29867:29868" in str(cause)

    asyncio.run(body())


def test_servers_that_are_told_to_close_are_closed_though_nobody_awaits_it(lib: Any) -> None:
    async def closed(server: Any) -> None:
        await eventually_async(lambda: server.status.name == "closed", PATIENCE, otherwise=str(server.status))

    async def body() -> None:
        scheduler = await lib.Scheduler(port=0, dashboard_address=":0")
        retired = await lib.Worker(scheduler.address, nthreads=1, name="retired")
        other = await lib.Worker(scheduler.address, nthreads=1, name="other")
        async with lib.Client(scheduler.address, asynchronous=True) as client:
            await client.retire_workers([retired.address])
            await closed(retired)
            await client.shutdown()
        await closed(other)
        await closed(scheduler)

    asyncio.run(body())
