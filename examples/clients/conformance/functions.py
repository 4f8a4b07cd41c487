"""The functions that the cases call. Workers preload this module."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import dagrpc


@dagrpc.export(name="conformance.echo")
def echo(value: Any) -> Any:
    """Return the argument."""
    return value


@dagrpc.export(name="conformance.add")
def add(x: float, y: float = 1) -> float:
    """Add two numbers."""
    return x + y


@dagrpc.export(name="conformance.fail")
def fail(text: str) -> None:
    """Raise an error with a text."""
    raise ValueError(text)


@dagrpc.export(name="conformance.nap")
def nap(seconds: float) -> str:
    """Rest in short steps, which can be interrupted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    return "rested"


@dagrpc.export(name="conformance.blob")
def blob(size: int) -> bytes:
    """Return bytes that count from 0 to 250 again and again."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@dagrpc.export(name="conformance.digest")
def digest(data: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


@dagrpc.export(name="conformance.opaque")
def opaque() -> object:
    """Return a value that has no encoding outside of Python."""
    return object()


@dagrpc.export(name="conformance.not_a_number")
def not_a_number() -> float:
    """Return what JSON does not have."""
    return float("nan")


@dagrpc.export(name="conformance.die")
def die(name: str, times: int) -> str:
    """Kill the worker's process in the first runs under a name."""
    return "survived" if _runs(name) > times else os._exit(1)


@dagrpc.export(name="conformance.flaky")
def flaky(name: str, times: int) -> int:
    """Fail in the first runs under a name; return which run this is."""
    run = _runs(name)
    if run <= times:
        raise OSError(f"run {run}")
    return run


def _runs(name: str) -> int:
    """Count the runs under a name, in a file: processes may end."""
    path = Path(tempfile.gettempdir()) / f"conformance-{name}"
    with path.open("a", encoding="utf-8") as file:
        file.write("x")
    return path.stat().st_size
