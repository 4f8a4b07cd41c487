"""Measurements of the host: its network, its disks, its processors, and how contended the interpreter's lock is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from dagrpc import config

Measure: TypeAlias = Callable[[], dict[str, float]]
"""Returns values by the names that distributed gives them."""


def host_measurements() -> list[Measure]:
    """Return what is to be measured of the host, as the settings ``admin.system-monitor.*`` say."""
    # Imported here: the import takes long and must not delay the first task.
    import psutil

    makers: list[Callable[[], Measure]] = [
        lambda: _Bytes("host_net_io", psutil.net_io_counters, "bytes_recv", "bytes_sent").rates
    ]
    if config.get("admin.system-monitor.disk"):
        makers.append(lambda: _Bytes("host_disk_io", psutil.disk_io_counters, "read_bytes", "write_bytes").rates)
    if config.get("admin.system-monitor.host-cpu"):
        makers.append(lambda: _Processors(psutil.cpu_times).use)
    if config.get("admin.system-monitor.gil.enabled"):
        makers.append(_lock_contention)
    found = []
    for make in makers:
        # What this system does not tell, or has no package for, is not measured.
        with contextlib.suppress(ImportError, OSError, RuntimeError, NotImplementedError, psutil.Error):
            found.append(make())
    return found


class _Bytes:
    """Rates at which bytes are read and written, out of counters of them."""

    def __init__(self, name: str, read: Callable[[], Any], received: str, sent: str) -> None:
        self._name = name
        self._read = read
        self._fields = {"read_bps": received, "write_bps": sent}
        self._last = self._counters()
        self._time = time.monotonic()

    def _counters(self) -> dict[str, int]:
        # A container may have neither disks nor network.
        found = self._read()
        return {name: getattr(found, field, 0) for name, field in self._fields.items()}

    def rates(self) -> dict[str, float]:
        """Return the rates since the last call."""
        now, before = self._counters(), self._last
        elapsed = time.monotonic() - self._time
        self._last, self._time = now, self._time + elapsed
        # Counters start again when a device is replaced.
        return {f"{self._name}.{name}": max(now[name] - before[name], 0) / max(elapsed, 1e-3) for name in now}


class _Processors:
    """The use of the processors, in processors, out of the seconds that they have spent."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read
        self._last: Mapping[str, float] = read()._asdict()
        self._time = time.monotonic()

    def use(self) -> dict[str, float]:
        """Return the use since the last call."""
        now, before = self._read()._asdict(), self._last
        elapsed = time.monotonic() - self._time
        self._last, self._time = now, self._time + elapsed
        return {f"host_cpu.{name}": max(now[name] - before[name], 0.0) / max(elapsed, 1e-3) for name in now}


def _lock_contention() -> Measure:
    """Return what measures the contention of the interpreter's lock, which the package gilknocker is needed for."""
    from gilknocker import KnockKnock

    seconds = config.get_seconds("admin.system-monitor.gil.interval") or 1e-3
    knocker = KnockKnock(polling_interval_micros=max(int(seconds * 1e6), 1))
    knocker.start()

    def contention() -> dict[str, float]:
        found = float(knocker.contention_metric)
        knocker.reset_contention_metric()
        return {"gil_contention": found}

    return contention
