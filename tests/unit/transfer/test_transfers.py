"""Transfers put together from their messages, without sockets."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagrpc._codec import payload
from dagrpc._transfer.bytes_buffer import BytesBuffer
from dagrpc._transfer.chunk_wire import encode_chunk
from dagrpc._transfer.transfers import WHOLE, OutgoingValue, TransferReader, transfer_messages
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import data_pb2, worker_service_pb2

frames = st.lists(st.binary(max_size=200), max_size=5)


def read(messages: list[bytes]) -> TransferReader:
    reader = TransferReader()
    for message in messages:
        reader.feed(message)
    return reader


@given(st.lists(frames, max_size=6), st.integers(1, 64))
def test_round_trip(values: list[list[bytes]], chunk_size: int) -> None:
    outgoing = [OutgoingValue(f"k{i}", "raw", value) for i, value in enumerate(values)]
    reader = read(list(transfer_messages(outgoing, chunk_size)))
    assert reader.done
    assert [[bytes(frame) for frame in value.frames] for value in reader.values] == values
    assert [value.entry.key for value in reader.values] == [value.key for value in outgoing]


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 3 * 2**20 + 17])
def test_large_frames_cross_chunks(size: int) -> None:
    content = random.Random(size).randbytes(size)
    reader = read(list(transfer_messages([OutgoingValue("k", "raw", [b"head", content, b""])])))
    assert reader.done
    assert [bytes(frame) for frame in reader.values[0].frames] == [b"head", content, b""]


def test_frames_that_came_are_writable() -> None:
    reader = read(list(transfer_messages([OutgoingValue("k", "raw", [b"small", bytes(200_000)])])))
    for frame in reader.values[0].frames:
        memoryview(frame)[0] = 1


@pytest.mark.parametrize("size", [100_000, 3 * 2**20 + 17])
def test_bytes_come_as_bytes_without_a_copy(size: int) -> None:
    content = random.Random(size).randbytes(size)
    reader = read(list(transfer_messages([OutgoingValue("k", *payload.encode(content))])))
    before = memoryview(reader.values[0].frames[0])
    address = np.frombuffer(before, "u1").ctypes.data
    del before
    reader.finish()
    (frame,) = reader.values[0].frames
    assert type(frame) is bytes
    assert np.frombuffer(frame, "u1").ctypes.data == address
    assert payload.decode("raw", [frame]) is frame
    assert frame == content


def test_bytes_that_somebody_looks_at_are_copied() -> None:
    buffer = BytesBuffer(4)
    part = buffer.view[1:3]
    buffer.view[:] = b"abcd"
    assert buffer.finish() == b"abcd"
    part[0] = 0


def test_values_that_are_not_sent_have_no_bytes() -> None:
    missing = OutgoingValue("gone", "", [], outcome=data_pb2.DATA_OUTCOME_MISSING)
    reader = read(list(transfer_messages([missing, OutgoingValue("k", "raw", [b"abc"])])))
    assert reader.done
    assert [value.entry.outcome for value in reader.values] == [
        data_pb2.DATA_OUTCOME_MISSING,
        data_pb2.DATA_OUTCOME_OK,
    ]
    assert bytes(reader.values[1].frames[0]) == b"abc"


def test_few_bytes_come_with_the_manifest_and_many_do_not() -> None:
    few = list(transfer_messages([OutgoingValue("k", "raw", [bytes(WHOLE - 3), b"abc"])]))
    assert len(few) == 1
    assert read(few).done
    assert len(list(transfer_messages([OutgoingValue("k", "raw", [bytes(WHOLE + 1)])]))) == 3


def test_a_whole_transfer_in_chunks_is_read_alike() -> None:
    assert bytes(read([manifest(3), encode_chunk(0, [b"abc"], 3), end(3)]).values[0].frames[0]) == b"abc"
    assert bytes(read([manifest(3, whole=b"abc")]).values[0].frames[0]) == b"abc"


def manifest(*lengths: int, whole: bytes | None = None) -> bytes:
    entry = data_pb2.ManifestEntry(key="k", outcome=data_pb2.DATA_OUTCOME_OK, frame_lengths=lengths)
    message = data_pb2.Manifest(entries=[entry], whole=whole is not None, data=whole or b"")
    return worker_service_pb2.GetDataResponse(manifest=message).SerializeToString()


def end(total: int) -> bytes:
    return worker_service_pb2.GetDataResponse(end=data_pb2.TransferEnd(total_bytes=total)).SerializeToString()


@pytest.mark.parametrize(
    "messages",
    [
        [encode_chunk(0, [b"x"], 1)],
        [manifest(1), manifest(1)],
        [manifest(1), encode_chunk(1, [b"x"], 1)],
        [manifest(1), encode_chunk(0, [b"xy"], 2)],
        [manifest(2), encode_chunk(0, [b"x"], 1), end(1)],
        [manifest(1), encode_chunk(0, [b"x"], 1), end(2)],
        [end(0)],
        [b""],
        [manifest(2, whole=b"x")],
        [manifest(1, whole=b"xy")],
        [manifest(1, whole=b"x"), encode_chunk(0, [b"x"], 1)],
    ],
    ids=[
        "no manifest",
        "two manifests",
        "gap",
        "too many bytes",
        "too few bytes",
        "wrong total",
        "only end",
        "empty",
        "whole with too few bytes",
        "whole with too many bytes",
        "chunk after the whole",
    ],
)
def test_messages_that_are_no_transfer_are_refused(messages: list[bytes]) -> None:
    with pytest.raises(InvalidRequestError):
        read(messages)
