"""Child processes: spawned, never forked; handed their settings over a pipe; gone when their parent is gone.

The parent keeps the write end of the settings pipe open as long as it lives. The child reads its settings from it and
then waits for its end: however the parent died, the child learns of it. A second pipe carries the child's reports up.
Standard output and error are left alone, unless the parent wants to read the errors.
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

    Parameters
    ----------
    module : str
        Module to run, as with ``python -m``; it calls `Parent.connect`.
    settings : mapping
        What `Parent.settings` is to be; pickled.
    environment : mapping, optional
        Variables to set in the child on top of this process's.
    stderr : int, optional
        File descriptor that is to be the child's standard error; by default it has this process's.
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
                # Ctrl-C in a terminal goes to the whole group; the parent decides what it means for its children.
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
        # The child may end before it has read them.
        with contextlib.suppress(BrokenPipeError):
            _write(self._settings, dict(settings))

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.process.pid

    def read_report(self) -> Any | None:
        """Wait for the child's next report; None once it has closed its end. To be called from a thread."""
        return _read(self._reports)

    def release(self) -> None:
        """Let go of the child: it sees its parent gone, and closes."""
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
            If it was started in another way.
        """
        fds = os.environ.pop(_FDS_VARIABLE, "")
        if not fds:
            raise RuntimeError("this module is started by dagrpc itself; use the command `dagrpc` instead")
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
        """Tell the parent something."""
        with contextlib.suppress(OSError):
            _write(self._reports, message)

    def watch(self, on_death: Callable[[], object]) -> None:
        """Call a function, on a thread of its own, when the parent is gone."""

        def wait() -> None:
            while self._settings_pipe.read(1):
                pass
            on_death()

        threading.Thread(target=wait, name="dagrpc-parent-watch", daemon=True).start()


def inherited_sys_path() -> list[str]:
    """Return the module search path to hand to a child, so that it can import what this process can."""
    return [os.getcwd() if entry == "" else entry for entry in sys.path]


def adopt_sys_path(entries: list[str]) -> None:
    """Add to this process's module search path what the parent's has more."""
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
