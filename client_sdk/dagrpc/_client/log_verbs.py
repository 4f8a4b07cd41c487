"""The part of a client that shows what the processes of the cluster have logged."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from dagrpc._client.connection import Connection
from dagrpc._client.options import Workers, worker_names
from dagrpc._rpc import log_service
from dagrpc._rpc.channels import ServiceClient
from dagrpc.plugins.forwarding import ForwardLoggingPlugin, log_again
from dagrpc.v1 import log_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc.client import Client

CLUSTER_LOG_SERVICE = pb.DESCRIPTOR.services_by_name["ClusterLogService"]

_PATIENCE = 60.0


class LogVerbs(Connection):
    """Logs of the cluster. See `Client`."""

    def get_scheduler_logs(self, n: int | None = None) -> Any:
        """Return what the scheduler has logged lately.

        Parameters
        ----------
        n : int, optional
            How many lines; all that it remembers by default.

        Returns
        -------
        tuple
            Level and text of each line, the latest first.

        Examples
        --------
        >>> logs = client.get_scheduler_logs(n=10)  # pairs of level and line, the latest first
        >>> len(logs) <= 10
        True
        """
        return self._call(self._scheduler_logs(_count(n)))

    async def _scheduler_logs(self, count: int) -> tuple[tuple[str, str], ...]:
        scheduler = self._session.scheduler
        assert scheduler is not None
        service = ServiceClient(scheduler.channel, log_service.SERVICE, scheduler.peer)
        response = await service.call("GetLogs", pb.GetLogsRequest(count=count), pb.GetLogsResponse)
        return _lines(response.lines)

    def get_worker_logs(self, n: int | None = None, workers: Workers = None, nanny: bool = False) -> Any:
        """Return what workers have logged lately.

        Parameters
        ----------
        n : int, optional
            How many lines of each; all that it remembers by default.
        workers : str or iterable of str, optional
            Addresses, names or host names; all workers by default.
        nanny : bool
            Whether to return what their nannies have logged instead.

        Returns
        -------
        dict
            Of each worker, by address, level and text of each line, the latest first.

        Examples
        --------
        >>> client.submit(int, "x", workers=[0]).exception()
        ValueError("invalid literal for int() with base 10: 'x'")
        >>> client.get_worker_logs(n=1, workers=[0])
        {'127.0.0.1:...': (('WARNING', "... - dagrpc.worker - WARNING - Task int-... failed: ..."),)}
        """
        return self._call(self._worker_logs(_count(n), workers, nanny))

    async def _worker_logs(self, count: int, workers: Workers, nanny: bool) -> dict[str, tuple[tuple[str, str], ...]]:
        names = worker_names(workers)
        if workers is not None and not names:
            return {}
        scheduler = self._session.scheduler
        assert scheduler is not None
        service = ServiceClient(scheduler.channel, CLUSTER_LOG_SERVICE, scheduler.peer)
        request = pb.GetWorkerLogsRequest(count=count, workers=names, nanny=nanny)
        response = await service.call("GetWorkerLogs", request, pb.GetWorkerLogsResponse, timeout=_PATIENCE)
        return {log.worker: _lines(log.lines) for log in response.logs}

    def forward_logging(self, logger_name: str | None = None, level: int | str = logging.NOTSET) -> Any:
        """Have what workers log by a logger logged here, too, by the logger of the same name.

        On all workers, those to come too. What is logged there is up to the levels of the loggers there; here it goes
        to the handlers of the logger and of those above it.

        Parameters
        ----------
        logger_name : str, optional
            The logger, with those below it; by default the root logger, for all but dagrpc's own.
        level : int or str
            Records of a lower level are not forwarded.

        Returns
        -------
        dict
            What `register_plugin` returns.

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
        name, topic = _forwarding(logger_name)
        if isinstance(level, str):
            level = logging.getLevelNamesMapping()[level.upper()]
        self._check_open()
        self._session.topics.subscribe([topic], log_again, None)
        client = cast("Client", self)
        try:
            return client.register_plugin(ForwardLoggingPlugin(logger_name, level, topic), name)
        except BaseException:
            self._session.topics.unsubscribe([topic])
            raise

    def unforward_logging(self, logger_name: str | None = None) -> Any:
        """Undo `forward_logging`, for all clients.

        Parameters
        ----------
        logger_name : str, optional
            The logger, as it was named there.

        Raises
        ------
        ValueError
            If it is not forwarded.

        Examples
        --------
        >>> client.forward_logging("model")
        {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
        >>> client.unforward_logging("model")
        {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
        """
        name, topic = _forwarding(logger_name)
        self._check_open()
        if topic in self._session.topics.wanted():
            self._session.topics.unsubscribe([topic])
        return cast("Client", self).unregister_worker_plugin(name)


def _forwarding(logger_name: str | None) -> tuple[str, str]:
    """Return the names of the plugin that forwards a logger and of its topic."""
    name = f"forward-logging-{logger_name or '<root>'}"
    return name, f"forwarded-log-record-{name}"


def _count(n: int | None) -> int:
    if n is None:
        return 0
    if n < 1:
        raise ValueError(f"The number of lines must be at least 1, got {n!r}; without it there are all")
    return n


def _lines(lines: Iterable[pb.LogLine]) -> tuple[tuple[str, str], ...]:
    return tuple((line.level, line.text) for line in lines)
