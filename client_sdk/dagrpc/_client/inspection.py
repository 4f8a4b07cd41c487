"""The part of a client that looks into what the cluster does."""

from __future__ import annotations

import math
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from dagrpc import config
from dagrpc._client import diagnostics
from dagrpc._client.administration import Administration
from dagrpc._client.options import Workers
from dagrpc._client.waiting import Operation
from dagrpc._graph.lower import checked_key
from dagrpc.v1 import diagnostics_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc.diagnostics.figures import Figure

Moment: TypeAlias = float | str | timedelta | None
"""Seconds since the epoch, or how long ago."""


class Inspection(Administration):
    """What tasks are at, what time is spent on, what ran where. See `Client`."""

    def call_stack(self, futures: Any = None, keys: Any = None) -> Any:
        r"""Return where tasks are that run now.

        Parameters
        ----------
        futures : Future, collection or nested structure of futures, optional
            The tasks; those that do not run are left out. All that run by default.
        keys : list of keys, optional
            Likewise.

        Returns
        -------
        dict
            By worker and key: the frames of the task's own code, outermost first, as in a traceback.

        Raises
        ------
        KeyError
            If a key is not known to the cluster.

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
                wire_keys += self._wire_keys(futures)
        return self._call(diagnostics.call_stacks(self._session, wire_keys))

    def profile(
        self,
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
        """Return in which functions the tasks spent their time.

        Workers look at the call stacks of their tasks every 10 ms (``worker.profile.interval``) and count what they
        see. The setting ``worker.profile.enabled`` turns that off.

        Parameters
        ----------
        key : str, optional
            Only tasks whose keys begin with this name; all by default.
        start, stop : number, str or timedelta, optional
            Only what was seen in this time: seconds since the epoch, or how long ago, such as ``"10 s"``.
        workers : str or iterable of str, optional
            Addresses, names or host names; all workers by default.
        merge_workers : bool
            Whether to return one profile rather than one for each worker.
        plot : bool or "save"
            Whether to return a figure, too, which a notebook shows; "save" writes it to a file.
        filename : str, optional
            Where to write the figure; ``dask-profile.html`` by default.
        server : bool
            Whether to return what the workers themselves did, in place of the tasks.
        scheduler : bool
            Whether to return what the scheduler did. It is looked at from the first such call on.

        Returns
        -------
        dict
            ``count`` (of samples), ``children`` by identifier, ``identifier`` and ``description``; each child is of
            the same form. With `plot` or `filename`, a pair of that and the figure.

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
        return self._run(
            self._profile(
                diagnostics.profile(
                    self._session,
                    subject,
                    "" if key is None else str(key),
                    _moment("start", start),
                    _moment("stop", stop),
                    workers,
                    merge_workers,
                ),
                bool(plot or filename),
                filename,
            )
        )

    def _profile(self, question: Coroutine[Any, Any, Any], plot: bool, filename: str | None) -> Operation[Any]:
        profile = yield from self._one(question)
        if not plot:
            return profile
        from dagrpc.diagnostics.figures import profile_figure

        return profile, _saved(profile_figure(profile), filename)

    def get_task_stream(
        self,
        start: Moment = None,
        stop: Moment = None,
        count: int | None = None,
        plot: bool | str = False,
        filename: str = "task-stream.html",
        bokeh_resources: Any = None,
    ) -> Any:
        """Return which tasks ran where and when.

        Workers begin to record that with the client's first call, which therefore returns nothing, and go on until the
        client closes. The context manager `dagrpc.get_task_stream` is often more convenient. The latest 100,000 runs
        are kept.

        Parameters
        ----------
        start, stop : number, str or timedelta, optional
            Only tasks that ran in this time: seconds since the epoch, or how long ago, such as ``"10 s"``.
        count : int, optional
            Only the latest so many.
        plot : bool or "save"
            Whether to return a figure, too, which a notebook shows; "save" writes it to a file.
        filename : str
            Where to write the figure.
        bokeh_resources : optional
            Accepted for compatibility.

        Returns
        -------
        tuple of dict
            In the order in which the tasks ended, with ``key``, ``worker``, ``thread``, ``status`` (``"OK"`` or
            ``"error"``), ``nbytes``, ``type`` and ``startstops``: what was done for the task (``action`` is
            ``"compute"``, ``"transfer"`` or ``"deserialize"``), from ``start`` until ``stop``. With `plot`, a pair of
            that and the figure.

        Examples
        --------
        >>> before = client.get_task_stream()  # has workers record from now on
        >>> client.submit(pow, 2, 10).result()
        1024
        >>> [task["key"] for task in client.get_task_stream()]
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
        return self._run(self._task_stream(request, bool(plot), filename if plot == "save" else None))

    def _task_stream(self, request: pb.GetTaskStreamRequest, plot: bool, filename: str | None) -> Operation[Any]:
        stream = yield from self._one(diagnostics.task_stream(self._session, request))
        tasks = tuple(stream.tasks)
        if not plot:
            return tasks
        from dagrpc.diagnostics.figures import task_stream_figure

        return tasks, _saved(task_stream_figure(tasks), filename)


def _saved(figure: Figure, filename: str | None) -> Figure:
    """Return a figure, having written it if a file is named."""
    if filename:
        figure.save(filename)
    return figure


def _moment(name: str, value: Moment) -> float:
    """Return a point in time in seconds since the epoch, 0 if none is given."""
    if value is None:
        return 0.0
    if isinstance(value, (str, timedelta)):
        try:
            return time.time() - (config.seconds(value) or 0.0)
        except (KeyError, ValueError):
            raise ValueError(f"{name} is no duration: {value!r}. Say how long ago, such as '10 s'") from None
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise TypeError(f"{name} must be a number of seconds since the epoch, or how long ago as text; got {value!r}")
