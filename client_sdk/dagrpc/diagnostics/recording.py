"""Blocks of code whose tasks are recorded."""

from __future__ import annotations

from collections.abc import Hashable
from types import TracebackType
from typing import Any, Self

from dagrpc._client import diagnostics_rpcs
from dagrpc._client.client_core import core_of
from dagrpc._client.lookup import default_client
from dagrpc._client.waiting import run_awaiting, run_blocking
from dagrpc.client import Client
from dagrpc.diagnostics.figures import task_stream_figure
from dagrpc.v1 import diagnostics_service_pb2 as pb


class _Recording:
    """Records the tasks that run within a block."""

    def __init__(self, client: Client | None = None) -> None:
        self.client = client
        self._cursor = 0

    def _begin(self) -> Any:
        self.client = default_client(self.client)
        core = core_of(self.client)
        request = pb.GetTaskStreamRequest(cursor_only=True, begin=True)
        return core.on_loop(diagnostics_rpcs.task_stream(core.session, request))

    def _end(self) -> Any:
        core = core_of(self.client)
        request = pb.GetTaskStreamRequest(after=self._cursor, end=True)
        return core.on_loop(diagnostics_rpcs.task_stream(core.session, request))

    def _take(self, stream: diagnostics_rpcs.TaskStream) -> None:
        """Keep the recording."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        client = default_client(self.client)
        if client.asynchronous:
            raise TypeError("Use `async with`: the client is asynchronous")
        self._cursor = run_blocking(self._begin()).cursor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take(run_blocking(self._end()))

    async def __aenter__(self) -> Self:
        self._cursor = (await run_awaiting(self._begin())).cursor
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take(await run_awaiting(self._end()))


class get_task_stream(_Recording):
    """Record the tasks that run within a block, with their places and times.

    Parameters
    ----------
    client : Client, optional
        By default the current one.
    plot : bool or "save"
        Make a figure; "save" writes it to a file.
    filename : str
        File for the figure.

    Attributes
    ----------
    data : list of dict
        The tasks that ended within the block, as `Client.get_task_stream` returns them.
    figure : optional
        The figure, if `plot` is set; a notebook shows it.

    Examples
    --------
    >>> with get_task_stream() as recorded:
    ...     client.submit(pow, 2, 10).result()
    1024
    >>> [task["status"] for task in recorded.data]
    ['OK']
    """

    def __init__(
        self, client: Client | None = None, plot: bool | str = False, filename: str = "task-stream.html"
    ) -> None:
        super().__init__(client)
        self.data: list[dict[str, Any]] = []
        self.figure: Any = None
        self._plot = plot
        self._filename = filename

    def _take(self, stream: diagnostics_rpcs.TaskStream) -> None:
        self.data += stream.tasks
        if self._plot:
            self.figure = task_stream_figure(self.data)
        if self._plot == "save":
            self.figure.save(self._filename)


class get_task_metadata(_Recording):
    """Record the tasks that end within a block, with their metadata and states.

    Attributes
    ----------
    metadata : dict
        Metadata of the tasks, by key; None for those without.
    state : dict
        States of the tasks, by key: ``"memory"`` or ``"erred"``.

    Examples
    --------
    >>> with get_task_metadata() as tasks:
    ...     client.submit(pow, 2, 10, key="x").result()
    1024
    >>> tasks.state
    {'x': 'memory'}
    """

    def __init__(self) -> None:
        super().__init__()
        self.metadata: dict[Hashable, Any] = {}
        self.state: dict[Hashable, str] = {}

    def _take(self, stream: diagnostics_rpcs.TaskStream) -> None:
        for task in stream.tasks:
            self.metadata[task["key"]] = task["metadata"] or None
            self.state[task["key"]] = "memory" if task["status"] == "OK" else "erred"
