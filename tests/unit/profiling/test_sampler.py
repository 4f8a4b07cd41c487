"""The sampling thread: it looks while there is something to see, and sleeps otherwise."""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
from typing import Any

import dask.config
import pytest

from dagrpc._loop.io_loop import run_service
from dagrpc._profiling.sampler import Sampler, loop_stack, process_sampler, stack_of
from tests.support.waiting import eventually

WAIT = 20.0


class Subject:
    def __init__(self):
        self.active = False
        self.samples = 0
        self.fails = False
        self.sampled = threading.Event()

    def busy(self):
        return self.active

    def sample(self, now):
        self.samples += 1
        self.sampled.set()
        if self.fails:
            raise ValueError("this one cannot be sampled")


def test_nobody_is_sampled_before_there_is_something_to_see():
    sampler, subject = Sampler(0.001), Subject()
    sampler.add(subject)
    eventually(lambda: sampler.asleep)
    assert subject.samples == 0
    subject.active = True
    sampler.wake()
    assert subject.sampled.wait(WAIT)


def test_the_sampler_goes_to_sleep_and_wakes_up_again():
    sampler, subject = Sampler(0.001), Subject()
    subject.active = True
    sampler.add(subject)
    for _ in range(3):
        assert subject.sampled.wait(WAIT)
        assert not sampler.asleep
        subject.active = False
        eventually(lambda: sampler.asleep)
        subject.sampled.clear()
        subject.active = True
        sampler.wake()
    assert subject.sampled.wait(WAIT)
    sampler.discard(subject)
    eventually(lambda: sampler.asleep)


def test_a_subject_that_fails_does_not_spoil_it_for_others():
    sampler, bad, good = Sampler(0.001), Subject(), Subject()
    bad.active = bad.fails = good.active = True
    sampler.add(bad)
    sampler.add(good)
    assert good.sampled.wait(WAIT)
    sampler.discard(bad)
    sampler.discard(good)


def test_a_process_has_one():
    assert process_sampler(0.01) is process_sampler(0.5)


def test_a_loop_that_waits_has_no_stack():
    frames = []

    class Selector(selectors.SelectSelector):
        def _select(self, *_):
            frames.append(sys._getframe(1))
            return [], [], []

    Selector().select(0)
    assert loop_stack(frames[0]) == []
    assert loop_stack(None) == []
    own = sys._getframe()
    assert loop_stack(own) == stack_of(own)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_samples_of_a_running_loop_show_only_the_code_that_it_runs(kind):
    began, go_on = threading.Event(), threading.Event()
    found: list[Any] = []

    def spin():
        began.set()
        assert go_on.wait(WAIT)

    async def main():
        over = asyncio.Event()
        found.extend((threading.get_ident(), asyncio.get_running_loop(), over))
        began.set()
        await asyncio.wait_for(over.wait(), 2 * WAIT)

    with dask.config.set({"dagrpc.admin.event-loop": kind}):
        thread = threading.Thread(target=run_service, args=(main(),), daemon=True)
        thread.start()
        assert began.wait(WAIT)
    began.clear()
    ident, loop, over = found

    def seen():
        return [frame.f_code.co_name for frame in loop_stack(sys._current_frames()[ident])]

    eventually(lambda: seen() == [])
    loop.call_soon_threadsafe(spin)
    assert began.wait(WAIT)
    assert seen()[0] == "spin"
    go_on.set()
    eventually(lambda: seen() == [])
    loop.call_soon_threadsafe(over.set)
    thread.join(WAIT)
