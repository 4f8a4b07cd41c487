"""The last lines that a worker process wrote. Needs the standard library only."""

from __future__ import annotations

import contextlib
import os
import threading

_KEPT = 32 * 1024
"""Bytes that are kept."""
_LINES, _LENGTH = 20, 500
"""How many lines are told, and how much of each."""
_STDERR = 2


class OutputTail:
    """Passes on what a process writes to its standard error, and keeps the end of it.

    Log, tracebacks of crashes and the last words of C libraries all come that way, also of a process that is killed.

    Attributes
    ----------
    fd : int
        What the process is to have as its standard error; to be closed with `begin`.
    """

    def __init__(self) -> None:
        self._read, self.fd = os.pipe()
        self._kept = bytearray()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._pass_on, name="dagrpc-worker-output", daemon=True)

    def begin(self) -> None:
        """Let go of the process's end, once it has it, and pass on what comes."""
        os.close(self.fd)
        self._thread.start()

    def close(self) -> None:
        """Close both ends, if there is no process after all."""
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
            # Without a standard error of its own, the nanny just keeps what it can.
            with contextlib.suppress(OSError):
                _write_all(data)
        os.close(self._read)


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(_STDERR, data) :]
