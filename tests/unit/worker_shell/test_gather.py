"""The values of a transfer are decoded on the event loop, or in a thread if decoding may take long."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

from dagrpc._codec import payload
from dagrpc._codec.failures import type_name
from dagrpc._transfer.transfer_reader import ReceivedValue
from dagrpc.v1 import data_pb2
from dagrpc_worker.shell.fetch import fetcher
from dagrpc_worker.shell.fetch.fetcher import decode, decode_off_loop

decoded_on: list[str] = []


def note(value: object) -> object:
    decoded_on.append(threading.current_thread().name)
    return value


class Noted:
    """Tells which thread it is unpickled in."""

    def __reduce__(self) -> Any:
        return note, (1,)


def received(value: object) -> ReceivedValue:
    encoding, frames = payload.encode(value)
    entry = data_pb2.ManifestEntry(
        key="k", outcome=data_pb2.DATA_OUTCOME_OK, encoding=encoding, type_name=type_name(type(value)), nbytes=1
    )
    return ReceivedValue(entry, [bytearray(frame) for frame in frames])


async def threads_for(value: object, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many times a thread was asked for to decode a value."""
    hops = 0
    to_thread = asyncio.to_thread

    async def counted(*args: Any) -> Any:
        nonlocal hops
        hops += 1
        return await to_thread(*args)

    monkeypatch.setattr(asyncio, "to_thread", counted)
    decoded = await decode_off_loop([received(value)])
    assert set(decoded.values) == {"k"}
    return hops


@pytest.mark.parametrize(
    "value",
    [1, "text", [1, {"a": (2.5, None)}], np.arange(10), np.zeros(10_000_000), np.ones((3, 4), order="F"), np.zeros(0)],
    ids=["int", "text", "nested", "small array", "large array", "fortran", "empty array"],
)
def test_plain_data_and_arrays_need_no_thread(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asyncio.run(threads_for(value, monkeypatch)) == 0


@pytest.mark.parametrize(
    "value",
    [Noted(), [Noted()], np.array([Noted()], dtype=object), "x" * 2_000_000, np.ma.masked_array([1, 2])],
    ids=["object", "nested", "array of objects", "long text", "another array"],
)
def test_code_and_long_pickles_get_a_thread(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded_on.clear()
    assert asyncio.run(threads_for(value, monkeypatch)) == 1
    assert threading.main_thread().name not in decoded_on


def test_the_array_that_imports_numpy_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def noted(values: Any) -> Any:
        threads.append(threading.current_thread())
        return decode(values)

    monkeypatch.setattr(fetcher, "decode", noted)
    value = received(np.arange(3))
    asyncio.run(decode_off_loop([value]))
    monkeypatch.setattr(np.__spec__, "_initializing", True, raising=False)
    asyncio.run(decode_off_loop([value]))
    assert threads[0] is threading.main_thread()
    assert threads[1] is not threading.main_thread()
