"""`DataChunk` on the wire, encoded and decoded without protobuf.

Protobuf copies a bytes field several times on either side. So a chunk is encoded by one join, and decoded as a view of
the message. The encoding is that of the generated classes, and all their encodings are decoded; a test compares both.
The bulk field has the highest number, so that it comes last.
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
        The length of all pieces in bytes.
    """
    inner = (b"\x08" + _varint(offset) if offset else b"") + b"\x7a" + _varint(length)
    return b"".join((b"\x12" + _varint(len(inner) + length) + inner, *pieces))


def decode_part(data: bytes) -> tuple[int, memoryview] | worker_service_pb2.GetDataResponse:
    """Return offset and bytes of a chunk, or the message if it holds another part.

    Raises
    ------
    google.protobuf.message.DecodeError
        If the bytes are not a message of this type.
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
    # Another encoding than that of `encode_chunk`: protobuf decodes it.
    message = worker_service_pb2.GetDataResponse.FromString(data)
    if message.WhichOneof("part") == "chunk":
        return message.chunk.offset, memoryview(message.chunk.data)
    return message
