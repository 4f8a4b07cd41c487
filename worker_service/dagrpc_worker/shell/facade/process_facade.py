"""Methods that a `Worker` and a `Nanny` share: logs, versions and measurements of the process, and running a function.

Both classes bind these functions as methods.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor


class ProcessFacade(Protocol):
    """The part of the object that the methods use."""

    _home: ServiceHome
    _part: str
    """``"worker"`` or ``"nanny"``, as in the names of loggers."""

    @property
    def monitor(self) -> ProcessMonitor:
        """Measures the process."""


def services(self: ProcessFacade) -> dict[str, Any]:
    """Empty: only the scheduler serves a dashboard."""
    return {}


def get_monitor_info(self: ProcessFacade, recent: bool = False, start: int = 0) -> dict[str, Any]:
    """Return what the process uses: the latest measurement, or all from measurement `start` on.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     sorted(worker.get_monitor_info(recent=True))
    ['count', 'last_time', 'range_query']
    """
    monitor = self.monitor
    found = {"range_query": monitor.recent() if recent else monitor.range_query(start)}
    return {**found, "count": monitor.count, "last_time": monitor.last_time}


def get_logs(self: ProcessFacade, start: int = 0, n: int | None = None) -> list[tuple[Any, ...]]:
    """Return lines of the log, the latest first.

    Parameters
    ----------
    start : int
        How many of the oldest lines to leave out.
    n : int, optional
        How many lines at most.

    Returns
    -------
    list of tuple
        Level and text of each line.

    Examples
    --------
    >>> import logging
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     logging.getLogger("dagrpc.worker").warning("mind the gap")
    ...     worker.get_logs(n=1)
    [('WARNING', '...mind the gap')]
    """
    from dagrpc._process import log_buffer

    lines = list(log_buffer.install().latest(self._part))
    return lines[: max(0, len(lines) - start)][:n]


def versions(self: ProcessFacade, packages: Any = None) -> dict[str, Any]:
    """Return facts about the machine, and the versions of the usual packages and of `packages`.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     sorted(worker.versions())
    ['host', 'packages']
    """
    from dagrpc._common.versions import host_facts, package_versions

    found = package_versions(packages or ())
    host: dict[str, Any] = host_facts()
    host["python-bits"] = int(host["python-bits"])
    return {"host": host, "packages": {name: version or None for name, version in found.items()}}


async def run(
    self: ProcessFacade,
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Call a function as `Client.run` does, and return its result.

    Parameters
    ----------
    function : callable
        The function. Its parameter ``dask_worker``, if it has one, gets this worker or nanny. A coroutine function
        runs on the event loop, any other function in a thread.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address, name="alice") as worker:
    ...     await worker.run(lambda number, dask_worker: f"{dask_worker.name} {number}", (1,))
    'alice 1'
    """
    from dagrpc._codec.calls import with_injected

    given = with_injected(function, dict(kwargs or {}), {"dask_worker": self})
    outcome = await asyncio.to_thread(function, *args, **given)
    return await self._home.awaiting(outcome) if asyncio.iscoroutine(outcome) else outcome
