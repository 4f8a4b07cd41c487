"""Services of a worker for the tasks that it runs: a client, a connection to the scheduler, and events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

from dagrpc import _client_on_workers as client_parts
from dagrpc._auth.credentials import shown_address
from dagrpc._codec.plain import encode_plain, topic_names
from dagrpc.security import Security
from dagrpc.v1 import event_service_pb2
from dagrpc_worker.shell.worker_record import WorkerRecord


class TaskServices:
    """The client and the events of a worker's tasks. From any thread.

    Parameters
    ----------
    post : callable
        Sends an event to the scheduler on the worker's session.
    scheduler_id : callable
        Returns the id of the scheduler's process.
    """

    def __init__(
        self,
        worker: WorkerRecord,
        security: Security,
        post: Callable[[event_service_pb2.LogEvent], object],
        scheduler_id: Callable[[], str],
    ) -> None:
        self._worker = worker
        self._security = security
        self._post = post
        self._scheduler_id = scheduler_id
        self._clients: client_parts.WorkerClientFactory | None = None
        self._lock = threading.Lock()

    def get_client(self, timeout: float | None = None) -> client_parts.Client:
        """Return the client that all tasks of the worker share; the first call makes it.

        Parameters
        ----------
        timeout : float, optional
            How long to try to reach the scheduler, in seconds, if there is no client yet.
        """
        if self._clients is not None:
            return self._clients.get(timeout)
        with self._lock:
            if self._clients is None:
                self._clients = client_parts.WorkerClientFactory(self._worker.scheduler_address, self._security)
        client = self._clients.get(timeout)
        self.log_event("worker-get-client", {"timeout": timeout, "client": client.id})
        return client

    def scheduler(self) -> client_parts.SchedulerCalls:
        """Return the scheduler as an object with the calls that tasks and plugins can make."""
        address = shown_address(self._worker.scheduler_address, self._worker.credentials)
        return client_parts.SchedulerCalls(address, self._scheduler_id(), self.get_client)

    def log_event(self, topic: str | Collection[str], msg: Any) -> None:
        """Log an event. An event that a task logs arrives before the task's end does.

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
            msg = {**msg, "worker": self._worker.address}
        self._post(event_service_pb2.LogEvent(topics=topic_names(topic), message=encode_plain(msg)))

    async def close(self) -> None:
        """Close the client, if there is one. On the loop."""
        if self._clients is not None:
            await self._clients.close()
