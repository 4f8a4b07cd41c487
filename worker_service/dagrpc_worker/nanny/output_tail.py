"""The last lines of a worker process's output. Needs the standard library only."""

from __future__ import annotations

import contextlib
import os
import threading

_KEPT = 32 * 1024
"""Bytes that are kept."""
_LINES, _LENGTH = 20, 500
"""Number of lines that are reported, and characters of each."""
_STDERR = 2


class OutputTail:
    """Passes a process's standard error on, and keeps the end of it.

    The log, tracebacks of crashes and messages of C libraries are written there, also before the process is killed.

    Attributes
    ----------
    fd : int
        The standard error of the process; `begin` closes this end.
    """

    def __init__(self) -> None:
        self._read, self.fd = os.pipe()
        self._kept = bytearray()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._pass_on, name="dagrpc-worker-output", daemon=True)

    def begin(self) -> None:
        """Close the process's end, which the process has inherited, and pass the output on."""
        os.close(self.fd)
        self._thread.start()

    def close(self) -> None:
        """Close both ends, if the process could not be started."""
        os.close(self.fd)
        os.close(self._read)

    def lines(self, timeout: float = 0.0) -> list[str]:
        """Return the last lines, the oldest first.

        Parameters
        ----------
        timeout : float
            Seconds to wait for the end of the output. A process that the worker forked may hold it open.
        """
        self._thread.join(timeout)
        with self._lock:
            text = bytes(self._kept).decode("utf-8", "replace")
        lines = [line.rstrip() for line in text.splitlines()]
        return [line[:_LENGTH] for line in lines if line][-_LINES:]

    def _pass_on(self) -> None:
        while True:
            try:
                data = os.read(self._read, 65536)
            except OSError:
                break
            if not data:
                break
            with self._lock:
                self._kept += data
                if len(self._kept) > _KEPT:
                    del self._kept[:-_KEPT]
            # A nanny without a standard error only keeps the last lines.
            with contextlib.suppress(OSError):
                _write_all(data)
        os.close(self._read)


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(_STDERR, data) :]
