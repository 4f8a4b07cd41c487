"""Child processes: they are spawned, get their settings over a pipe, and end when their parent ends.

The parent keeps the write end of the settings pipe open while it lives. The child reads its settings, and then waits
for the end of the pipe, which comes however the parent ends. A second pipe carries reports from child to parent.
Standard output and error stay as they are, unless the parent reads the errors.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

_LENGTH = struct.Struct("<Q")
_FDS_VARIABLE = "_DAGRPC_CHILD_FDS"


class Child:
    """A child process as its parent sees it.

    `module` runs as with ``python -m`` and calls `Parent.connect`, whose `settings` are pickled here. `environment`
    adds variables to those of this process; `stderr` is a file descriptor for the child's standard error.
    """

    def __init__(
        self,
        module: str,
        settings: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        stderr: int | None = None,
    ) -> None:
        settings_read, settings_write = os.pipe()
        reports_read, reports_write = os.pipe()
        variables = {**os.environ, **(environment or {}), _FDS_VARIABLE: f"{settings_read},{reports_write}"}
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module],
                env=variables,
                pass_fds=(settings_read, reports_write),
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                # Ctrl-C in a terminal goes to the whole process group; only the parent reacts to it.
                start_new_session=True,
            )
        except BaseException:
            for fd in (settings_write, reports_read):
                os.close(fd)
            raise
        finally:
            os.close(settings_read)
            os.close(reports_write)
        self._settings = os.fdopen(settings_write, "wb", buffering=0)
        self._reports = os.fdopen(reports_read, "rb", buffering=0)
        # The child may end before it has read the settings.
        with contextlib.suppress(BrokenPipeError):
            _write(self._settings, dict(settings))

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.process.pid

    def read_report(self) -> Any | None:
        """Wait for the child's next report; return None once the child has closed its end. From a thread."""
        return _read(self._reports)

    def release(self) -> None:
        """Close the settings pipe: the child sees its parent gone, and closes."""
        with contextlib.suppress(OSError):
            self._settings.close()

    def close_pipes(self) -> None:
        """Close this side of both pipes."""
        self.release()
        with contextlib.suppress(OSError):
            self._reports.close()


class Parent:
    """The parent process as its child sees it."""

    def __init__(self, settings: dict[str, Any], settings_pipe: BinaryIO, reports: BinaryIO) -> None:
        self.settings = settings
        self._settings_pipe = settings_pipe
        self._reports = reports

    @classmethod
    def connect(cls) -> Parent:
        """Return the parent that spawned this process with `Child`.

        Raises
        ------
        RuntimeError
            If the process was started in another way.
        """
        fds = os.environ.pop(_FDS_VARIABLE, "")
        if not fds:
            raise RuntimeError("dagrpc itself starts this module; use the command `dagrpc` instead")
        settings_fd, reports_fd = map(int, fds.split(","))
        for fd in (settings_fd, reports_fd):
            os.set_inheritable(fd, False)
        settings_pipe = os.fdopen(settings_fd, "rb", buffering=0)
        reports = os.fdopen(reports_fd, "wb", buffering=0)
        settings = _read(settings_pipe)
        if settings is None:
            raise SystemExit("the parent process is gone")
        return cls(settings, settings_pipe, reports)

    def report(self, message: Any) -> None:
        """Send a report to the parent."""
        with contextlib.suppress(OSError):
            _write(self._reports, message)

    def watch(self, on_death: Callable[[], object]) -> None:
        """Call a function on a thread of its own when the parent is gone."""

        def wait() -> None:
            while self._settings_pipe.read(1):
                pass
            on_death()

        threading.Thread(target=wait, name="dagrpc-parent-watch", daemon=True).start()


def inherited_sys_path() -> list[str]:
    """Return the module search path for a child that imports the same modules as this process."""
    return [os.getcwd() if entry == "" else entry for entry in sys.path]


def adopt_sys_path(entries: list[str]) -> None:
    """Add the entries of the parent's module search path that this process lacks."""
    known = set(sys.path)
    sys.path.extend(entry for entry in entries if entry not in known)


def _write(pipe: BinaryIO, message: Any) -> None:
    data = pickle.dumps(message)
    pipe.write(_LENGTH.pack(len(data)) + data)


def _read(pipe: BinaryIO) -> Any | None:
    header = _read_exactly(pipe, _LENGTH.size)
    data = _read_exactly(pipe, _LENGTH.unpack(header)[0]) if header else None
    return None if data is None else pickle.loads(data)


def _read_exactly(pipe: BinaryIO, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        try:
            piece = pipe.read(count - len(data))
        except (OSError, ValueError):  # closed under us
            return None
        if not piece:
            return None
        data += piece
    return data
