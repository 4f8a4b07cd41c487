"""Finds the scheduler's address from an argument, a cluster, a file or the configuration."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import dask.config

from dagrpc._common.addresses import parse_address


def scheduler_address(address: Any, scheduler_file: str | None, timeout: float) -> str | None:
    """Return the scheduler's address as ``host:port``; None if it is not configured anywhere.

    A scheduler file is waited for, at most `timeout` seconds.

    Raises
    ------
    TypeError
        If the address is neither a string nor a cluster.
    RuntimeError
        If the cluster is closed.
    OSError
        If the scheduler file is not there in time.
    """
    if address is None and scheduler_file:
        return _from_file(scheduler_file, timeout)
    if address is None:
        address = dask.config.get("scheduler-address", None)
        if address is None:
            return None
    if isinstance(address, str):
        return parse_address(address)
    status = getattr(address, "status", None)
    if getattr(status, "name", status) in ("closed", "closing", "failed"):
        raise RuntimeError(f"Cannot connect to a closed cluster: {address!r}")
    found = getattr(address, "scheduler_address", None)
    if not isinstance(found, str):
        raise TypeError(f"The scheduler's address must be a string or a cluster, not {type(address).__name__}")
    return parse_address(found) if found else None


def _from_file(path: str, timeout: float) -> str:
    end = time.monotonic() + timeout
    while True:
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))["address"]
            return parse_address(str(found))
        except (OSError, ValueError, KeyError) as error:
            # The file is not written yet, or is being written.
            if time.monotonic() >= end:
                raise OSError(f"No scheduler's address in {path} within {timeout:g} s: {error}") from None
        time.sleep(0.02)
