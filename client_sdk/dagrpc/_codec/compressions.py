"""Compresses frames if a sample shows that compression is worthwhile, with the installed codecs."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from random import Random
from typing import Any, NamedTuple

from dagrpc import config
from dagrpc._common.bytes_like import Buffer

MIN_SIZE = 10_000
"""Smaller frames are not compressed."""


class Compression(NamedTuple):
    """A codec: its name and its two functions."""

    name: str | None
    compress: Callable[[Any], Any]
    decompress: Callable[[Any], Any]


def _identity(data: Any) -> Any:
    return data


def _lz4() -> Compression:
    block = importlib.import_module("lz4.block")
    return Compression("lz4", block.compress, block.decompress)


def _zstd() -> Compression:
    zstandard = importlib.import_module("zstandard")
    level = int(config.get("comm.zstd.level"))
    threads = int(config.get("comm.zstd.threads"))

    def compress(data: Any) -> Any:
        # Threads must not share a compressor, so each call makes one.
        return zstandard.ZstdCompressor(level=level, threads=threads).compress(data)

    def decompress(data: Any) -> Any:
        return zstandard.ZstdDecompressor().decompress(data)

    return Compression("zstd", compress, decompress)


def _snappy() -> Compression:
    snappy = importlib.import_module("snappy")
    return Compression("snappy", lambda data: snappy.compress(bytes(data)), lambda data: snappy.decompress(bytes(data)))


_OPTIONAL = {"lz4": _lz4, "zstd": _zstd, "snappy": _snappy}
_AUTO = ("lz4", "snappy")
"""The codecs that ``auto`` chooses from: the first that is installed. The other codecs are slower than a network."""


@cache
def available() -> dict[Any, Compression]:
    """Return the installed codecs by name, including ``auto`` and the values that mean no compression."""
    found: dict[Any, Compression] = {None: Compression(None, _identity, _identity)}
    found[False] = found[None]
    found["zlib"] = Compression("zlib", zlib.compress, zlib.decompress)
    for name, make in _OPTIONAL.items():
        try:
            found[name] = make()
        except ImportError:
            continue
    found["auto"] = next((found[name] for name in _AUTO if name in found), found[None])
    return found


def configured(key: str) -> str | None:
    """Return the name of the codec in a setting; None for no compression.

    Raises
    ------
    ValueError
        If the codec is not installed.
    """
    value = config.get(key)
    if value in (None, False):
        return None
    codec = available().get(value)
    if codec is None:
        names = ", ".join(repr(name) for name in available())
        raise ValueError(f"The setting {key} is {value!r}; here it can be one of {names}")
    return codec.name


def maybe_compress(
    payload: Buffer,
    *,
    min_size: int = MIN_SIZE,
    sample_size: int = 10_000,
    nsamples: int = 5,
    min_ratio: float = 0.7,
    compression: str | bool | None = "auto",
) -> tuple[str | None, Buffer]:
    """Compress bytes if a sample shows that compression is worthwhile.

    Parameters
    ----------
    payload : bytes-like
        The bytes.
    min_size : int
        Shorter data is not compressed.
    sample_size, nsamples : int
        Size and number of the samples.
    min_ratio : float
        Compressed data must be at most this fraction of the original size.
    compression : str, False or None
        Name of a codec, or ``auto``.

    Returns
    -------
    name : str or None
        The codec; None if the bytes are unchanged.
    payload : bytes-like
        The bytes.

    Examples
    --------
    >>> name, data = maybe_compress(b"0" * 1_000_000, compression="zlib")
    >>> name, len(data) < 10_000
    ('zlib', True)
    >>> maybe_compress(b"0" * 10, compression="zlib")
    (None, b'0000000000')
    """
    codec = available().get(compression)
    if codec is None:
        raise ValueError(f"There is no compression {compression!r} here; available compressions: {list(available())}")
    view = memoryview(payload)
    if codec.name is None or view.nbytes < min_size:
        return None, payload
    flat = view.cast("B")
    if flat.nbytes > sample_size * nsamples:
        sample = byte_sample(flat, sample_size, nsamples)
        if len(codec.compress(sample)) > min_ratio * len(sample):
            return None, payload
    compressed = codec.compress(flat)
    if len(compressed) > min_ratio * flat.nbytes:
        return None, payload
    return codec.name, compressed


def byte_sample(b: Any, size: int, n: int) -> bytes:
    """Return samples from several places of the bytes, concatenated."""
    view = memoryview(b).cast("B")
    if view.nbytes <= size * n:
        return bytes(view)
    # The places are not random, so that equal data is always sent in the same form.
    places = Random(view.nbytes)
    starts = [places.randint(0, view.nbytes - size) for _ in range(n)]
    return b"".join(view[start : start + size] for start in starts)


def decompressed(name: str, frame: Buffer) -> Buffer:
    """Return decompressed data in writable memory.

    Raises
    ------
    ValueError
        If the codec is not installed, or cannot decompress the bytes.
    """
    codec = available().get(name)
    if codec is None:
        raise ValueError(f"Data came compressed by {name!r}, which is not installed here")
    try:
        return bytearray(codec.decompress(frame))
    except Exception as error:
        raise ValueError(f"Data came compressed by {name!r} and cannot be decompressed: {error}") from error


def decompress(header: dict[str, Any], frames: Iterable[Any]) -> list[Any]:
    """Return decompressed frames, as the header's ``compression`` describes them.

    Examples
    --------
    >>> import zlib
    >>> decompress({"compression": [None, "zlib"]}, [b"ab", zlib.compress(b"cd")])
    [b'ab', bytearray(b'cd')]
    """
    names = header.get("compression") or ()
    frames = list(frames)
    names = [*names, *[None] * (len(frames) - len(names))]
    return [frame if name is None else decompressed(name, frame) for name, frame in zip(names, frames, strict=True)]
