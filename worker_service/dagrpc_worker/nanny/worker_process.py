"""A worker process as its nanny holds it. Needs the standard library only, so that it can be spawned at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Any

from dagrpc._process.child import Child
from dagrpc_worker.nanny.output_tail import OutputTail

MODULE = "dagrpc_worker.process"
_LAST_WORDS = 1.0


class WorkerProcess:
    """A worker process, from its start to its end. Its reports and its end are kept until there is a listener.

    Parameters
    ----------
    settings : mapping
        Settings of the process; plain data.
    environ : mapping
        Environment variables to set.
    """

    def __init__(self, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self.output = OutputTail()
        try:
            self._child = Child(MODULE, settings, environ, self.output.fd)
        except BaseException:
            self.output.close()
            raise
        self.output.begin()
        self.pid = self._child.pid
        self._lock = threading.Lock()
        self._unheard: list[dict[str, Any]] = []
        self._listener: Callable[[dict[str, Any]], None] | None = None
        self._has_reported = False
        # Two threads: a process that a task forked may hold the pipe open long after the worker is dead.
        self._reports = threading.Thread(target=self._read_reports, name=f"dagrpc-reports-{self.pid}", daemon=True)
        self._reports.start()
        threading.Thread(target=self._wait, name=f"dagrpc-wait-{self.pid}", daemon=True).start()

    def listen(self, listener: Callable[[dict[str, Any]], None]) -> None:
        """Call `listener` with all reports so far and with each later one. From any thread.

        The last report is ``{"exit_code": n, "log": [line, ...]}``.
        """
        with self._lock:
            self._listener = listener
            unheard, self._unheard = self._unheard, []
            for message in unheard:
                listener(message)

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return self._child.process.poll() is None

    def terminate(self, drain: bool = False) -> None:
        """Tell the process to end: at once, or after it has finished its tasks and moved its results."""
        # While the interpreter starts, SIGINT leaves a traceback on stderr; SIGTERM ends the process silently.
        self._signal(signal.SIGINT if self._has_reported and not drain else signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # Popen sends no signal to a process that has ended.
        with contextlib.suppress(ProcessLookupError):
            self._child.process.send_signal(number)

    def _read_reports(self) -> None:
        while (report := self._child.read_report()) is not None:
            self._tell(report)

    def _wait(self) -> None:
        code = self._child.process.wait()
        self._reports.join(_LAST_WORDS)
        self._tell({"exit_code": code, "log": self.output.lines(_LAST_WORDS)})
        self._child.release()

    def _tell(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._has_reported = True
            if self._listener is None:
                self._unheard.append(message)
            else:
                self._listener(message)
