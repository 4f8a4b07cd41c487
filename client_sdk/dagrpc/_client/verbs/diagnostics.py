"""Diagnostics of a running cluster: call stacks, profiles, the task stream."""

from __future__ import annotations

import math
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeAlias

from dagrpc import config
from dagrpc._client import diagnostics_rpcs as rpcs
from dagrpc._client.client_core import ClientCore, HasCore
from dagrpc._client.find_futures import wire_keys_in
from dagrpc._client.submission_options import Workers
from dagrpc._client.waiting import Operation
from dagrpc._graph.lower import checked_key
from dagrpc.v1 import diagnostics_service_pb2 as pb

Moment: TypeAlias = float | str | timedelta | None
"""Seconds since the epoch, or the time that has passed since."""


def call_stack(self: HasCore, futures: Any = None, keys: Any = None) -> Any:
    r"""Return the call stacks of running tasks.

    Parameters
    ----------
    futures : Future, collection or nested structure of futures, optional
        The tasks; tasks that do not run are left out. All running tasks by default.
    keys : list of keys, optional
        Keys of further tasks.

    Returns
    -------
    dict
        By worker and key: the frames of the task's own code as text, outermost first, as in a traceback.

    Raises
    ------
    KeyError
        If the cluster does not know a key.

    Examples
    --------
    >>> begun, over = Event("begun"), Event("over")
    >>> def work():
    ...     begun.set()
    ...     over.wait()
    >>> future = client.submit(work, key="work")
    >>> begun.wait()
    True
    >>> client.call_stack(future)
    {'127.0.0.1:...': {'work': (...in work...)}}
    >>> over.set()
    """
    wire_keys = None
    if futures is not None or keys is not None:
        single = isinstance(keys, (str, bytes, int, float))
        wire_keys = [checked_key(key) for key in ([keys] if single else keys or ())]
        if futures is not None:
            wire_keys += wire_keys_in(futures)
    return self._core.call(rpcs.call_stacks(self._core.session, wire_keys))


def profile(
    self: HasCore,
    key: str | None = None,
    start: Moment = None,
    stop: Moment = None,
    workers: Workers = None,
    merge_workers: bool = True,
    plot: bool | str = False,
    filename: str | None = None,
    server: bool = False,
    scheduler: bool = False,
) -> Any:
    """Return the functions that tasks spent their time in.

    Workers sample the call stacks of their tasks every 10 ms (``worker.profile.interval``) and count the samples. The
    setting ``worker.profile.enabled`` turns this off.

    Parameters
    ----------
    key : str, optional
        Only tasks whose keys begin with this name; all tasks by default.
    start, stop : number, str or timedelta, optional
        Only samples of this time: seconds since the epoch, or how long ago, such as ``"10 s"``.
    workers : str or iterable of str, optional
        Addresses, names or host names; all workers by default.
    merge_workers : bool
        Whether to return one profile rather than one for each worker.
    plot : bool or "save"
        Whether to return a figure, too, which a notebook shows; "save" writes the figure to a file.
    filename : str, optional
        Path of the file for the figure; ``dask-profile.html`` by default.
    server : bool
        Whether to return profiles of the workers' own event loops instead.
    scheduler : bool
        Whether to return the profile of the scheduler, which samples from the first such call on.

    Returns
    -------
    dict
        ``count`` (of samples), ``children`` by identifier, ``identifier`` and ``description``; each child has the same
        form. With `plot` or `filename`, a pair of the profile and the figure.

    Examples
    --------
    >>> profile = client.profile()
    >>> sorted(profile)
    ['children', 'count', 'description', 'identifier']
    """
    if plot == "save":
        filename = filename or "dask-profile.html"
    subject = pb.PROFILE_SUBJECT_TASKS
    if scheduler:
        subject = pb.PROFILE_SUBJECT_SCHEDULER
    elif server:
        subject = pb.PROFILE_SUBJECT_WORKER_LOOPS
    prefix = "" if key is None else str(key)
    begin, end = _moment("start", start), _moment("stop", stop)
    fetching = rpcs.profile(self._core.session, subject, prefix, begin, end, workers, merge_workers)
    return self._core.run(_profile(self._core, fetching, bool(plot or filename), filename))


def _profile(core: ClientCore, fetching: Coroutine[Any, Any, Any], plot: bool, filename: str | None) -> Operation[Any]:
    profile = yield from core.on_loop(fetching)
    if not plot:
        return profile
    from dagrpc.diagnostics.figures import profile_figure

    return profile, _saved(profile_figure(profile), filename)


def get_task_stream(
    self: HasCore,
    start: Moment = None,
    stop: Moment = None,
    count: int | None = None,
    plot: bool | str = False,
    filename: str = "task-stream.html",
    bokeh_resources: Any = None,
) -> Any:
    """Return the tasks that ran, with their workers and times.

    Workers record tasks from the client's first call on, which therefore returns nothing, until the client closes. The
    context manager `dagrpc.get_task_stream` is often more convenient. The latest 100,000 runs are kept.

    Parameters
    ----------
    start, stop : number, str or timedelta, optional
        Only tasks that ran in this time: seconds since the epoch, or how long ago, such as ``"10 s"``.
    count : int, optional
        Only the latest tasks, so many.
    plot : bool or "save"
        Whether to return a figure, too, which a notebook shows; "save" writes the figure to a file.
    filename : str
        Path of the file for the figure.
    bokeh_resources : optional
        Accepted for compatibility.

    Returns
    -------
    tuple of dict
        In the order in which the tasks ended, with ``key``, ``worker``, ``thread``, ``status`` (``"OK"`` or
        ``"error"``), ``nbytes``, ``type`` and ``startstops``: the activities for the task (``action`` is ``"compute"``,
        ``"transfer"`` or ``"deserialize"``), from ``start`` until ``stop``. With `plot`, a pair of this tuple and the
        figure.

    Examples
    --------
    >>> client.submit(pow, 2, 10).result()
    1024
    >>> [task["key"] for task in client.get_task_stream(count=1)]
    ['pow-...']
    """
    if count is not None and (not isinstance(count, int) or isinstance(count, bool)):
        raise TypeError(f"count must be a number of tasks, not {count!r}")
    request = pb.GetTaskStreamRequest(
        start=_moment("start", start),
        stop=_moment("stop", stop),
        count=max(count or 0, 0),
        cursor_only=count is not None and count <= 0,
    )
    return self._core.run(_task_stream(self._core, request, bool(plot), filename if plot == "save" else None))


def _task_stream(
    core: ClientCore, request: pb.GetTaskStreamRequest, plot: bool, filename: str | None
) -> Operation[Any]:
    stream = yield from core.on_loop(rpcs.task_stream(core.session, request))
    tasks = tuple(stream.tasks)
    if not plot:
        return tasks
    from dagrpc.diagnostics.figures import task_stream_figure

    return tasks, _saved(task_stream_figure(tasks), filename)


def _saved(figure: Any, filename: str | None) -> Any:
    """Return a figure, after writing it to a file if one is named."""
    if filename:
        figure.save(filename)
    return figure


def _moment(name: str, value: Moment) -> float:
    """Return a point in time in seconds since the epoch; 0 for None."""
    if value is None:
        return 0.0
    if isinstance(value, (str, timedelta)):
        try:
            return time.time() - (config.seconds(value) or 0.0)
        except (KeyError, ValueError):
            raise ValueError(f"{name} is not a duration: {value!r}. Say how long ago, such as '10 s'") from None
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise TypeError(f"{name} must be a number of seconds since the epoch, or how long ago as text; got {value!r}")
