"""What a worker does for the tasks that it runs, beside running them: a client, and events."""

from __future__ import annotations

import threading
from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dagrpc._codec.plain import encode_plain, topic_names
from dagrpc.v1 import event_service_pb2

if TYPE_CHECKING:
    from dagrpc._client.worker_client import WorkerClientFactory
    from dagrpc.client import Client
    from dagrpc.security import Security
    from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor
    from dagrpc_worker.shell.session.heartbeat import Heartbeat
    from dagrpc_worker.shell.session.scheduler_session import SchedulerSession


class ForTasks:
    """The part of `WorkerService` that tasks use."""

    address: str
    scheduler_address: str
    security: Security
    _session: SchedulerSession

    def __init__(self) -> None:
        self._workers_client: WorkerClientFactory | None = None
        self._client_lock = threading.Lock()
        self.thread_id = 0
        """The thread of its event loop; 0 before it has started."""
        self.heartbeat: Heartbeat | None = None
        """What sends its measurements; None before that has begun."""

    @cached_property
    def monitor(self) -> ProcessMonitor:
        """Measures the process."""
        from dagrpc_worker.shell.monitoring.process_monitor import ProcessMonitor

        return ProcessMonitor()

    @property
    def client(self) -> Client:
        """The client that all tasks of this worker share; made when it is first asked for."""
        return self.get_client()

    def get_client(self, timeout: float | None = None) -> Client:
        """Return the client that all tasks of this worker share. From any thread.

        Parameters
        ----------
        timeout : float, optional
            How long to try to reach the scheduler, in seconds, if the client is not there yet.
        """
        if self._workers_client is not None:
            return self._workers_client.get(timeout)
        # Most workers never need one, and what it imports.
        from dagrpc._client.worker_client import WorkerClientFactory

        with self._client_lock:
            if self._workers_client is None:
                self._workers_client = WorkerClientFactory(self.scheduler_address, self.security)
        client = self._workers_client.get(timeout)
        self.log_event("worker-get-client", {"timeout": timeout, "client": client.id})
        return client

    async def _close_client(self) -> None:
        if self._workers_client is not None:
            await self._workers_client.close()

    def log_event(self, topic: str | Collection[str], msg: Any) -> None:
        """Log an event. From any thread; what a task logs arrives before its end does.

        Parameters
        ----------
        topic : str, or a list, tuple or set of str
            The topic, or several.
        msg : plain data
            None, booleans, numbers, text, bytes, and lists, tuples and dicts of those. To a dict the worker's address
            is added, as ``worker``.

        Raises
        ------
        TypeError
            If the message is something else.
        """
        if isinstance(msg, dict):
            msg = {**msg, "worker": self.address}
        self._session.post(event_service_pb2.LogEvent(topics=topic_names(topic), message=encode_plain(msg)))
