"""The frames of other threads are not read around a garbage collection, where Python 3.11 crashes."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dagrpc._profiling.sampler import stack_of
from dagrpc._profiling.thread_frames import read_frames

around_collections = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="from Python 3.12 on, no collection begins while a frame's object is made"
)


@contextmanager
def during_collections(callback: Callable[[str], None]) -> Iterator[None]:
    def called(phase: str, information: dict[str, int]) -> None:
        callback(phase)

    gc.callbacks.append(called)
    try:
        yield
    finally:
        gc.callbacks.remove(called)


def test_frames_are_those_of_other_threads() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        names = read_frames(lambda frames: [frame.f_code.co_name for frame in stack_of(frames[thread.ident or 0])])
        assert names is not None
        assert "wait" in names
        assert read_frames(lambda frames: threading.get_ident() in frames) is False
    finally:
        stop.set()
        thread.join()


@around_collections
def test_no_collection_runs_while_frames_are_read() -> None:
    assert gc.isenabled()
    assert read_frames(lambda frames: gc.isenabled()) is False
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        read_frames(lambda frames: 1 / 0)
    assert gc.isenabled()


def test_collections_that_a_program_has_switched_off_stay_off() -> None:
    gc.disable()
    try:
        assert read_frames(lambda frames: True)
        assert not gc.isenabled()
    finally:
        gc.enable()


@around_collections
def test_no_frames_are_read_while_a_collection_runs() -> None:
    read: list[bool | None] = []
    with during_collections(lambda phase: read.append(read_frames(lambda frames: True))):
        gc.collect()
    # While it runs, and once it has ended.
    assert read == [None, True]


@around_collections
def test_a_reader_may_wait_for_the_end_of_a_collection() -> None:
    inside, waiting = threading.Event(), threading.Event()
    answer: list[bool | None] = []

    def wait(phase: str) -> None:
        if phase == "start":
            inside.set()
            waiting.wait(30)

    def reader() -> None:
        inside.wait(30)
        answer.append(read_frames(lambda frames: True, attempts=1))
        waiting.set()
        answer.append(read_frames(lambda frames: True, attempts=30_000))

    thread = threading.Thread(target=reader)
    thread.start()
    with during_collections(wait):
        gc.collect()
    thread.join(60)
    assert answer == [None, True]
