"""Nannies as seen by code that runs in them: plugins, and functions sent with ``client.run(..., nanny=True)``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from dagrpc import Client, LocalCluster, Nanny, NannyPlugin, Scheduler
from dagrpc._common.server_status import Status

WAIT = 60.0


def test_a_process_with_several_nannies(process_cluster: LocalCluster) -> None:
    def instances() -> Any:
        nannies: Any = Nanny._instances
        return [nanny.name for nanny in nannies]

    def same(dask_worker: Any) -> bool:
        return dask_worker in Nanny._instances and dask_worker._service.facade is dask_worker

    with Client(process_cluster) as client:
        names = sorted(worker["name"] for worker in client.scheduler_info()["workers"].values())
        # Those of other clusters of this program are among them.
        assert all(set(names) <= set(found) for found in client.run(instances, nanny=True).values())
        assert set(client.run(same, nanny=True).values()) == {True}


def test_a_function_is_called_by_the_object() -> None:
    async def main() -> None:
        async with Scheduler() as scheduler, Nanny(scheduler.address, nthreads=1, name="n", env={"A": "b"}) as nanny:
            assert nanny.env["A"] == "b"
            assert nanny.config["temporary-directory"] is None
            assert nanny.identity()["id"] == nanny.id
            assert nanny.restarts == 0
            assert await nanny.run(lambda word, dask_worker: (word, dask_worker.name), ("hi",)) == ("hi", "n")

            async def restart(dask_worker: Any) -> Any:
                return await dask_worker.restart()

            before = nanny.pid
            assert await nanny.run(restart) == "OK"
            assert nanny.pid not in (None, before)
            async with Client(scheduler.address, asynchronous=True) as client:
                told = await client.run(lambda dask_worker: dask_worker.name, nanny=True)
                assert list(told.values()) == ["n"]
            with pytest.raises(AttributeError, match="nonsense"):
                nanny.nonsense  # type: ignore[attr-defined]  # noqa: B018

    asyncio.run(main())


def test_before_the_start() -> None:
    told: dict[str, Any] = {"env": {"A": 1}, "config": {"b": 2}, "memory_limit": "1 GiB", "resources": {"G": 1}}
    nanny = Nanny("127.0.0.1:1", nthreads=2, name="n", **told)
    assert (nanny.id, nanny.status, nanny.process, nanny.pid, nanny.thread_id) == ("", Status.created, None, None, 0)
    assert (nanny.env, nanny.config, nanny.nthreads, nanny.resources) == ({"A": "1"}, {"b": 2}, 2, {"G": 1})
    assert nanny.memory_manager.memory_limit == nanny.memory_limit == 2**30
    assert (nanny.scheduler_address, nanny.plugins) == ("127.0.0.1:1", {})
    assert nanny in Nanny._instances
    with pytest.raises(RuntimeError, match="has not started"):
        asyncio.run(nanny.plugin_add(NannyPlugin()))
    with pytest.raises(AttributeError, match="restarts"):
        nanny.restarts  # noqa: B018


class Painter(NannyPlugin):
    """Restarts the worker with another environment."""

    name = "painter"
    restart = True

    def setup(self, nanny: Any) -> None:
        nanny.env["COLOR_OF_A_TEST"] = "blue"


def test_a_plugin_of_one_nanny() -> None:
    async def main() -> None:
        async with (
            Scheduler() as scheduler,
            Nanny(scheduler.address, nthreads=1) as nanny,
            Client(scheduler.address, asynchronous=True) as client,
        ):
            before = nanny.pid
            assert await nanny.plugin_add(Painter()) == {"status": "OK"}
            assert nanny.pid not in (None, before)
            assert await client.submit(os.getenv, "COLOR_OF_A_TEST") == "blue"
            assert list(nanny.plugins) == ["painter"]
            await nanny.plugin_remove("painter")
            assert nanny.plugins == {}

    asyncio.run(main())


def test_events_and_calls(process_cluster: LocalCluster) -> None:
    async def call(dask_worker: Any) -> Any:
        dask_worker.log_event(["a-nannys", "other"], {"number": 5})
        return await dask_worker.scheduler.ncores()

    def refused(dask_worker: Any) -> Any:
        try:
            dask_worker.log_event("a-nannys", object())
        except TypeError as error:
            return str(error)

    async def until_there(client: Any) -> Any:
        async with asyncio.timeout(WAIT):
            while not (events := await client.get_events("a-nannys")):
                await asyncio.sleep(0.02)
            return events

    async def main() -> None:
        async with Client(process_cluster.scheduler_address, asynchronous=True) as client:
            threads = await client.nthreads()
            one = sorted(threads)[0]
            assert (await client.run(call, nanny=True, workers=[one]))[one] == threads
            assert [event[1] for event in await until_there(client)] == [{"number": 5}]
            assert "object" in (await client.run(refused, nanny=True, workers=[one]))[one]

    asyncio.run(main())


def test_the_scheduler_is_known_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"

    async def main() -> None:
        async with (
            Scheduler(scheduler_file=str(file)) as scheduler,
            Nanny(scheduler_file=str(file), nthreads=1) as nanny,
        ):
            assert nanny.scheduler_address == scheduler.address
            assert await nanny.scheduler.ncores() == {nanny.worker_address: 1}

    asyncio.run(main())
