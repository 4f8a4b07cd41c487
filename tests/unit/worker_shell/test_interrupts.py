"""Breaking off tasks that run: the right one, and nothing else, ever."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from dagrpc._codec.functions import PickledFunction, encode_call
from dagrpc.exceptions import TaskInterrupted, TaskTimeout
from dagrpc.v1 import failure_pb2
from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import Execute
from dagrpc_worker.execute import custom_executors, interrupts
from dagrpc_worker.execute.work import PythonTask
from tests.unit.worker_shell.test_runner import WAIT, Bench, raised

_began = threading.Event()
_stopped = threading.Event()


def spin() -> None:
    """Run for ever, in Python."""
    _began.set()
    try:
        while True:
            pass
    finally:
        _stopped.set()


async def wait_for_ever() -> None:
    _began.set()
    await asyncio.sleep(3600)


@pytest.fixture(params=[1, 4])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(request.param)
    bench.runner.address = "here:1"
    _began.clear()
    _stopped.clear()
    yield bench
    bench.close()


def on_loop(bench: Bench, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function on the loop, where the runner is told things."""

    async def call() -> Any:
        return function(*args)

    return asyncio.run_coroutine_threadsafe(call(), bench.loop).result(WAIT)


def interrupt(bench: Bench, run_id: int, limit: float = 0.0) -> None:
    on_loop(bench, bench.runner.interrupt, "x", run_id, limit)


def end_of(bench: Bench) -> Any:
    """Return the next event that ends a run."""
    while True:
        event = bench.next()
        if not isinstance(event, events.ExecuteStarted | events.ExecuteInterrupted):
            return event


def test_a_task_is_broken_off(bench: Bench) -> None:
    run_id = bench.call("x", spin)
    assert _began.wait(WAIT)
    interrupt(bench, run_id)
    assert end_of(bench) == events.ExecuteSkipped("x", run_id)
    assert _stopped.is_set()
    bench.call("y", int)
    assert isinstance(end_of(bench), events.ExecuteSucceeded)


def test_a_task_whose_time_is_up_fails(bench: Bench) -> None:
    run_id = bench.call("x", spin, timeout=0.5)
    started = bench.next()
    assert isinstance(started, events.ExecuteStarted)
    assert _began.wait(WAIT)
    interrupt(bench, run_id, 0.5)
    event = end_of(bench)
    error = raised(event)
    assert isinstance(error, TaskTimeout)
    assert (error.key, error.limit, error.worker) == ("x", 0.5, "here:1")
    assert event.failure.kind == failure_pb2.FAILURE_KIND_TIMEOUT
    assert "in spin" in event.failure.traceback_text


def test_except_exception_does_not_swallow_it(bench: Bench) -> None:
    def stubborn() -> None:
        while True:
            try:
                spin()
            except Exception:
                continue

    run_id = bench.call("x", stubborn)
    assert _began.wait(WAIT)
    interrupt(bench, run_id)
    assert end_of(bench) == events.ExecuteSkipped("x", run_id)


def test_a_task_that_returns_in_spite_of_it_has_failed(bench: Bench) -> None:
    def swallow() -> str:
        with contextlib.suppress(TaskInterrupted):
            spin()
        return "done anyway"

    run_id = bench.call("x", swallow)
    assert _began.wait(WAIT)
    interrupt(bench, run_id, 1.0)
    assert isinstance(raised(end_of(bench)), TaskTimeout)
    assert "x" not in bench.store


def test_a_coroutine_is_cancelled(bench: Bench) -> None:
    run_id = bench.call("x", wait_for_ever)
    assert _began.wait(WAIT)
    # The coroutine has begun: `sleep` comes in the same step.
    interrupt(bench, run_id, 1.0)
    assert isinstance(raised(end_of(bench)), TaskTimeout)


def test_a_task_in_a_users_thread_pool_is_broken_off(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as pool:
        custom_executors.install(bench.runner, pool, "test")
        run_id = bench.call("x", spin)
        assert _began.wait(WAIT)
        interrupt(bench, run_id)
        assert end_of(bench) == events.ExecuteSkipped("x", run_id)


def test_nobody_waits_for_a_process_that_goes_on(bench: Bench) -> None:
    # Spawned: a process that is forked while threads run may never end.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        custom_executors.install(bench.runner, pool, "test")
        run_id = bench.call("x", time.sleep, 2.0, timeout=1.0)
        assert isinstance(bench.next(), events.ExecuteStarted)
        interrupt(bench, run_id, 1.0)
        assert isinstance(raised(end_of(bench)), TaskTimeout)


def test_a_detached_thread_is_replaced(bench: Bench) -> None:
    release = threading.Event()
    waiting = [threading.Event() for _ in range(bench.runner.pools["default"].size)]

    def hold(began: threading.Event) -> None:
        began.set()
        release.wait(WAIT)

    runs = [bench.call(f"x{i}", _holder(hold, began)) for i, began in enumerate(waiting)]
    assert all(began.wait(WAIT) for began in waiting)
    for i, run_id in enumerate(runs):
        on_loop(bench, bench.runner.detach, f"x{i}", run_id, True)
    bench.call("y", int)
    assert isinstance(end_of(bench), events.ExecuteSucceeded)
    release.set()
    for _ in runs:
        end_of(bench)
    bench.call("z", int)
    assert isinstance(end_of(bench), events.ExecuteSucceeded)


_HELD: list[Callable[[], None]] = []


def _holder(hold: Callable[[threading.Event], None], began: threading.Event) -> Callable[[], None]:
    """Return a function that can be pickled and calls one that cannot."""
    _HELD.append(lambda: hold(began))
    index = len(_HELD) - 1

    def call() -> None:
        from tests.unit.worker_shell.test_interrupts import _HELD as held

        held[index]()

    return call


@pytest.fixture
def hurried_interpreter() -> Iterator[None]:
    """Threads take turns as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def test_no_exception_goes_astray(bench: Bench, hurried_interpreter: None) -> None:
    """Thousands of tasks that are told to stop at about the time at which they end: each ends once, in one of two ways,
    and no other task, nor the thread between two, gets anything."""
    count = 5_000
    pickled = PickledFunction(_short)
    digest = pickled.digest
    bench.shared.put(digest, pickled.data)
    spec, _ = encode_call(pickled, (), {})
    stop = threading.Event()
    told = [0]

    def tell() -> None:
        while not stop.is_set():
            for context in bench.runner.contexts():
                told[0] += interrupts.interrupt(context, 0.0)

    teller = threading.Thread(target=tell)
    teller.start()
    for run_id in range(1, count + 1):
        bench.runner.submit(Execute("x", run_id, PythonTask(spec, [digest])))
    ended: dict[int, type] = {}
    for _ in range(count):
        event = bench.events.get(timeout=60)
        assert type(event) in (events.ExecuteSucceeded, events.ExecuteSkipped), event
        assert event.run_id not in ended
        ended[event.run_id] = type(event)
    stop.set()
    teller.join(WAIT)
    skipped = sum(kind is events.ExecuteSkipped for kind in ended.values())
    assert count > skipped >= told[0] > 0


def _short() -> int:
    total = 0
    for number in range(1_000):
        total += number
    return total
