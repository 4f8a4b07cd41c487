"""The part of a client that registers plugins."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from dagrpc._client.administration import Administration
from dagrpc._client.session import ClientSession
from dagrpc._codec import payload as payloads
from dagrpc._codec.calls import result_of
from dagrpc._rpc.channels import ServiceClient
from dagrpc._rpc.grpc_options import CONTROL_MESSAGE_LIMIT
from dagrpc.exceptions import CodeNotAllowedError
from dagrpc.plugins.base import NannyPlugin, SchedulerPlugin, WorkerPlugin, plugin_name
from dagrpc.v1 import common_pb2
from dagrpc.v1 import plugin_service_pb2 as pb

logger = logging.getLogger("dagrpc.client")

PLUGIN_SERVICE = pb.DESCRIPTOR.services_by_name["PluginService"]

_KINDS: dict[type, pb.PluginKind] = {
    NannyPlugin: pb.PLUGIN_KIND_NANNY,
    WorkerPlugin: pb.PLUGIN_KIND_WORKER,
    SchedulerPlugin: pb.PLUGIN_KIND_SCHEDULER,
}
_ROOM = 2**16
"""Bytes of a message that are not the plugin itself."""


class Plugging(Administration):
    """Plugins: code that scheduler, workers and nannies keep. See `Client`."""

    def register_plugin(self, plugin: Any, name: str | None = None) -> Any:
        """Have a plugin set up in all processes that it is for, those that are there and those to come.

        One of the same name is torn down and replaced, unless the plugin is `idempotent`: then it is kept.

        Parameters
        ----------
        plugin : WorkerPlugin, NannyPlugin or SchedulerPlugin
            The plugin, which is pickled. One for the scheduler needs a scheduler that runs user code.
        name : str, optional
            What to call it; its attribute ``name`` by default, else a name of its own.

        Returns
        -------
        dict
            ``{"status": "OK"}`` by worker address. Empty if a plugin of that name was kept; None for the scheduler's.

        Raises
        ------
        TypeError
            If it is not an object of one of these classes.
        CodeNotAllowedError
            If it is for a scheduler that runs no user code.
        Exception
            Whatever its setup raises somewhere; it stays registered nevertheless, but for one of the scheduler.

        Examples
        --------
        >>> class Greeting(WorkerPlugin):
        ...     def setup(self, worker):
        ...         worker.greeting = "hello"
        >>> client.register_plugin(Greeting(), name="greeting")
        {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
        >>> client.submit(lambda: get_worker().greeting).result()
        'hello'
        >>> client.unregister_worker_plugin("greeting")
        {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
        """
        if isinstance(plugin, type):
            raise TypeError(f"Please provide an instance of a plugin, not a type: {plugin.__name__}()")
        return self._register(plugin.parts() if hasattr(plugin, "parts") else [plugin], plugin, name)

    def _register(self, parts: Sequence[Any], plugin: Any, name: str | None) -> Any:
        """Register the plugins that a plugin stands for, usually itself alone."""
        name = name or plugin_name(plugin)
        idempotent = bool(getattr(plugin, "idempotent", False))
        requests = [
            pb.RegisterPluginRequest(kind=_kind_of(part), name=name, plugin=_payload(part, name), idempotent=idempotent)
            for part in parts
        ]
        return self._call(_register_all(self._session, requests))

    def upload_file(self, filename: str | os.PathLike[str], load: bool = True) -> Any:
        """Put a file on all workers, those that are there and those to come, and on the scheduler if it runs user code.

        Files ``.py``, ``.egg`` and ``.zip`` are made importable there; others are written to the local directory of
        each worker. A file of the same name is replaced.

        Parameters
        ----------
        filename : str or path
            The file.
        load : bool
            Whether to import it at once, anew if it was imported before.

        Returns
        -------
        dict
            ``{"status": "OK"}`` by worker address.

        Raises
        ------
        OSError
            If the file cannot be read.
        Exception
            Whatever importing it raises.

        Examples
        --------
        >>> from pathlib import Path
        >>> Path("doubling.py").write_text("def double(x): return 2 * x")
        27
        >>> client.upload_file("doubling.py")
        {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
        >>> def use(x):
        ...     import doubling
        ...     return doubling.double(x)
        >>> client.submit(use, 21).result()
        42
        """
        from dagrpc.plugins.upload import SchedulerUploadFile, UploadFile

        upload = UploadFile(filename, load)
        return self._register([SchedulerUploadFile(filename, load), upload], upload, None)

    def register_worker_plugin(self, plugin: Any = None, name: str | None = None, nanny: bool | None = None) -> Any:
        """Do the same as `register_plugin`. For programs written for older versions of distributed.

        Parameters
        ----------
        plugin, name
            As there.
        nanny : bool, optional
            Must fit the plugin.

        Examples
        --------
        >>> client.register_worker_plugin(WorkerPlugin(), name="mine")
        {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
        >>> client.unregister_worker_plugin("mine")
        {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
        """
        if nanny is not None and nanny is not isinstance(plugin, NannyPlugin):
            raise TypeError(
                f"nanny={nanny} does not fit {plugin!r}: derive it from {'Nanny' if nanny else 'Worker'}Plugin"
            )
        return self.register_plugin(plugin, name=name)

    def register_scheduler_plugin(self, plugin: Any, name: str | None = None, idempotent: bool | None = None) -> Any:
        """Do the same as `register_plugin`. For programs written for older versions of distributed.

        Parameters
        ----------
        plugin, name
            As there.
        idempotent : bool, optional
            Sets the plugin's attribute.

        Examples
        --------
        >>> client.register_scheduler_plugin(SchedulerPlugin(), name="mine")
        >>> client.unregister_scheduler_plugin("mine")
        """
        if idempotent is not None:
            plugin.idempotent = idempotent
        return self.register_plugin(plugin, name=name)

    def unregister_worker_plugin(self, name: str, nanny: bool | None = None) -> Any:
        """Have a plugin of workers, or of nannies, torn down and forgotten.

        Parameters
        ----------
        name : str
            What it is called.
        nanny : bool, optional
            Whether it is one of nannies.

        Returns
        -------
        dict
            ``{"status": "OK"}`` by worker address.

        Raises
        ------
        ValueError
            If there is none of that name.
        Exception
            Whatever its teardown raises somewhere; it is gone nevertheless.

        Examples
        --------
        >>> client.register_plugin(WorkerPlugin(), name="mine")
        {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
        >>> client.unregister_worker_plugin("mine")
        {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
        """
        kind = pb.PLUGIN_KIND_NANNY if nanny else pb.PLUGIN_KIND_WORKER
        return self._call(_unregister(self._session, pb.UnregisterPluginRequest(kind=kind, name=name)))

    def unregister_scheduler_plugin(self, name: str) -> Any:
        """Have a plugin of the scheduler closed and forgotten.

        Parameters
        ----------
        name : str
            What it is called.

        Raises
        ------
        ValueError
            If there is none of that name.

        Examples
        --------
        >>> client.register_plugin(SchedulerPlugin(), name="mine")
        >>> client.unregister_scheduler_plugin("mine")
        """
        request = pb.UnregisterPluginRequest(kind=pb.PLUGIN_KIND_SCHEDULER, name=name)
        return self._call(_unregister(self._session, request))

    def register_worker_callbacks(self, setup: Callable[..., Any] | None = None) -> Any:
        """Have a function called on all workers, those that are there and those to come.

        Parameters
        ----------
        setup : callable
            A function or coroutine function. If it has a parameter ``dask_worker``, that gets the worker.

        Examples
        --------
        >>> def prepare(dask_worker):
        ...     dask_worker.prepared = True
        >>> client.register_worker_callbacks(prepare)
        {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
        >>> client.submit(lambda: get_worker().prepared).result()
        True
        """
        return self.register_plugin(_SetupFunction(setup))


class _SetupFunction(WorkerPlugin):
    """Calls a function when a worker gets it."""

    def __init__(self, function: Callable[..., Any] | None) -> None:
        if function is not None and not callable(function):
            raise TypeError(f"setup must be a function, not {function!r}")
        self._function = function

    def setup(self, worker: Any) -> Any:
        if self._function is None:
            return None
        try:
            takes_worker = "dask_worker" in inspect.signature(self._function).parameters
        except (TypeError, ValueError):  # some built-in functions have no signature
            takes_worker = False
        return self._function(dask_worker=worker) if takes_worker else self._function()


def _kind_of(plugin: Any) -> pb.PluginKind:
    """Return where a plugin belongs.

    Raises
    ------
    TypeError
        If it is none.
    """
    for base, kind in _KINDS.items():
        if isinstance(plugin, base):
            return kind
    raise TypeError(
        f"{plugin!r} is no plugin: derive its class from dagrpc.WorkerPlugin, dagrpc.NannyPlugin or "
        "dagrpc.SchedulerPlugin"
    )


def _payload(plugin: Any, name: str) -> common_pb2.Payload:
    payload = payloads.to_payload(plugin)
    size, limit = len(payload.data), CONTROL_MESSAGE_LIMIT - _ROOM
    if size > limit:
        raise ValueError(
            f"Plugin {name!r} takes {size:,} bytes as a pickle, and {limit:,} is the most that can be sent: let it "
            "fetch what is large by itself"
        )
    return payload


def _service(session: ClientSession) -> ServiceClient:
    session.check_open()
    assert session.scheduler is not None
    return ServiceClient(session.scheduler.channel, PLUGIN_SERVICE, session.scheduler.peer)


async def _register(session: ClientSession, request: pb.RegisterPluginRequest) -> dict[str, dict[str, str]] | None:
    response = await _service(session).call("RegisterPlugin", request, pb.RegisterPluginResponse, timeout=None)
    return _outcome(request.kind, response)


async def _register_all(
    session: ClientSession, requests: Sequence[pb.RegisterPluginRequest]
) -> dict[str, dict[str, str]] | None:
    """Register plugins one after the other; one for a scheduler that runs no user code may be left out of several."""
    found: dict[str, dict[str, str]] | None = None
    refused = 0
    for request in requests:
        try:
            outcome = await _register(session, request)
        except CodeNotAllowedError:
            refused += 1
            if refused == len(requests):
                raise
            logger.info("Plugin %s is not set up on the scheduler, which runs no user code", request.name)
        else:
            found = outcome if found is None else {**found, **(outcome or {})}
    return found


async def _unregister(session: ClientSession, request: pb.UnregisterPluginRequest) -> dict[str, dict[str, str]] | None:
    response = await _service(session).call("UnregisterPlugin", request, pb.UnregisterPluginResponse, timeout=None)
    return _outcome(request.kind, response)


def _outcome(
    kind: int, response: pb.RegisterPluginResponse | pb.UnregisterPluginResponse
) -> dict[str, dict[str, str]] | None:
    """Return what came of a plugin on each worker, or raise what the first one raised."""
    for result in response.results:
        result_of(result)
    if kind == pb.PLUGIN_KIND_SCHEDULER:
        return None
    return {result.worker: {"status": "OK"} for result in response.results}
