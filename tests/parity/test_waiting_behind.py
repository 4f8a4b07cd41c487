"""Idle workers run short tasks that are queued behind a long one, and tasks that wait for other tasks do not hang."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.parity.conftest import PATIENCE


def library() -> Any:
    """Import the library within a task."""
    return importlib.import_module(os.environ.get("PARITY_BACKEND", "dagrpc"))


def hold(gate: str) -> str:
    """Run until the gate is open."""
    assert library().Event(gate).wait(timeout=PATIENCE)
    return "held"


def maybe_hold(number: int, gate: str, holders: tuple[int, ...]) -> int:
    """Run until the gate is open, or for a moment."""
    if number in holders:
        hold(gate)
    return number


@pytest.mark.parametrize("known", [False, True])
def test_short_tasks_are_not_held_up_by_a_long_one(own_client: Any, lib: Any, known: bool) -> None:
    if known:
        own_client.gather(own_client.map(int, range(10)))
    gate = lib.Event("open", client=own_client)
    long = own_client.submit(hold, "open")
    assert own_client.gather(own_client.map(int, range(100, 120), pure=False)) == list(range(100, 120))
    assert not long.done()
    gate.set()
    assert long.result(timeout=PATIENCE) == "held"


def test_one_long_task_does_not_delay_the_short_tasks_submitted_with_it(own_client: Any, lib: Any) -> None:
    own_client.gather(own_client.map(maybe_hold, range(200), gate="open", holders=()))
    gate = lib.Event("open", client=own_client)
    futures = own_client.map(maybe_hold, range(400), gate="open", holders=(100,), pure=False)
    held = futures.pop(100)
    assert sum(own_client.gather(futures)) == sum(range(400)) - 100
    assert not held.done()
    gate.set()
    assert held.result(timeout=PATIENCE) == 100


def test_a_task_waits_for_its_children_while_another_worker_is_idle(own_client: Any, lib: Any) -> None:
    def parent(count: int) -> int:
        inner = lib.get_client()
        return sum(inner.gather(inner.map(lambda number: number + 1, range(count), pure=False)))

    assert own_client.submit(parent, 10).result(timeout=PATIENCE) == 55


def test_a_coroutine_waits_for_its_children_while_another_worker_is_idle(own_client: Any, lib: Any) -> None:
    async def parent(count: int) -> int:
        inner = lib.get_client()
        return sum(await inner.gather(inner.map(lambda number: number + 1, range(count), pure=False)))

    assert own_client.submit(parent, 10).result(timeout=PATIENCE) == 55


def results_of(futures: Any) -> Any:
    return [future.result(timeout=PATIENCE) for future in futures]


def results_as_completed(futures: Any) -> Any:
    return [future.result() for future in library().as_completed(futures, timeout=PATIENCE)]


def results_waited_for(futures: Any) -> Any:
    library().wait(futures, timeout=PATIENCE)
    return [future.result() for future in futures]


@pytest.mark.parametrize("collect", [results_of, results_as_completed, results_waited_for])
def test_there_are_other_ways_to_wait_for_children(own_client: Any, lib: Any, collect: Callable[[Any], Any]) -> None:
    def parent(count: int) -> int:
        return sum(collect(lib.get_client().map(abs, range(count), pure=False)))

    assert own_client.submit(parent, 10).result(timeout=PATIENCE) == 45


def test_a_chain_of_waiting_tasks_as_long_as_there_are_threads(lib: Any) -> None:
    def chain(depth: int) -> int:
        if not depth:
            return 0
        inner = lib.get_client()
        return 1 + int(inner.submit(chain, depth - 1, pure=False).result(timeout=PATIENCE))

    with (
        lib.LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0") as cluster,
        lib.Client(cluster) as client,
    ):
        assert client.submit(chain, 3).result(timeout=PATIENCE) == 3


def test_a_task_that_waits_for_an_event_of_a_task_behind_it(own_client: Any, lib: Any) -> None:
    def opens(gate: str) -> None:
        lib.Event(gate).set()

    for number in range(4):
        gate = f"gate {number}"
        waiting = own_client.submit(hold, gate, pure=False)
        own_client.submit(opens, gate, pure=False).result(timeout=PATIENCE)
        assert waiting.result(timeout=PATIENCE) == "held"


def test_the_most_urgent_tasks_are_the_first_ones_that_late_workers_run(lib: Any, tmp_path: Any) -> None:
    def note(number: int, path: str) -> None:
        import time

        with open(path, "a") as file:
            file.write(f"{number}\n")
        time.sleep(0.3)

    path = str(tmp_path / "order")

    async def main() -> list[int]:
        async with (
            lib.Scheduler(dashboard_address=":0", port=0) as scheduler,
            lib.Client(scheduler.address, asynchronous=True) as client,
        ):
            futures = [
                client.submit(note, number, path, priority=number, resources={"A": 1}, pure=False)
                for number in range(12)
            ]
            async with (
                lib.Nanny(scheduler.address, nthreads=1, resources={"A": 1}),
                lib.Nanny(scheduler.address, nthreads=1, resources={"A": 1}),
            ):
                await asyncio.wait_for(client.gather(futures), PATIENCE)
                # Before one of them is closed: what only it holds is computed again.
                return [int(line) for line in (tmp_path / "order").read_text().split()]

    order = asyncio.run(main())
    assert sorted(order) == list(range(12))
    for place, number in enumerate(order):
        assert abs(11 - number - place) <= 2, order
