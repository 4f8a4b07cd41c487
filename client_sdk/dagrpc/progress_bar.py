"""Progress bars of futures in consoles and notebooks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO, cast

from dagrpc import config
from dagrpc._client import html_repr, notebook
from dagrpc._client.client_core import ClientCore
from dagrpc._client.find_futures import futures_in
from dagrpc._client.progress_stream import Watch, grouped, keys_below
from dagrpc._client.waiting import Operation, RunInThread, RunOnLoop, run_awaiting, run_blocking
from dagrpc.v1 import inquiry_service_pb2 as pb

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
    """Show the progress of futures and of all tasks that they depend on.

    In a console `progress` draws one bar, and returns when all tasks are done or a task has failed. In a notebook it
    returns immediately, with an object that shows a bar for each kind of task and updates itself.

    Parameters
    ----------
    *futures : futures, collections, or nested structures of them
        The futures.
    notebook : bool, optional
        Whether to behave as in a notebook; by default in notebooks only.
    multi : bool
        Whether a notebook shows a bar for each group of tasks, rather than one bar for all tasks.
    complete : bool
        Whether to count tasks that are done already.
    group_by : {"prefix", "spans"} or callable
        How a notebook groups tasks: by kind, by span, or by the return value of a function of the key.
    **kwargs
        ``interval``: the time between two drawings, as a number of seconds or ``"100 ms"``. ``width`` of the console's
        bar in characters. ``file`` to draw to instead of the standard output.

    Returns
    -------
    ProgressView or None
        In a notebook the object that shows the bars. For an asynchronous client in a console an awaitable.

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
    core = found[0]._bound_core()
    request = _Request([future.bound_state().wire_key for future in found], complete, group_by, interval)
    if in_notebook:
        view = ProgressView(core, multi)
        view._begin(request)
        return view
    bar = Bar(kwargs.get("file"), kwargs.get("width") or 40)
    return core.run(_draw(core, request, bar, interval))


def _in_notebook() -> bool:
    return notebook.is_here()


class _Request:
    """A request for the progress of tasks. Grouping by a user's function takes a call of the scheduler before."""

    def __init__(
        self, wire_keys: list[str], complete: bool, group_by: str | Callable[[Any], object], interval: float
    ) -> None:
        self.group_by = group_by
        self.message = pb.WatchProgressRequest(only_unfinished=not complete, interval_seconds=interval)
        self.wire_keys = wire_keys
        if not callable(group_by):
            self.message.grouping = _GROUPINGS[group_by]
            self.message.keys.extend(wire_keys)

    def prepare(self, core: ClientCore) -> Operation[pb.WatchProgressRequest]:
        """Return the message."""
        if callable(self.group_by):
            below = yield RunOnLoop(core.loop, keys_below(core.session, self.wire_keys))
            groups = yield RunInThread(partial(grouped, below, self.group_by))
            self.message.groups.extend(groups)
        return self.message


# --- consoles ----------------------------------------------------------------------------------------------------


def _draw(core: ClientCore, request: _Request, bar: Bar, interval: float) -> Operation[None]:
    core.check_open()
    message = yield from request.prepare(core)
    watch = Watch(core.session, message)
    fraction = 0.0
    try:
        while True:
            state = yield RunOnLoop(core.loop, watch.changed(interval))
            fraction = _fraction(state)
            bar.draw(fraction)
            # A failed task ends the bar, since its caller waits for the outcome.
            if state.done or state.HasField("failure"):
                return
    finally:
        core.loop.call_soon(watch.stop)
        bar.end(fraction)


def _fraction(state: pb.WatchProgressResponse) -> float:
    total = sum(group.total for group in state.groups)
    if not total:
        return 1.0 if state.done else 0.0
    return sum(group.finished for group in state.groups) / total


class Bar:
    """A bar in a console: one line that is overwritten, or a line for each tenth in files."""

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
        """Draw the bar with a part of the work done."""
        if self._is_terminal:
            self._write(f"\r{self._line(fraction)}")
        elif int(10 * fraction) > self._tenth and fraction < 1:
            self._tenth = int(10 * fraction)
            self._write(f"{self._line(fraction)}\n")

    def end(self, fraction: float) -> None:
        """Draw the bar for the last time."""
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
    """Progress bars that update themselves in a notebook. `progress` returns one.

    Outside of notebooks the attribute ``state`` holds the progress.

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

    def __init__(self, core: ClientCore | None, multi: bool) -> None:
        self._core = core
        self._multi = multi
        self._started = time.monotonic()
        self._elapsed = 0.0
        self._watch: Watch | None = None
        self._error = ""
        self._displays: list[notebook.Display] = []

    def _begin(self, request: _Request) -> None:
        core = self._core
        assert core is not None
        if not core.asynchronous:
            message = run_blocking(request.prepare(core))
            request.group_by, request.message = "prefix", message
        core.loop.submit(run_awaiting(self._follow(request)))

    def _follow(self, request: _Request) -> Operation[None]:
        core = self._core
        assert core is not None
        message = yield from request.prepare(core)
        self._watch = Watch(core.session, message)
        try:
            yield RunOnLoop(core.loop, self._watch.follow(self._on_change))
        except Exception as error:
            self._error = str(error)
            self._on_change()

    def _on_change(self) -> None:
        self._elapsed = time.monotonic() - self._started
        self._update()

    def _update(self) -> None:
        for display in self._displays:
            display.update(self._repr_html_())

    @property
    def done(self) -> bool:
        """Whether the progress is final."""
        return self._core is None or bool(self._error) or (self._watch is not None and self._watch.ended)

    @property
    def state(self) -> dict[str, dict[str, int]]:
        """The number of tasks in each state, by group."""
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
        # Shows changes since the HTML was made.
        self._update()


def _sum(state: pb.WatchProgressResponse, names: list[str]) -> pb.GroupProgress:
    total = pb.GroupProgress(name="all")
    for name in names:
        setattr(total, name, sum(cast("int", getattr(group, name)) for group in state.groups))
    return total
