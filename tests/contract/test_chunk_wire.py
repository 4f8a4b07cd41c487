"""The hand-written codec of `DataChunk` against the generated classes, both ways."""

from __future__ import annotations

import contextlib

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from dagrpc._transfer.chunk_wire import decode_part, encode_chunk
from dagrpc.v1 import data_pb2, scheduler_service_pb2, worker_service_pb2

offsets = st.integers(0, 2**64 - 1)
pieces = st.lists(st.binary(max_size=300), max_size=4)

CARRIERS = (
    worker_service_pb2.GetDataResponse,
    worker_service_pb2.PutDataRequest,
    scheduler_service_pb2.GatherResponse,
    scheduler_service_pb2.RelayDataRequest,
)


@given(offsets, pieces)
def test_handwritten_messages_are_read_by_protobuf(offset: int, parts: list[bytes]) -> None:
    data = encode_chunk(offset, parts, sum(map(len, parts)))
    for carrier in CARRIERS:
        message = carrier.FromString(data)
        assert message.WhichOneof("part") == "chunk"
        assert message.chunk.offset == offset
        assert message.chunk.data == b"".join(parts)


@given(offsets, st.binary(max_size=1000))
def test_protobufs_messages_are_read_by_hand(offset: int, content: bytes) -> None:
    for carrier in CARRIERS:
        data = carrier(chunk=data_pb2.DataChunk(offset=offset, data=content)).SerializeToString()
        part = decode_part(data)
        assert isinstance(part, tuple)
        assert part[0] == offset
        assert bytes(part[1]) == content


@given(offsets, st.binary(max_size=100))
def test_fields_in_another_order_are_read(offset: int, content: bytes) -> None:
    """A peer may write the bulk field first."""
    inner = data_pb2.DataChunk(data=content).SerializeToString() + data_pb2.DataChunk(offset=offset).SerializeToString()
    chunk = data_pb2.DataChunk.FromString(inner)
    data = b"\x12" + _varint(len(inner)) + inner
    part = decode_part(data)
    assert isinstance(part, tuple)
    assert (part[0], bytes(part[1])) == (chunk.offset, chunk.data)


def test_manifest_and_end_are_messages() -> None:
    manifest = worker_service_pb2.GetDataResponse(
        manifest=data_pb2.Manifest(entries=[data_pb2.ManifestEntry(key="x", frame_lengths=[1, 2])])
    )
    assert decode_part(manifest.SerializeToString()) == manifest
    end = worker_service_pb2.GetDataResponse(end=data_pb2.TransferEnd(total_bytes=7))
    assert decode_part(end.SerializeToString()) == end


@given(st.binary(max_size=60))
def test_garbage_is_an_error_or_a_message(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_part(data)


def test_truncated_chunk_is_an_error() -> None:
    data = encode_chunk(5, [b"abcdef"], 6)
    with pytest.raises(DecodeError):
        decode_part(data[:-1])


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
