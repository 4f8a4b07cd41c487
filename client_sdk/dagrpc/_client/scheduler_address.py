"""Where a client connects to: what users give, made into an address."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import dask.config

from dagrpc._common.addresses import parse_address


def scheduler_address(address: Any, scheduler_file: str | None, timeout: float) -> str | None:
    """Return the scheduler's address as ``host:port``; None if nothing says where it is.

    Parameters
    ----------
    address : str, object with ``scheduler_address``, or None
        As the user gave it.
    scheduler_file : str or None
        A file that the scheduler writes.
    timeout : float
        How long to wait for that file, in seconds.

    Raises
    ------
    TypeError
        If the address is neither a string nor a cluster.
    RuntimeError
        If the cluster is closed.
    OSError
        If there is no such file in time.
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
            # Not written yet, or being written.
            if time.monotonic() >= end:
                raise OSError(f"No scheduler's address in {path} within {timeout:g} s: {error}") from None
        time.sleep(0.02)
