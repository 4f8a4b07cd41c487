"""Performance reports: one page about the work of the cluster during a block of code."""

from __future__ import annotations

import inspect
import logging
import os
import sys
import time
from collections.abc import Generator, Mapping
from types import FrameType, TracebackType
from typing import Any, Self

from dagrpc._client.client_core import core_of
from dagrpc._client.lookup import default_client
from dagrpc._client.waiting import run_awaiting, run_blocking
from dagrpc.client import Client
from dagrpc.diagnostics import report_data
from dagrpc.diagnostics.figures import write
from dagrpc.diagnostics.report_page import report_page

logger = logging.getLogger("dagrpc.client")

_CODE_LINES = 200
"""Maximum number of lines of code in a report."""


class performance_report:
    """Write a report about the work of the cluster during a block.

    The report is one self-contained HTML file with the task stream, profiles of tasks, workers and scheduler,
    transfers, processors and memory.

    Parameters
    ----------
    filename : str or path
        File of the report: a path, or a URL that fsspec knows.
    stacklevel : int
        The caller whose code the report shows: 1 has the block, 2 is its caller, and so on.
    mode : optional
        Accepted for compatibility.
    storage_options : mapping, optional
        Options of fsspec for the URL.

    Examples
    --------
    >>> with performance_report(filename="report.html"):
    ...     total = sum(client.gather(client.map(inc, range(100))))
    """

    def __init__(
        self,
        filename: str | os.PathLike[str] = "dask-report.html",
        stacklevel: int = 1,
        mode: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.filename = filename
        self._stacklevel = stacklevel
        self._storage_options = storage_options
        self._client: Client | None = None
        self._begun: report_data.Begun | None = None
        self._started = 0.0
        self._code = ("", 0, "")

    def _begin(self, client: Client, frame: FrameType | None) -> Any:
        self._client = client
        for _ in range(self._stacklevel - 1):
            frame = frame.f_back if frame is not None else None
        self._code = _code_of(frame)
        core = core_of(client)
        return core.on_loop(report_data.begin(core.session))

    def _finish(self) -> Generator[Any, Any, None]:
        assert self._client is not None
        assert self._begun is not None
        duration = time.monotonic() - self._started
        core = core_of(self._client)
        data = yield from core.on_loop(report_data.finish(core.session, self._begun, duration))
        data.code, data.code_line, data.code_name = self._code
        write(self.filename, report_page(data), self._storage_options)

    def _note(self, begun: report_data.Begun) -> None:
        self._begun = begun
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        client = default_client()
        if client.asynchronous:
            raise TypeError("Use `async with`: the client is asynchronous")
        self._note(run_blocking(self._begin(client, sys._getframe(1))))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            run_blocking(self._finish())
        except Exception:
            # The exception of the block hides errors of the report.
            if error is None:
                raise
            logger.warning("There is no report %s", self.filename, exc_info=True)

    async def __aenter__(self) -> Self:
        self._note(await run_awaiting(self._begin(default_client(), sys._getframe(1))))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await run_awaiting(self._finish())
        except Exception:
            if error is None:
                raise
            logger.warning("There is no report %s", self.filename, exc_info=True)


def _code_of(frame: FrameType | None) -> tuple[str, int, str]:
    """Return the code of a frame's function, module or cell, the number of the frame's line in it, and its place."""
    if frame is None:
        return "", 0, ""
    name = f"{frame.f_code.co_filename}, line {frame.f_lineno}"
    try:
        lines, first = inspect.getsourcelines(frame)
    except (OSError, TypeError, IndexError, SyntaxError):
        # There is no file, or it has changed.
        return "", 0, name
    position = frame.f_lineno - max(first, 1)
    begin = max(0, min(position - _CODE_LINES // 2, len(lines) - _CODE_LINES))
    return "".join(lines[begin : begin + _CODE_LINES]), position - begin + 1, name
