"""Logs of the cluster's processes: reading them, and forwarding log records to the client."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from dagrpc._client.client_core import HasCore
from dagrpc._client.client_session import ClientSession
from dagrpc._client.services import scheduler_service
from dagrpc._client.submission_options import Workers, worker_names
from dagrpc._client.verbs import plugins
from dagrpc._rpc import log_service
from dagrpc.plugins.forwarding import ForwardLoggingPlugin, log_again
from dagrpc.v1 import log_service_pb2 as pb

_CLUSTER_LOG_SERVICE = pb.DESCRIPTOR.services_by_name["ClusterLogService"]
_WORKERS_SECONDS = 60.0
"""Seconds in which workers have to send their logs."""


def get_scheduler_logs(self: HasCore, n: int | None = None) -> Any:
    """Return the last lines of the scheduler's log.

    Parameters
    ----------
    n : int, optional
        The number of lines; all lines that the scheduler keeps by default.

    Returns
    -------
    tuple
        Pairs of level and text, the latest line first.

    Examples
    --------
    >>> logs = client.get_scheduler_logs(n=10)  # pairs of level and line, the latest first
    >>> len(logs) <= 10
    True
    """
    return self._core.call(_scheduler_logs(self._core.session, _count(n)))


async def _scheduler_logs(session: ClientSession, count: int) -> tuple[tuple[str, str], ...]:
    service = scheduler_service(session, log_service.SERVICE)
    response = await service.call("GetLogs", pb.GetLogsRequest(count=count), pb.GetLogsResponse)
    return _lines(response.lines)


def get_worker_logs(self: HasCore, n: int | None = None, workers: Workers = None, nanny: bool = False) -> Any:
    """Return the last lines of the logs of workers.

    Parameters
    ----------
    n : int, optional
        The number of lines of each worker; all lines that a worker keeps by default.
    workers : str or iterable of str, optional
        Addresses, names or host names; all workers by default.
    nanny : bool
        Whether to return the logs of the workers' nannies instead.

    Returns
    -------
    dict
        Pairs of level and text by address of the worker, the latest line first.

    Examples
    --------
    >>> client.submit(int, "x", workers=[0]).exception()
    ValueError("invalid literal for int() with base 10: 'x'")
    >>> client.get_worker_logs(n=1, workers=[0])
    {'127.0.0.1:...': (('WARNING', "... - dagrpc.worker - WARNING - Task int-... failed: ..."),)}
    """
    return self._core.call(_worker_logs(self._core.session, _count(n), workers, nanny))


async def _worker_logs(
    session: ClientSession, count: int, workers: Workers, nanny: bool
) -> dict[str, tuple[tuple[str, str], ...]]:
    names = worker_names(workers)
    if workers is not None and not names:
        return {}
    service = scheduler_service(session, _CLUSTER_LOG_SERVICE)
    request = pb.GetWorkerLogsRequest(count=count, workers=names, nanny=nanny)
    response = await service.call("GetWorkerLogs", request, pb.GetWorkerLogsResponse, timeout=_WORKERS_SECONDS)
    return {log.worker: _lines(log.lines) for log in response.logs}


def forward_logging(self: HasCore, logger_name: str | None = None, level: int | str = logging.NOTSET) -> Any:
    """Log the records of a logger of the workers in this process, too, by the logger of the same name.

    All workers forward their records, including workers that join later. The levels of the loggers on the workers
    apply; in this process the handlers of the logger and of its parents receive the records.

    Parameters
    ----------
    logger_name : str, optional
        The logger, with its children; by default the root logger, without dagrpc's own loggers.
    level : int or str
        Records below this level are not forwarded.

    Returns
    -------
    dict
        As `register_plugin` returns.

    Examples
    --------
    >>> import logging
    >>> client.forward_logging("model", logging.INFO)
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    >>> def fit():
    ...     logging.getLogger("model").info("fitted")  # also logged where the client is
    >>> client.submit(fit).result()
    >>> client.unforward_logging("model")
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    """
    name, topic = _names(logger_name)
    if isinstance(level, str):
        level = logging.getLevelNamesMapping()[level.upper()]
    core = self._core
    core.check_open()
    core.session.topics.subscribe([topic], log_again, None)
    try:
        return plugins.register_plugin(self, ForwardLoggingPlugin(logger_name, level, topic), name)
    except BaseException:
        core.session.topics.unsubscribe([topic])
        raise


def unforward_logging(self: HasCore, logger_name: str | None = None) -> Any:
    """Undo `forward_logging`, for all clients.

    Parameters
    ----------
    logger_name : str, optional
        The logger, as named for `forward_logging`.

    Raises
    ------
    ValueError
        If the logger is not forwarded.

    Examples
    --------
    >>> client.forward_logging("model")
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    >>> client.unforward_logging("model")
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    """
    name, topic = _names(logger_name)
    core = self._core
    core.check_open()
    if topic in core.session.topics.wanted():
        core.session.topics.unsubscribe([topic])
    return plugins.unregister_worker_plugin(self, name)


def _names(logger_name: str | None) -> tuple[str, str]:
    """Return the names of the plugin that forwards a logger and of its topic."""
    name = f"forward-logging-{logger_name or '<root>'}"
    return name, f"forwarded-log-record-{name}"


def _count(n: int | None) -> int:
    if n is None:
        return 0
    if n < 1:
        raise ValueError(f"The number of lines must be at least 1, got {n!r}; leave it out for all lines")
    return n


def _lines(lines: Iterable[pb.LogLine]) -> tuple[tuple[str, str], ...]:
    return tuple((line.level, line.text) for line in lines)
