"""The I/O thread chooses an event loop, and wakes the threads that wait for the loop."""

from __future__ import annotations

import asyncio
import sys
import threading

import dask.config
import pytest

from dagrpc._loop.io_loop import after_turn, get_loop, new_loop, run_service


def kind_of_loop(setting: str) -> str:
    with dask.config.set({"dagrpc.admin.event-loop": setting}):
        loop = new_loop()
    loop.close()
    return type(loop).__module__.split(".")[0]


def test_without_uvloop_it_is_asyncios_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kind_of_loop("auto") == kind_of_loop("tornado") == kind_of_loop("uvloop") == "uvloop"
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert kind_of_loop("auto") == kind_of_loop("tornado") == kind_of_loop("asyncio") == "asyncio"
    with pytest.raises(ImportError, match="uvloop, which is not installed"):
        kind_of_loop("uvloop")


async def nothing() -> None:
    pass


def test_a_service_that_cannot_have_its_loop_says_why() -> None:
    with dask.config.set({"dagrpc.admin.event-loop": "trio"}), pytest.raises(SystemExit, match="not 'trio'"):
        run_service(nothing())


def test_a_thread_is_woken_after_the_turn_of_the_loop() -> None:
    steps: list[str] = []

    async def turn() -> None:
        after_turn(lambda: steps.append("woken"))
        steps.append("the turn is over")
        await asyncio.sleep(0)

    get_loop().run(turn(), timeout=60)
    assert steps == ["the turn is over", "woken"]


def test_outside_of_the_loop_it_is_woken_at_once() -> None:
    get_loop()
    seen: list[threading.Thread] = []
    after_turn(lambda: seen.append(threading.current_thread()))
    assert seen == [threading.current_thread()]
