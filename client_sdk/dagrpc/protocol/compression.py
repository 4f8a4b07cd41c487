"""Compression of frames: the codecs, and the choice between them."""

from __future__ import annotations

from dagrpc._codec.compressions import Compression, available, byte_sample, decompress, maybe_compress
from dagrpc._codec.compressions import configured as _configured

__all__ = [
    "Compression",
    "byte_sample",
    "compressions",
    "decompress",
    "get_compression_settings",
    "maybe_compress",
]

compressions = available()
"""The usable codecs by name."""


def get_compression_settings(key: str) -> str | None:
    """Return the name of the codec in a setting such as ``distributed.comm.compression``, or None.

    The same setting below ``dagrpc`` takes precedence. Raises ValueError for an unknown codec.
    """
    return _configured(key.removeprefix("distributed.").removeprefix("dagrpc."))
