"""`DataChunk` on the wire, written and read by hand.

Protobuf copies a bytes field several times on either side. A chunk is therefore built by one join and read as a view
of the bytes that came; what is written is what the generated classes would write, and whatever they can read is read
(a test compares both ways). The bulk field has the highest number, so that it stands last.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagrpc._common.bytes_like import Buffer
from dagrpc.v1 import worker_service_pb2

_CHUNK_TAG = 0x12  # field 2, length-delimited: GetDataResponse.chunk
_OFFSET_TAG = 0x08  # field 1, varint: DataChunk.offset
_DATA_TAG = 0x7A  # field 15, length-delimited: DataChunk.data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise IndexError("varint too long")


def encode_chunk(offset: int, pieces: Sequence[Buffer], length: int) -> bytes:
    """Return a serialized message whose field 2 is a `DataChunk`.

    Parameters
    ----------
    offset : int
        Place of the first byte in the transfer.
    pieces : sequence of buffers
        The chunk's bytes, in order.
    length : int
        How many bytes they are together.
    """
    inner = (b"\x08" + _varint(offset) if offset else b"") + b"\x7a" + _varint(length)
    return b"".join((b"\x12" + _varint(len(inner) + length) + inner, *pieces))


def decode_part(data: bytes) -> tuple[int, memoryview] | worker_service_pb2.GetDataResponse:
    """Return offset and bytes of a chunk, or the message if it holds something else.

    Raises
    ------
    google.protobuf.message.DecodeError
        If the bytes are no such message.
    """
    try:
        if data[0] == _CHUNK_TAG:
            _, position = _read_varint(data, 1)
            offset = 0
            if data[position] == _OFFSET_TAG:
                offset, position = _read_varint(data, position + 1)
            if data[position] == _DATA_TAG:
                length, position = _read_varint(data, position + 1)
                if position + length == len(data):
                    return offset, memoryview(data)[position:]
    except IndexError:
        pass
    # Not as we write it: let protobuf judge.
    message = worker_service_pb2.GetDataResponse.FromString(data)
    if message.WhichOneof("part") == "chunk":
        return message.chunk.offset, memoryview(message.chunk.data)
    return message
