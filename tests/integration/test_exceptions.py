"""Unusual exceptions arrive unchanged, and none of them ends the program that waits for the result."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import dask
import pytest

from dagrpc import Client, LocalCluster
from dagrpc.exceptions import KilledWorker

WAIT = 60.0


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def client_of_processes() -> Iterator[Client]:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0, "dagrpc.nanny.max-restarts": 100}),
        LocalCluster(n_workers=1, threads_per_worker=1) as cluster,
        Client(cluster) as client,
    ):
        yield client


def raise_(error: BaseException) -> None:
    raise error


async def raise_awaiting(error: BaseException) -> None:
    raise error


async def raise_in_another_coroutine(error: BaseException) -> None:
    await asyncio.create_task(raise_awaiting(error))


class Leaver:
    def leave(self) -> None:
        sys.exit(4)


def error_of(function: Callable[[], Any]) -> BaseException:
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


THE_ONE = ValueError("always the same instance")


def raise_the_one() -> None:
    raise THE_ONE


KINDS = [StopIteration(5), StopAsyncIteration(6), GeneratorExit("g"), BaseException("b"), asyncio.CancelledError("c")]


@pytest.mark.parametrize("error", KINDS)
def test_all_kinds_arrive(client: Client, error: BaseException) -> None:
    ways: list[Callable[[], Any]] = [
        lambda: client.submit(raise_, error, pure=False).result(timeout=WAIT),
        lambda: client.gather([client.submit(raise_, error, pure=False)]),
        lambda: client.get({"x": (raise_, error)}, "x"),
        lambda: client.run(raise_, error),
    ]
    for way in ways:
        raised = error_of(way)
        assert (type(raised), raised.args) == (type(error), error.args)
        assert raised.__context__ is None


def test_an_instance_that_is_raised_again_has_the_traceback_of_one_run(client_of_processes: Client) -> None:
    for _ in range(4):
        error = client_of_processes.submit(raise_the_one, pure=False).exception(timeout=WAIT)
        assert [frame.name for frame in traceback.extract_tb(error.__traceback__)] == ["raise_the_one"]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("k")])
def test_exits_do_not_end_the_program(client: Client, error: BaseException) -> None:
    ways: list[Callable[[], Any]] = [
        lambda: client.submit(raise_, error, pure=False).result(timeout=WAIT),
        lambda: client.submit(raise_awaiting, error, pure=False).result(timeout=WAIT),
        lambda: client.run(raise_, error),
        lambda: client.run(raise_awaiting, error),
        lambda: client.run_on_scheduler(raise_, error),
    ]
    for way in ways:
        raised = error_of(way)
        assert type(raised) is RuntimeError
        assert repr(raised.__cause__) == repr(error)
    assert client.submit(abs, -1, pure=False).result(timeout=WAIT) == 1


def test_exits_of_an_actors_methods(client: Client) -> None:
    actor: Any = client.submit(Leaver, actor=True).result(timeout=WAIT)
    assert repr(error_of(lambda: actor.leave().result(timeout=WAIT)).__cause__) == "SystemExit(4)"


def test_an_exit_on_the_loop_leaves_the_loop_running(client: Client) -> None:
    future = client.submit(raise_in_another_coroutine, SystemExit(0), pure=False)
    assert isinstance(error_of(lambda: future.result(timeout=WAIT)), RuntimeError)
    assert client.submit(abs, -2, pure=False).result(timeout=WAIT) == 2


@pytest.mark.parametrize("function", [raise_, raise_in_another_coroutine])
def test_an_exit_ends_the_worker_and_another_comes(client_of_processes: Client, function: Any) -> None:
    client = client_of_processes
    client.wait_for_workers(1, timeout=WAIT)
    error = error_of(lambda: client.submit(function, SystemExit(0), pure=False).result(timeout=2 * WAIT))
    assert isinstance(error, KilledWorker)
    assert error.exit_code == 72
    client.wait_for_workers(1, timeout=WAIT)
    assert client.submit(abs, -3, pure=False).result(timeout=WAIT) == 3
