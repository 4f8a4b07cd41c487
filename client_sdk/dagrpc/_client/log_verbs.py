"""The part of a client that shows what the processes of the cluster have logged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dagrpc._client.connection import Connection
from dagrpc._client.options import Workers, worker_names
from dagrpc._io import log_servicer
from dagrpc._io.channels import ServiceClient
from dagrpc.v1 import log_service_pb2 as pb

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
        >>> client.get_scheduler_logs(n=1)  # doctest: +SKIP
        (('INFO', '2026-09-30 12:00:00,123 - dagrpc.scheduler - INFO - Client Client-1 connected'),)
        """
        return self._call(self._scheduler_logs(_count(n)))

    async def _scheduler_logs(self, count: int) -> tuple[tuple[str, str], ...]:
        scheduler = self._session.scheduler
        assert scheduler is not None
        service = ServiceClient(scheduler.channel, log_servicer.SERVICE, scheduler.peer)
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
        >>> client.get_worker_logs(n=1)  # doctest: +SKIP
        {'127.0.0.1:40001': (('INFO', '2026-09-30 12:00:00,123 - dagrpc.worker - INFO - Worker 0 ...'),)}
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


def _count(n: int | None) -> int:
    if n is None:
        return 0
    if n < 1:
        raise ValueError(f"The number of lines must be at least 1, got {n!r}; without it there are all")
    return n


def _lines(lines: Iterable[pb.LogLine]) -> tuple[tuple[str, str], ...]:
    return tuple((line.level, line.text) for line in lines)
