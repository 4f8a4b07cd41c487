"""The client that a worker has for its tasks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

from dagrpc._client import current
from dagrpc._client.gather import default_timeout
from dagrpc._client.waiting import run_awaiting
from dagrpc.client import Client
from dagrpc.security import Security

_CLOSE_TIMEOUT = 2.0


class WorkerClient(Client):
    """A client that does not show what tasks print: the worker has done so. It has the worker's certificate."""

    _tls_role = "worker"

    @property
    def direct_to_workers(self) -> bool | None:
        """Whether data goes to and from the workers directly: a worker reaches the others."""
        return self._direct_to_workers is not False

    @staticmethod
    def _default_handlers() -> dict[str, Callable[[Any], object]]:
        return {}


WorkerClient.__name__ = Client.__name__


class WorkerClientFactory:
    """Makes a worker's client when it is first asked for.

    Parameters
    ----------
    scheduler_address : str
        Where it connects to, ``host:port``.
    security : Security, optional
        The worker's.
    """

    def __init__(self, scheduler_address: str, security: Security | None = None) -> None:
        self._address = scheduler_address
        self._security = security
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._closed = False

    def get(self, timeout: float | None = None) -> Client:
        """Return the client, connected unless the caller is on the event loop.

        In the process of a user with a default client of the same cluster it is that one, which dask uses there, too.

        Parameters
        ----------
        timeout : float, optional
            How long to try to reach the scheduler, in seconds.

        Raises
        ------
        OSError
            If the scheduler does not answer in time.
        """
        theirs = current.default_for(self._address)
        if isinstance(theirs, Client):
            return theirs
        client = self._client
        if client is None or client.status != "running":
            client = self._made(default_timeout() if timeout is None else timeout)
        connecting = client._connecting
        if client.status != "running" and connecting is not None and not client._loop.inside:
            # A second more, so that it is the connection's own error that shows.
            connecting.result(client._timeout + 1)
        return client

    def _made(self, timeout: float) -> Client:
        with self._lock:
            client = self._client
            if client is None or client.status in ("closing", "closed"):
                if self._closed:
                    raise ValueError("The worker has closed: it has no client any more")
                # In a context of its own, which does not hold on to the task that is the first to ask.
                client = self._client = Context().run(self._make, timeout)
            return client

    def _make(self, timeout: float) -> Client:
        # An asynchronous one does not wait for its connection: the event loop may be what asks for it.
        client = WorkerClient(
            self._address,
            timeout=timeout,
            set_as_default=False,
            asynchronous=True,
            name="worker",
            security=self._security,
        )
        client._asynchronous = False
        return client

    async def close(self) -> None:
        """Close the client that was made. There will be no other."""
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
        if client is not None and client.status != "closed":
            with contextlib.suppress(Exception):
                await run_awaiting(client._close(_CLOSE_TIMEOUT))
