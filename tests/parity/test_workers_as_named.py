"""Settings and names of workers and nannies."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import dask
import pytest

PATIENCE = 60


def test_a_worker_may_be_named_by_the_name_of_its_host_and_its_port(client: Any) -> None:
    address = list(client.scheduler_info()["workers"])[1]
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host.startswith("127."):
        pytest.skip("the workers do not listen at localhost")
    future = client.submit(os.getpid, workers=f"localhost:{port}", pure=False)
    assert future.result(timeout=PATIENCE) == client.run(os.getpid)[address]


def settled(lib: Any, check: Callable[[Any, Any], Any], **options: Any) -> Any:
    """Return the result of a coroutine function that gets a client and a nanny with the given options."""

    async def body() -> Any:
        async with (
            lib.Scheduler(port=0, dashboard_address=":0") as scheduler,
            lib.Nanny(scheduler.address, nthreads=1, **options) as nanny,
            lib.Client(scheduler.address, asynchronous=True) as client,
        ):
            return await asyncio.wait_for(check(client, nanny), PATIENCE)

    return asyncio.run(body())


def test_settings_of_a_nanny_may_have_dots_in_their_keys(lib: Any) -> None:
    async def check(client: Any, nanny: Any) -> Any:
        (found,) = (await client.run(dask.config.get, "mine")).values()
        return found

    with dask.config.set({"mine.other": 4, "mine.level": 2}):
        assert settled(lib, check, config={"mine.level": 3, "mine.deep.er": 5}) == {
            "other": 4,
            "level": 3,
            "deep": {"er": 5},
        }


def test_arguments_go_before_settings_and_settings_before_the_configuration(
    lib: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(client: Any, nanny: Any) -> Any:
        (found,) = (await client.run(lambda: {name: os.environ.get(f"NAMED_{name}") for name in "ABC"})).values()
        return found

    monkeypatch.setenv("NAMED_A", "set")
    monkeypatch.setenv("NAMED_B", "set")
    configured = dict.fromkeys(("NAMED_A", "NAMED_B", "NAMED_C"), "configured")
    with dask.config.set({"distributed.nanny.environ": configured}):
        found = settled(lib, check, env={"NAMED_B": "given"})
    assert found == {"A": "set", "B": "given", "C": "configured"}


def test_information_that_cannot_be_had_keeps_no_worker_from_starting(lib: Any) -> None:
    def looks_for_a_gpu(worker: Any) -> Any:
        raise ValueError("there is none")

    async def body() -> int:
        async with (
            lib.Scheduler(port=0, dashboard_address=":0") as scheduler,
            lib.Worker(scheduler.address, nthreads=1, startup_information={"gpu": looks_for_a_gpu}),
            lib.Client(scheduler.address, asynchronous=True) as client,
        ):
            return await client.submit(sum, [1, 2])

    assert asyncio.run(body()) == 3
