"""How a client starts and ends: connecting, the cluster that it starts, the process that ends or forks."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib
import os
import weakref
from collections.abc import Iterator
from typing import Any

from dagrpc._client import current
from dagrpc._client.client_core import OF_PARENT_PROCESS, ClientCore, HasCore, core_of
from dagrpc._client.scheduler_address import scheduler_address
from dagrpc._client.version_warning import warn_of_versions
from dagrpc._client.waiting import (
    CloseCluster,
    Deadline,
    Operation,
    RunInThread,
    RunOnLoop,
    run_awaiting,
    run_blocking,
)
from dagrpc._process.at_exit import before_threads_end
from dagrpc._process.preloading import Preloads, run_aside
from dagrpc.security import Security
from dagrpc.shuffle import hooks

_CLOSE_SECONDS = 10.0
"""Seconds after which a session that is being closed is given up."""

_live: weakref.WeakSet[Any] = weakref.WeakSet()
"""The clients of this process."""


class ClientLifecycle:
    """Connects and closes one client, with the cluster that the client was given or starts."""

    def __init__(self, core: ClientCore, cluster: Any, set_as_default: bool) -> None:
        self.core = core
        self.cluster = cluster
        """The cluster that the client was given or started; None if it was given an address."""
        self.owns_cluster = False
        """Whether closing the client closes the cluster."""
        self.connecting: concurrent.futures.Future[None] | None = None
        """The first attempt to connect."""
        self._set_as_default = set_as_default
        self._is_introduced = False
        """Whether the client was made the default client, if it is to be, and versions were compared."""
        self._preloads = Preloads("client")
        reference = weakref.ref(core)
        core.session.on_lost = lambda: _forget(reference)

    # --- starting ------------------------------------------------------------------------------------------------

    def start(
        self, address: Any, scheduler_file: str | None, security: Security, cluster_options: dict[str, Any]
    ) -> None:
        """Connect, after starting a local cluster if no address is known. Asynchronous clients only begin to.

        Raises
        ------
        ValueError
            If there are options for a local cluster beside an address.
        """
        core = self.core
        target = None
        if not self._must_await_cluster():
            target = scheduler_address(address, scheduler_file, core.timeout)
            if target is None:
                self._start_cluster(security, cluster_options)
            elif cluster_options:
                raise ValueError(f"Unexpected keyword arguments: {sorted(cluster_options)}")
        _live.add(core.client)
        if target is None and self.cluster is not None and not core.is_asynchronous:
            target = scheduler_address(self.cluster, None, core.timeout)
        if target is not None:
            core.session.address = target
            self._connect(target)
        if core.is_asynchronous or core.loop.inside:
            return
        assert self.connecting is not None
        try:
            self.connecting.result(core.timeout + 5)
        except BaseException:
            self.connecting.cancel()
            self._give_up()
            raise
        self._introduce()
        if self._preloads.wanted:
            run_aside(self._preloads.start(core.client))

    async def start_awaiting(self) -> None:
        """Wait until an asynchronous client is connected."""
        core = self.core
        # A connection alone is not enough: it may be ready before the client is awaited for the first time.
        if self._is_introduced and core.session.status in ("running", "connecting"):
            return
        if self.connecting is None:
            await self.cluster
            target = scheduler_address(self.cluster, None, core.timeout)
            assert target is not None
            self._connect(target)
        assert self.connecting is not None
        try:
            await asyncio.wrap_future(self.connecting)
        except BaseException:
            self._give_up()
            if self.owns_cluster:
                await self.cluster.close()
            raise
        await run_awaiting(core.on_loop(core.cluster_info.fetch()))
        self._introduce()
        await self._preloads.start(core.client)

    def _must_await_cluster(self) -> bool:
        """Return whether the address is not known before the cluster was awaited."""
        has_address = getattr(self.cluster, "scheduler_address", None)
        return self.core.is_asynchronous and self.cluster is not None and not has_address

    def _start_cluster(self, security: Security, options: dict[str, Any]) -> None:
        # Looked up by name: the SDK is complete without the package that starts processes.
        local_cluster = importlib.import_module("dagrpc").LocalCluster
        self.cluster = local_cluster(asynchronous=self.core.is_asynchronous, security=security, **options)
        self.owns_cluster = True

    def _connect(self, target: str) -> None:
        self.connecting = self.core.loop.submit(self.core.session.connect(target, self.core.timeout))

    def _introduce(self) -> None:
        warn_of_versions(self.core.session.welcome)
        hooks.provide()
        if self._set_as_default:
            current.add_default(self.core.client)
        self._is_introduced = True

    def _give_up(self) -> None:
        self.core.session.status = "closed"
        if self.owns_cluster and not self.core.is_asynchronous:
            self.cluster.close()

    # --- ending --------------------------------------------------------------------------------------------------

    def close(self, timeout: float) -> Operation[None]:
        """Close the client, and the local cluster that it started."""
        core = self.core
        if self._preloads.loaded and not core.forked:
            yield RunInThread(lambda: run_aside(self._preloads.close()))
        current.remove_default(core.client)
        if core.session.status != "closed" and not core.forked:
            if self.connecting is not None and not self.connecting.done():
                self.connecting.cancel()
            core.loop.call_soon(core.cluster_info.end)
            with contextlib.suppress(TimeoutError):
                closing = core.session.close(min(timeout, _CLOSE_SECONDS))
                yield RunOnLoop(core.loop, closing, Deadline(timeout + 5))
        elif not core.table.closed:
            core.table.close("client-closed", "The client was closed.")
        core.session.status = "closed"
        if self.owns_cluster and self.cluster is not None:
            self.owns_cluster = False
            yield CloseCluster(self.cluster)

    def abandon(self) -> None:
        """Close the session of a client that is being collected, without waiting for the end."""
        core, session = self.core, self.core.session
        if session.status == "running" and not core.forked:
            core.loop.call_soon(lambda: session.track(session.close(1.0)))


def _forget(reference: weakref.ref[ClientCore]) -> None:
    """Make a client that lost its scheduler the default client no longer."""
    core = reference()
    client = core.client if core is not None else None
    if client is not None:
        current.remove_default(client)


def lifecycle_of(client: Any) -> ClientLifecycle:
    """Return the lifecycle of a client."""
    lifecycle: ClientLifecycle = client._lifecycle
    return lifecycle


# --- the clients of this process -------------------------------------------------------------------------------------


def live_clients() -> Iterator[HasCore]:
    """Yield the clients of this process that were not collected."""
    yield from list(_live)


def default_client_for(address: str) -> Any:
    """Return the default client that is connected to a scheduler; None if there is none."""
    for client in current.default_clients():
        session = core_of(client).session
        if session.status == "running" and session.address == address:
            return client
    return None


def close_all() -> None:
    """Close all clients of this process, when it ends."""
    for client in live_clients():
        core = core_of(client)
        if core.session.status in ("connecting", "running") and not core.forked:
            with contextlib.suppress(Exception):
                run_blocking(lifecycle_of(client).close(2.0))


def _mark_forked() -> None:
    for client in live_clients():
        core = core_of(client)
        core.forked = True
        core.table.forked(OF_PARENT_PROCESS)


# The services of a cluster in this process need new threads while they close.
before_threads_end(close_all)
os.register_at_fork(after_in_child=_mark_forked)
