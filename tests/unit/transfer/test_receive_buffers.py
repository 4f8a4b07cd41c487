"""Buffers for large frames: used again when their users are gone, never before."""

from __future__ import annotations

import asyncio
import gc
import pickle
from collections.abc import Callable

import numpy as np

from dagrpc._transfer.receive_buffers import LARGE, ReceiveBuffers


def on_loop(body: Callable[[], None]) -> None:
    async def main() -> None:
        body()

    asyncio.run(main())


def test_buffers_are_writable_and_of_the_length_asked_for() -> None:
    def body() -> None:
        buffers = ReceiveBuffers()
        for length in (0, 1, LARGE - 1, LARGE, LARGE + 1, 5 * LARGE + 3):
            view = buffers.allocate(length)
            assert view.nbytes == length
            assert view.format == "B"
            if length:
                view[0] = view[length - 1] = 7

    on_loop(body)


def test_memory_is_used_again_when_its_users_are_gone() -> None:
    def body() -> None:
        buffers = ReceiveBuffers()
        view = buffers.allocate(LARGE)
        view[:] = bytes([1]) * LARGE
        array = np.frombuffer(view, "u1")
        part = array[10:20]
        del view, array
        gc.collect()
        # A slice of the value is still a user.
        other = buffers.allocate(LARGE)
        other[:] = bytes([2]) * LARGE
        assert part.tolist() == [1] * 10
        del part
        gc.collect()
        assert buffers.unused_bytes == LARGE
        again = buffers.allocate(LARGE)
        assert again[0] == 1
        assert buffers.unused_bytes == 0

    on_loop(body)


def test_unpickled_arrays_keep_their_memory() -> None:
    def body() -> None:
        buffers = ReceiveBuffers()
        frames: list[pickle.PickleBuffer] = []
        data = pickle.dumps(np.arange(LARGE), protocol=5, buffer_callback=frames.append)
        view = buffers.allocate(frames[0].raw().nbytes)
        view[:] = frames[0].raw()
        array = pickle.loads(data, buffers=[view])
        del view
        buffers.allocate(array.nbytes)[:] = bytes(array.nbytes)
        assert array[-1] == LARGE - 1
        array[0] = 5

    on_loop(body)


def test_no_more_is_kept_than_allowed() -> None:
    def body() -> None:
        buffers = ReceiveBuffers(keep_bytes=3 * LARGE)
        views = [buffers.allocate(2 * LARGE) for _ in range(3)]
        del views
        gc.collect()
        assert buffers.unused_bytes == 2 * LARGE

    on_loop(body)


def test_unwanted_buffers_go_back() -> None:
    async def main() -> None:
        buffers = ReceiveBuffers(keep_seconds=0.05)
        buffers.allocate(LARGE)
        gc.collect()
        assert buffers.unused_bytes == LARGE
        for _ in range(200):
            if not buffers.unused_bytes:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the memory was kept")

    asyncio.run(main())


def test_unused_memory_is_given_back_when_asked() -> None:
    def body() -> None:
        buffers = ReceiveBuffers()
        used = buffers.allocate(LARGE)
        buffers.allocate(3 * LARGE)
        gc.collect()
        assert buffers.give_back() == 3 * LARGE
        assert buffers.unused_bytes == buffers.give_back() == 0
        used[:] = bytes(LARGE)
        buffers.keep_at_most(LARGE)
        buffers.allocate(2 * LARGE)
        gc.collect()
        assert buffers.unused_bytes == 0
        del used
        gc.collect()
        assert buffers.unused_bytes == LARGE

    on_loop(body)
