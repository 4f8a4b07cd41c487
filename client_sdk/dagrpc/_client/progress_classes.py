"""Progress bars for subclasses, which override two methods that draw. `progress` is the function for all other uses."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from dagrpc import config
from dagrpc._client import current
from dagrpc._client.client_core import core_of
from dagrpc._client.lifecycle import default_client_for
from dagrpc._client.progress_stream import Watch
from dagrpc._client.submission_options import Duration
from dagrpc._client.waiting import RunOnLoop
from dagrpc._codec.failures import decode_failure
from dagrpc._common.keys import encode_key
from dagrpc.compat.tools import LoopRunner
from dagrpc.progress_bar import Bar
from dagrpc.v1 import inquiry_service_pb2 as pb

__all__ = ["ProgressBar", "TextProgressBar"]


class ProgressBar:
    """Follows the progress of tasks, which a subclass draws.

    Parameters
    ----------
    keys : iterable of futures or keys
        The tasks, which are followed with all tasks that they depend on.
    scheduler : str, optional
        Address of the scheduler; by default the scheduler of the futures, or of the current client.
    interval : number, str or timedelta
        Time between two drawings.
    complete : bool
        Whether to count tasks that are done already.

    Examples
    --------
    >>> class Lines(TextProgressBar):
    ...     def _draw_bar(self, remaining, all, **kwargs):
    ...         pass
    ...     def _draw_stop(self, remaining, status, **kwargs):
    ...         print(remaining, status)
    >>> bar = Lines(client.map(inc, range(3)))
    0 finished
    """

    def __init__(
        self, keys: Iterable[Any], scheduler: Any = None, interval: Duration = "100ms", complete: bool = True
    ) -> None:
        items = list(keys)
        self.keys = {getattr(item, "key", item) for item in items}
        owners = [client for item in items if (client := getattr(item, "client", None)) is not None]
        address = str(scheduler).rpartition("://")[2]
        self.client: Any = default_client_for(address) if scheduler is not None else None
        self.client = self.client or next(iter(owners), None) or current.current_client()
        if self.client is None:
            raise ValueError("No client found: a progress bar follows tasks of a client")
        self.scheduler = scheduler or core_of(self.client).session.address
        self.interval = config.seconds(interval) or 0.1
        self.complete = complete
        self.status: str | None = None
        """``running``, ``finished`` or ``error``; None before `listen`."""
        self._started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the progress bar was made."""
        return time.monotonic() - self._started

    async def listen(self) -> None:
        """Draw until all tasks are done or a task has failed."""
        request = pb.WatchProgressRequest(only_unfinished=not self.complete, interval_seconds=self.interval)
        request.keys.extend(map(encode_key, self.keys))
        core = core_of(self.client)
        watch = Watch(core.session, request)
        last: dict[str, Any] = {"all": 0, "remaining": 0, "status": "running"}
        try:
            self.status = "running"
            while self.status == "running":
                state = await RunOnLoop(core.loop, watch.changed(self.interval)).suspend()
                last = self._facts(state)
                self.status = last["status"]
                self._draw_bar(**last)
        finally:
            core.loop.call_soon(watch.stop)
            self._draw_stop(**last)

    def _facts(self, state: pb.WatchProgressResponse) -> dict[str, Any]:
        """Return a message of the scheduler as arguments of `_draw_bar` and `_draw_stop`."""
        total = sum(group.total for group in state.groups)
        finished = sum(group.finished for group in state.groups)
        facts: dict[str, Any] = {"all": total, "remaining": total - finished, "status": "running"}
        if state.HasField("failure"):
            facts["status"] = "error"
            facts["exception"] = decode_failure(state.failure, "a task")
        elif state.done:
            facts["status"] = "finished"
        return facts

    def _draw_bar(self, **kwargs: Any) -> None:
        """Draw the progress. Subclasses override this method.

        Parameters
        ----------
        all, remaining : int
            The number of tasks, and of tasks that are not done.
        status : str
            ``running``, ``finished`` or ``error``.
        exception : BaseException
            The exception of a failed task, if a task has failed.
        """

    def _draw_stop(self, **kwargs: Any) -> None:
        """Draw the end. Subclasses override this method; the parameters are those of `_draw_bar`."""


class TextProgressBar(ProgressBar):
    """Draws a bar in a console, and returns when all tasks are done or a task has failed.

    Parameters
    ----------
    width : int
        Length of the bar in characters.
    loop : object
        Accepted for compatibility.
    start : bool
        Whether to draw immediately, rather than when `listen` is awaited.

    The other parameters are those of `ProgressBar`.

    Examples
    --------
    >>> futures = client.map(inc, range(3))
    >>> done = wait(futures)
    >>> bar = TextProgressBar(futures, width=10)
    [##########] | 100% Completed | ...
    """

    def __init__(
        self,
        keys: Iterable[Any],
        scheduler: Any = None,
        interval: Duration = "100ms",
        width: int = 40,
        loop: Any = None,
        complete: bool = True,
        start: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(keys, scheduler, interval, complete)
        self.width = width
        self._bar = Bar(None, width)
        self._loop_runner = LoopRunner(loop)
        if start:
            self._loop_runner.run_sync(self.listen)

    @property
    def loop(self) -> Any:
        """The event loop of the drawing code."""
        return self._loop_runner.loop

    def _draw_bar(self, **kwargs: Any) -> None:
        self._bar.draw(_fraction(**kwargs))

    def _draw_stop(self, **kwargs: Any) -> None:
        self._bar.end(_fraction(**kwargs))


def _fraction(remaining: int, all: int, **kwargs: Any) -> float:
    return 1 - remaining / all if all else 1.0
