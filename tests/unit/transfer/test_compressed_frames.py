"""Frames that are compressed on their way."""

from __future__ import annotations

import asyncio
from typing import Any

import dask.config
import numpy as np
import pytest

from dagrpc._codec import compressions, payload
from dagrpc._transfer import compressed_frames
from dagrpc._transfer.transfer_reader import ReceivedValue, TransferReader
from dagrpc._transfer.transfers import OutgoingValue, transfer_messages
from dagrpc.v1 import data_pb2

ZEROS = np.zeros(200_000)
NOISE = np.random.default_rng(0).integers(0, 256, 1_000_000, dtype="u1")
CODECS = [name for name in compressions.available() if isinstance(name, str) and name != "auto"]


def travel(value: Any, codec: str | None) -> tuple[ReceivedValue, int]:
    """Return a value as it arrives, and how many bytes travelled."""
    encoding, frames = payload.encode(value)
    outgoing = asyncio.run(compressed_frames.compress([OutgoingValue("x", encoding, frames)], codec))
    reader, total = TransferReader(), 0
    for message in transfer_messages(outgoing):
        reader.feed(message)
        total += len(message)
    assert reader.done
    asyncio.run(compressed_frames.decompress(reader.values))
    return reader.values[0], total


@pytest.mark.parametrize("codec", CODECS)
def test_compressible_frames_are_compressed(codec: str) -> None:
    got, total = travel(ZEROS, codec)
    assert total < ZEROS.nbytes / 10
    assert codec in got.entry.frame_compressions
    array = payload.decode(got.entry.encoding, got.frames)
    assert array.flags.writeable
    np.testing.assert_array_equal(array, ZEROS)


def test_incompressible_and_small_frames_travel_as_they_are() -> None:
    for value in (NOISE, b"0" * 500):
        got, _ = travel(value, "zlib")
        assert not got.entry.frame_compressions
    got, total = travel(ZEROS, None)
    assert total > ZEROS.nbytes
    assert not got.entry.frame_compressions
    got, _ = travel([ZEROS, NOISE], "zlib")
    assert list(got.entry.frame_compressions) == ["", "zlib", ""]
    np.testing.assert_array_equal(payload.decode(got.entry.encoding, got.frames)[1], NOISE)


@pytest.mark.parametrize(("name", "match"), [("unheard-of", "not installed here"), ("zlib", "cannot be decompressed")])
def test_an_unreadable_frame_counts_as_not_sent(name: str, match: str) -> None:
    entry = data_pb2.ManifestEntry(
        key="x", outcome=data_pb2.DATA_OUTCOME_OK, frame_lengths=[3], frame_compressions=[name]
    )
    value = ReceivedValue(entry, [b"abc"])
    asyncio.run(compressed_frames.decompress([value]))
    assert entry.outcome == data_pb2.DATA_OUTCOME_NOT_ENCODABLE
    assert match in entry.message
    assert value.frames == []


def test_the_setting_names_a_codec() -> None:
    assert compressions.configured("comm.compression") is None
    for value, name in ((False, None), (None, None), ("zlib", "zlib")):
        with dask.config.set({"distributed.comm.compression": value}):
            assert compressions.configured("comm.compression") == name
    with (
        dask.config.set({"distributed.comm.compression": "rar"}),
        pytest.raises(ValueError, match=r"comm\.compression is 'rar'; here it can be one of .*'zlib'"),
    ):
        compressions.configured("comm.compression")
    auto = compressions.available()["auto"].name
    assert auto == ("lz4" if "lz4" in CODECS else "snappy" if "snappy" in CODECS else None)
    with pytest.raises(ValueError, match="no compression 'rar'"):
        compressions.maybe_compress(b"", compression="rar")


def test_a_sample_tells_whether_it_is_worth_it() -> None:
    calls: list[int] = []

    def counted(data: Any) -> bytes:
        calls.append(len(data))
        return bytes(data)

    codec = compressions.Compression("counting", counted, bytes)
    compressions.available()["counting"] = codec
    try:
        assert compressions.maybe_compress(NOISE.data, compression="counting") == (None, NOISE.data)
    finally:
        del compressions.available()["counting"]
    assert calls == [50_000]
    assert len(compressions.byte_sample(NOISE, 10, 3)) == 30
    assert compressions.byte_sample(b"abc", 10, 3) == b"abc"
