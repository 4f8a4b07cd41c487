"""Tells the scheduler when the functions change that callers may call on a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from dagrpc.registry import watch_exports
from dagrpc_worker.shell.session.translate_out import FunctionsReport, Report
from dagrpc_worker.shell.session.worker_info import exported_functions


class ExportNotices:
    """Reports the functions of the worker's process after each export; exports of one moment share a report."""

    def __init__(self, send: Callable[[Sequence[Report]], object]) -> None:
        """Begin to watch, on the worker's loop."""
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._due = False
        self.close = watch_exports(self._exported)

    def _exported(self) -> None:
        """Note an export; from any thread."""
        if not self._due and not self._loop.is_closed():
            self._due = True
            self._loop.call_soon_threadsafe(self._report)

    def _report(self) -> None:
        self._due = False
        self._send([FunctionsReport(exported_functions())])
