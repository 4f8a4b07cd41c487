"""Progress bars: how far the cluster is with some futures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, cast

from dagrpc import config
from dagrpc._client import html_repr, notebook
from dagrpc._client.gather import futures_in
from dagrpc._client.progress_stream import Watch, grouped, keys_below
from dagrpc._client.waiting import Operation, RunInThread, RunOnLoop, run_awaiting, run_blocking
from dagrpc.v1 import inquiry_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc._client.connection import Connection

__all__ = ["ProgressView", "progress"]

_GROUPINGS = {"prefix": pb.PROGRESS_GROUPING_PREFIX, "spans": pb.PROGRESS_GROUPING_SPAN}
_OPTIONS = {"interval", "width", "file", "loop", "scheduler", "start", "timeout"}


def progress(
    *futures: Any,
    notebook: bool | None = None,
    multi: bool = True,
    complete: bool = True,
    group_by: str | Callable[[Any], object] = "prefix",
    **kwargs: Any,
) -> Any:
    """Show how far the cluster is with futures and with all that they depend on.

    In a console: draws one bar, and returns when all is done or something has failed. In a notebook: returns at once
    with an object that shows a bar for each kind of task and keeps itself up to date.

    Parameters
    ----------
    *futures : futures, collections, or nested structures of them
        What to follow.
    notebook : bool, optional
        Whether to behave as in a notebook; by default that is found out.
    multi : bool
        Whether a notebook shows a bar for each group of tasks, rather than one for all.
    complete : bool
        Whether to count what is done already.
    group_by : {"prefix", "spans"} or callable
        What a notebook's bars stand for: kinds of task, spans, or what a function returns for the key of each task.
    **kwargs
        ``interval``: how often to draw, as a number of seconds or ``"100 ms"``. ``width`` of the console's bar in
        characters. ``file`` to draw to instead of the standard output.

    Returns
    -------
    ProgressView or None
        In a notebook the object that shows itself. For an asynchronous client in a console an awaitable.

    Raises
    ------
    ValueError
        If `group_by` is something else.

    Examples
    --------
    >>> progress(client.map(inc, range(10)))
    [...####] | 100% Completed | ...s
    """
    if not callable(group_by) and group_by not in _GROUPINGS:
        raise ValueError("`group_by` should be 'spans', 'prefix', or a Callable")
    unknown = kwargs.keys() - _OPTIONS
    if unknown:
        raise TypeError(f"progress() got unexpected keyword arguments: {', '.join(sorted(unknown))}")
    found = futures_in(list(futures))
    in_notebook = _in_notebook() if notebook is None else notebook
    interval = config.seconds(kwargs.get("interval")) or 0.1
    if not found:
        if in_notebook:
            return ProgressView(None, multi)
        Bar(kwargs.get("file"), kwargs.get("width") or 40).end(1.0)
        return None
    client: Connection = found[0]._bound_client()
    request = _Request([future.bound_state().wire_key for future in found], complete, group_by, interval)
    if in_notebook:
        view = ProgressView(client, multi)
        view._begin(request)
        return view
    bar = Bar(kwargs.get("file"), kwargs.get("width") or 40)
    operation = _draw(client, request, bar, interval)
    return run_awaiting(operation) if client.asynchronous else run_blocking(operation)


def _in_notebook() -> bool:
    return notebook.is_here()


class _Request:
    """What to ask the scheduler for, which takes a question before if a user's function makes the groups."""

    def __init__(
        self, wire_keys: list[str], complete: bool, group_by: str | Callable[[Any], object], interval: float
    ) -> None:
        self.group_by = group_by
        self.message = pb.WatchProgressRequest(only_unfinished=not complete, interval_seconds=interval)
        self.wire_keys = wire_keys
        if not callable(group_by):
            self.message.grouping = _GROUPINGS[group_by]
            self.message.keys.extend(wire_keys)

    def prepare(self, client: Connection) -> Operation[pb.WatchProgressRequest]:
        """Return the message."""
        if callable(self.group_by):
            below = yield RunOnLoop(client._loop, keys_below(client._session, self.wire_keys))
            groups = yield RunInThread(partial(grouped, below, self.group_by))
            self.message.groups.extend(groups)
        return self.message


# --- consoles ----------------------------------------------------------------------------------------------------


def _draw(client: Connection, request: _Request, bar: Bar, interval: float) -> Operation[None]:
    client._check_open()
    message = yield from request.prepare(client)
    watch = Watch(client._session, message)
    fraction = 0.0
    try:
        while True:
            state = yield RunOnLoop(client._loop, watch.changed(interval))
            fraction = _fraction(state)
            bar.draw(fraction)
            # Whoever waits wants to know at once that something has failed.
            if state.done or state.HasField("failure"):
                return
    finally:
        client._loop.call_soon(watch.stop)
        bar.end(fraction)


def _fraction(state: pb.WatchProgressResponse) -> float:
    total = sum(group.total for group in state.groups)
    if not total:
        return 1.0 if state.done else 0.0
    return sum(group.finished for group in state.groups) / total


class Bar:
    """A bar in a console: one line that is drawn over itself, or where that cannot be, a line for each tenth."""

    def __init__(self, file: TextIO | None, width: int) -> None:
        self._file = file if file is not None else sys.stdout
        self._width = width
        self._started = time.monotonic()
        self._is_terminal = bool(getattr(self._file, "isatty", lambda: False)())
        self._tenth = 0
        self._last = ""

    def _line(self, fraction: float) -> str:
        filled = int(self._width * fraction)
        bar = "#" * filled + " " * (self._width - filled)
        return f"[{bar}] | {int(100 * fraction)}% Completed | {_time(time.monotonic() - self._started)}"

    def draw(self, fraction: float) -> None:
        """Show how much is done."""
        if self._is_terminal:
            self._write(f"\r{self._line(fraction)}")
        elif int(10 * fraction) > self._tenth and fraction < 1:
            self._tenth = int(10 * fraction)
            self._write(f"{self._line(fraction)}\n")

    def end(self, fraction: float) -> None:
        """Show how much was done in the end."""
        self._write(f"\r{self._line(fraction)}\n" if self._is_terminal else f"{self._line(fraction)}\n")

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}hr {minutes}min {rest}s" if hours else f"{minutes}min {rest}s"


