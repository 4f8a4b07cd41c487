"""Compressing frames: which codecs there are, and whether one is worth it."""

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
"""The codecs that can be used here, by name."""


def get_compression_settings(key: str) -> str | None:
    """Return the name of the codec that a setting asks for; None if for none.

    Parameters
    ----------
    key : str
        ``distributed.comm.compression``, for instance; the same below ``dagrpc`` goes before it.

    Raises
    ------
    ValueError
        If there is no such codec here.
    """
    return _configured(key.removeprefix("distributed.").removeprefix("dagrpc."))
