"""Parses durations and sizes. The usual forms need no dask, whose import takes longer than a service's start."""

from __future__ import annotations

import functools
import re

_QUANTITY = re.compile(r"\s*(\d+(?:\.\d*)?)\s*([A-Za-z]+)\s*", re.ASCII)
_SECONDS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "m": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "hours": 3600.0,
}
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "kiB": 2**10,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}


# The same few texts, defaults of methods, are parsed many times.
@functools.lru_cache(maxsize=256)
def parse_seconds(text: str) -> float:
    """Return a duration in seconds.

    Raises
    ------
    ValueError, KeyError
        If the text is neither.

    Examples
    --------
    >>> parse_seconds("500 ms"), parse_seconds("2 minutes"), parse_seconds("3")
    (0.5, 120.0, 3.0)
    """
    match = _QUANTITY.fullmatch(text)
    if match is not None and match[2] in _SECONDS:
        return float(match[1]) * _SECONDS[match[2]]
    from dask.utils import parse_timedelta

    return float(parse_timedelta(text, default="s"))


@functools.lru_cache(maxsize=256)
def parse_size(text: str) -> int:
    """Return a size in bytes.

    Raises
    ------
    ValueError
        If the text is neither.

    Examples
    --------
    >>> parse_size("2 MiB"), parse_size("1.5 kB"), parse_size("1e3")
    (2097152, 1500, 1000)
    """
    match = _QUANTITY.fullmatch(text)
    if match is not None and match[2] in _BYTES:
        return int(float(match[1]) * _BYTES[match[2]])
    from dask.utils import parse_bytes

    return int(parse_bytes(text))