# --- notebooks ---------------------------------------------------------------------------------------------------


class ProgressView:
    """Bars that keep themselves up to date in a notebook. Made by `progress`.

    Elsewhere its ``state`` and its HTML say how far the tasks are.

    Examples
    --------
    >>> futures = client.map(inc, range(10))
    >>> view = progress(futures, notebook=True)
    >>> import time
    >>> while not view.done:
    ...     time.sleep(0.01)
    >>> view.state
    {'inc': {'total': 10, 'finished': 10, ...}}
    """

    def __init__(self, client: Connection | None, multi: bool) -> None:
        self._client = client
        self._multi = multi
        self._started = time.monotonic()
        self._elapsed = 0.0
        self._watch: Watch | None = None
        self._error = ""
        self._displays: list[notebook.Display] = []

    def _begin(self, request: _Request) -> None:
        client = self._client
        assert client is not None
        if client.asynchronous or client._loop.inside:
            client._loop.submit(run_awaiting(self._follow(request)))
        else:
            message = run_blocking(request.prepare(client))
            request.group_by, request.message = "prefix", message
            client._loop.submit(run_awaiting(self._follow(request)))

    def _follow(self, request: _Request) -> Operation[None]:
        client = self._client
        assert client is not None
        message = yield from request.prepare(client)
        self._watch = Watch(client._session, message)
        try:
            yield RunOnLoop(client._loop, self._watch.follow(self._news))
        except Exception as error:
            self._error = str(error)
            self._news()

    def _news(self) -> None:
        self._elapsed = time.monotonic() - self._started
        self._update()

    def _update(self) -> None:
        for display in self._displays:
            display.update(self._repr_html_())

    @property
    def done(self) -> bool:
        """Whether there is nothing more to come."""
        return self._client is None or bool(self._error) or (self._watch is not None and self._watch.ended)

    @property
    def state(self) -> dict[str, dict[str, int]]:
        """How many tasks of each group are in each state."""
        if self._watch is None:
            return {}
        names = [field.name for field in pb.GroupProgress.DESCRIPTOR.fields if field.name != "name"]
        groups = self._watch.state.groups if self._multi else [_sum(self._watch.state, names)]
        return {group.name: {name: getattr(group, name) for name in names} for group in groups}

    def __repr__(self) -> str:
        parts = [f"{name}: {counts['finished']} / {counts['total']}" for name, counts in self.state.items()]
        return f"<Progress: {', '.join(parts) or 'no tasks'}>"

    def _repr_html_(self) -> str:
        failure = self._watch.state.failure if self._watch is not None else None
        why = f"{failure.type_name}: {failure.message}" if failure is not None and failure.type_name else self._error
        if not self.done:
            self._elapsed = time.monotonic() - self._started
        return html_repr.progress(self.state, self._elapsed, why)

    def _ipython_display_(self, **kwargs: Any) -> None:
        self._displays.append(notebook.show(self._repr_html_()))
        # What came meanwhile was not shown.
        self._update()


def _sum(state: pb.WatchProgressResponse, names: list[str]) -> pb.GroupProgress:
    total = pb.GroupProgress(name="all")
    for name in names:
        setattr(total, name, sum(cast("int", getattr(group, name)) for group in state.groups))
    return total
