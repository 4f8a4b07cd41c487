"""The client that a worker has for its tasks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any, ClassVar

from dagrpc._client.client_core import core_of
from dagrpc._client.lifecycle import default_client_for, lifecycle_of
from dagrpc._client.submission_options import connect_timeout
from dagrpc._client.waiting import run_awaiting
from dagrpc.client import Client
from dagrpc.security import Security

_CLOSE_TIMEOUT = 2.0


class WorkerClient(Client):
    """A client with the certificate of its worker. It does not show the output of tasks, which the worker shows."""

    _tls_role: ClassVar[str] = "worker"
    _default_handlers: ClassVar[Mapping[str, Callable[[Any], object]]] = {}

    @property
    def direct_to_workers(self) -> bool | None:
        """Whether data travels between this and other workers directly; a worker can reach the others."""
        return self._core.direct is not False


WorkerClient.__name__ = Client.__name__


class WorkerClientFactory:
    """Makes the client of a worker when the client is needed for the first time.

    `scheduler_address` has the form ``host:port``, `security` is the worker's.
    """

    def __init__(self, scheduler_address: str, security: Security | None = None) -> None:
        self._address = scheduler_address
        self._security = security
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._closed = False

    def get(self, timeout: float | None = None) -> Client:
        """Return the client, which is connected unless the caller is on the event loop.

        A worker in the process of a user returns the user's default client, if that is connected to the same cluster.

        Raises
        ------
        OSError
            If the scheduler does not answer within `timeout` seconds.
        """
        default = default_client_for(self._address)
        if isinstance(default, Client):
            return default
        client = self._client
        if client is None or client.status != "running":
            client = self._made(connect_timeout() if timeout is None else timeout)
        core, connecting = core_of(client), lifecycle_of(client).connecting
        if client.status != "running" and connecting is not None and not core.loop.inside:
            # One second longer than the connection tries, so that its own error is raised.
            connecting.result(core.timeout + 1)
        return client

    def _made(self, timeout: float) -> Client:
        with self._lock:
            client = self._client
            if client is None or client.status in ("closing", "closed"):
                if self._closed:
                    raise ValueError("The worker has closed: it has no client any more")
                # In a context of its own, so that the client does not keep the task alive that needs it first.
                client = self._client = Context().run(self._make, timeout)
            return client

    def _make(self, timeout: float) -> Client:
        # Asynchronous while it is made, so that the event loop is not blocked until the client is connected.
        client = WorkerClient(
            self._address,
            timeout=timeout,
            set_as_default=False,
            asynchronous=True,
            name="worker",
            security=self._security,
        )
        core_of(client).is_asynchronous = False
        return client

    async def close(self) -> None:
        """Close the client, and make no other."""
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
        if client is not None and client.status != "closed":
            with contextlib.suppress(Exception):
                await run_awaiting(lifecycle_of(client).close(_CLOSE_TIMEOUT))
