"""Measurements of this process and its host."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from threading import Lock
from typing import Protocol

from dagrpc import config
from dagrpc_worker.shell.monitoring.host_measurements import host_measurements

_INTERVAL = 0.5


class ProcessMonitor:
    """Measurements of this process and its host, under the names of distributed. From any thread.

    A worker updates its monitor at the interval of the setting ``admin.system-monitor.interval``.

    Parameters
    ----------
    maxlen : int, optional
        How many measurements are remembered; by default as the setting ``admin.system-monitor.log-length`` says.

    Attributes
    ----------
    quantities : dict of str to deque
        The latest measurements by name: ``cpu`` in percent of one processor, ``memory`` in bytes, ``num_fds``,
        ``num_threads``, and ``time`` in seconds since the epoch. Of the host, in bytes per second:
        ``host_net_io.read_bps``, ``host_net_io.write_bps``, and with the setting ``admin.system-monitor.disk``
        ``host_disk_io.read_bps`` and ``host_disk_io.write_bps``; with ``admin.system-monitor.host-cpu`` also
        ``host_cpu.user`` and so on, in processors.
    count : int
        Number of measurements so far.
    last_time : float
        Time of the last measurement, by the monotonic clock.

    Examples
    --------
    >>> monitor = ProcessMonitor()
    >>> {"cpu", "memory", "num_fds", "num_threads", "time"} <= set(monitor.update())
    True
    >>> len(monitor.range_query(0)["memory"]), monitor.count
    (1, 1)
    """

    def __init__(self, maxlen: int | None = None) -> None:
        # Imported here: the import takes long and must not delay the first task.
        import psutil

        self.proc = psutil.Process()
        self.proc.cpu_percent()
        self._error = psutil.Error
        self._lock = Lock()
        self._host = host_measurements()
        self.maxlen = max(int(config.get("admin.system-monitor.log-length", maxlen)), 1)
        self.interval = interval()
        """Seconds between two measurements."""
        self.count = 0
        self.last_time = time.monotonic()
        self.quantities: dict[str, deque[float]] = {}

    def update(self) -> dict[str, float]:
        """Measure process and host, and return the measurement.

        Raises
        ------
        OSError
            If the system refuses, for instance because the process is out of file descriptors.
        """
        process = self.proc
        with self._lock:
            try:
                with process.oneshot():
                    found = {
                        "cpu": process.cpu_percent(),
                        "memory": process.memory_info().rss,
                        "time": time.time(),
                        "num_fds": process.num_fds() if hasattr(process, "num_fds") else 0,
                        "num_threads": process.num_threads(),
                    }
                for measure in self._host:
                    found.update(measure())
            except self._error as error:
                raise OSError(str(error)) from None
            for name, value in found.items():
                if name not in self.quantities:
                    self.quantities[name] = deque(maxlen=self.maxlen)
                self.quantities[name].append(value)
            self.count += 1
            self.last_time = time.monotonic()
        return found

    def recent(self) -> dict[str, float]:
        """Return the last measurement."""
        return {name: values[-1] for name, values in self.quantities.items()} if self.count else self.update()

    def present(self) -> dict[str, float]:
        """Return the last measurement, or a new one if that is older than the interval."""
        fresh = self.count and time.monotonic() - self.last_time <= self.interval
        return self.recent() if fresh else self.update()

    def range_query(self, start: int) -> dict[str, list[float]]:
        """Return the measurements from number `start` on, as far as they are remembered."""
        with self._lock:
            wanted = max(0, min(self.count - start, self.maxlen))
            return {name: list(values)[len(values) - wanted :] for name, values in self.quantities.items()}

    def get_process_memory(self) -> int:
        """Return the bytes of memory that the process uses now."""
        return int(self.proc.memory_info().rss)

    def __repr__(self) -> str:
        found = self.recent()
        return (
            f"<ProcessMonitor: cpu: {found['cpu']:.0f} memory: {found['memory'] / 1e6:.0f} MB "
            f"fds: {found['num_fds']:.0f}>"
        )


def interval() -> float:
    """Return the seconds between two measurements, as configured."""
    return config.get_seconds("admin.system-monitor.interval") or _INTERVAL


class Measured(Protocol):
    """An object with a monitor, which is made when it is first asked for."""

    @property
    def monitor(self) -> ProcessMonitor:
        """The monitor."""


async def keep_measuring(measured: Measured) -> None:
    """Measure at the configured interval until cancelled."""
    # Imports that measuring needs must not delay the first task.
    await asyncio.sleep(interval())
    while True:
        # Asked for each time: if another thread makes the monitor at the same moment, the later one stays.
        monitor = measured.monitor
        monitor.update()
        await asyncio.sleep(monitor.interval)
