"""Measurements of this process."""

from __future__ import annotations

import time
from collections import deque
from threading import Lock

_LENGTH = 3_600


class ProcessMonitor:
    """Measurements of this process, under the names of distributed. From any thread.

    A worker updates its monitor with each heartbeat.

    Attributes
    ----------
    quantities : dict of str to deque
        The latest measurements by name: ``cpu`` in percent of one processor, ``memory`` in bytes, ``num_fds``,
        ``num_threads``, and ``time`` in seconds since the epoch.
    count : int
        Number of measurements so far.
    last_time : float
        Time of the last measurement, by the monotonic clock.

    Examples
    --------
    >>> monitor = ProcessMonitor()
    >>> sorted(monitor.update())
    ['cpu', 'memory', 'num_fds', 'num_threads', 'time']
    >>> len(monitor.range_query(0)["memory"]), monitor.count
    (1, 1)
    """

    def __init__(self, maxlen: int = _LENGTH) -> None:
        # Imported here: the import takes long and must not delay the first task.
        import psutil

        self.proc = psutil.Process()
        self.proc.cpu_percent()
        self._error = psutil.Error
        self._lock = Lock()
        self.maxlen = maxlen
        self.count = 0
        self.last_time = time.monotonic()
        self.quantities: dict[str, deque[float]] = {
            name: deque(maxlen=maxlen) for name in ("cpu", "memory", "time", "num_fds", "num_threads")
        }

    def update(self) -> dict[str, float]:
        """Measure the process, and return the measurement.

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
            except self._error as error:
                raise OSError(str(error)) from None
            for name, value in found.items():
                self.quantities[name].append(value)
            self.count += 1
            self.last_time = time.monotonic()
        return found

    def recent(self) -> dict[str, float]:
        """Return the last measurement."""
        return {name: values[-1] for name, values in self.quantities.items()} if self.count else self.update()

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
