"""Plugins: objects with code that the scheduler, workers and nannies keep; files for all workers."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from dagrpc._client.client_core import HasCore
from dagrpc._client.client_session import ClientSession
from dagrpc._client.services import scheduler_service
from dagrpc._codec import payload as payloads
from dagrpc._codec.calls import result_of
from dagrpc._rpc.grpc_options import CONTROL_MESSAGE_LIMIT
from dagrpc.exceptions import CodeNotAllowedError
from dagrpc.plugins.base import NannyPlugin, SchedulerPlugin, WorkerPlugin, plugin_name
from dagrpc.v1 import common_pb2
from dagrpc.v1 import plugin_service_pb2 as pb

logger = logging.getLogger("dagrpc.client")

_PLUGIN_SERVICE = pb.DESCRIPTOR.services_by_name["PluginService"]
_KINDS: dict[type, pb.PluginKind] = {
    NannyPlugin: pb.PLUGIN_KIND_NANNY,
    WorkerPlugin: pb.PLUGIN_KIND_WORKER,
    SchedulerPlugin: pb.PLUGIN_KIND_SCHEDULER,
}
_OVERHEAD = 2**16
"""Bytes of a message besides the plugin itself."""


def register_plugin(self: HasCore, plugin: Any, name: str | None = None) -> Any:
    """Set up a plugin in all processes of its kind, including processes that start later.

    A registered plugin of the same name is torn down and replaced. If the new plugin is `idempotent`, the registered
    plugin is kept instead.

    Parameters
    ----------
    plugin : WorkerPlugin, NannyPlugin or SchedulerPlugin
        The plugin, which is pickled. A `SchedulerPlugin` needs a scheduler that runs code of clients.
    name : str, optional
        Name of the plugin; by default its attribute ``name``, else a new name.

    Returns
    -------
    dict
        ``{"status": "OK"}`` by worker address; empty if a registered plugin was kept. None for a `SchedulerPlugin`.

    Raises
    ------
    TypeError
        If `plugin` is not an instance of one of these classes.
    CodeNotAllowedError
        If the plugin is a `SchedulerPlugin` and the scheduler does not run code of clients.
    Exception
        The first exception of a ``setup``. The plugin stays registered all the same, except for a `SchedulerPlugin`.

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
    return _register(self, plugin.parts() if hasattr(plugin, "parts") else [plugin], plugin, name)


def _register(self: HasCore, parts: Sequence[Any], plugin: Any, name: str | None) -> Any:
    """Register the parts of a plugin, usually the plugin alone."""
    name = name or plugin_name(plugin)
    idempotent = bool(getattr(plugin, "idempotent", False))
    requests = [
        pb.RegisterPluginRequest(kind=_kind_of(part), name=name, plugin=_payload(part, name), idempotent=idempotent)
        for part in parts
    ]
    return self._core.call(_register_all(self._core.session, requests))


def upload_file(self: HasCore, filename: str | os.PathLike[str], load: bool = True) -> Any:
    """Send a file to all workers, including later ones, and to the scheduler if it runs code of clients.

    Files ``.py``, ``.egg`` and ``.zip`` are made importable. Other files are written to the local directory of each
    worker. A file of the same name is replaced.

    Parameters
    ----------
    filename : str or path
        The file.
    load : bool
        Whether to import the file immediately, again if it was imported before.

    Returns
    -------
    dict
        ``{"status": "OK"}`` by worker address.

    Raises
    ------
    OSError
        If the file cannot be read.
    Exception
        The exception of the import.

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
    return _register(self, [SchedulerUploadFile(filename, load), upload], upload, None)


def register_worker_plugin(
    self: HasCore, plugin: Any = None, name: str | None = None, nanny: bool | None = None
) -> Any:
    """Register a plugin as `register_plugin` does, for programs written for older versions of distributed.

    Parameters
    ----------
    plugin, name
        As for `register_plugin`.
    nanny : bool, optional
        Whether the plugin is a `NannyPlugin`, which is checked.

    Examples
    --------
    >>> client.register_worker_plugin(WorkerPlugin(), name="mine")
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    >>> client.unregister_worker_plugin("mine")
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    """
    if nanny is not None and nanny is not isinstance(plugin, NannyPlugin):
        raise TypeError(f"nanny={nanny} does not fit {plugin!r}: derive it from {'Nanny' if nanny else 'Worker'}Plugin")
    return register_plugin(self, plugin, name=name)


def register_scheduler_plugin(
    self: HasCore, plugin: Any, name: str | None = None, idempotent: bool | None = None
) -> Any:
    """Register a plugin as `register_plugin` does, for programs written for older versions of distributed.

    Parameters
    ----------
    plugin, name
        As for `register_plugin`.
    idempotent : bool, optional
        Sets the attribute ``idempotent`` of the plugin.

    Examples
    --------
    >>> client.register_scheduler_plugin(SchedulerPlugin(), name="mine")
    >>> client.unregister_scheduler_plugin("mine")
    """
    if idempotent is not None:
        plugin.idempotent = idempotent
    return register_plugin(self, plugin, name=name)


def unregister_worker_plugin(self: HasCore, name: str, nanny: bool | None = None) -> Any:
    """Tear down a plugin of workers or nannies, and forget the plugin.

    Parameters
    ----------
    name : str
        Name of the plugin.
    nanny : bool, optional
        Whether the plugin is a `NannyPlugin`.

    Returns
    -------
    dict
        ``{"status": "OK"}`` by worker address.

    Raises
    ------
    ValueError
        If there is no plugin of that name.
    Exception
        The first exception of a ``teardown``. The plugin is forgotten all the same.

    Examples
    --------
    >>> client.register_plugin(WorkerPlugin(), name="mine")
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    >>> client.unregister_worker_plugin("mine")
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    """
    kind = pb.PLUGIN_KIND_NANNY if nanny else pb.PLUGIN_KIND_WORKER
    return self._core.call(_unregister(self._core.session, pb.UnregisterPluginRequest(kind=kind, name=name)))


def unregister_scheduler_plugin(self: HasCore, name: str) -> Any:
    """Close a plugin of the scheduler, and forget the plugin.

    Parameters
    ----------
    name : str
        Name of the plugin.

    Raises
    ------
    ValueError
        If there is no plugin of that name.

    Examples
    --------
    >>> client.register_plugin(SchedulerPlugin(), name="mine")
    >>> client.unregister_scheduler_plugin("mine")
    """
    request = pb.UnregisterPluginRequest(kind=pb.PLUGIN_KIND_SCHEDULER, name=name)
    return self._core.call(_unregister(self._core.session, request))


def register_worker_callbacks(self: HasCore, setup: Callable[..., Any] | None = None) -> Any:
    """Call a function on all workers, including workers that join later.

    Parameters
    ----------
    setup : callable
        A function or coroutine function. A parameter ``dask_worker`` receives the worker.

    Examples
    --------
    >>> def prepare(dask_worker):
    ...     dask_worker.prepared = True
    >>> client.register_worker_callbacks(prepare)
    {'127.0.0.1:...': {'status': 'OK'}, '127.0.0.1:...': {'status': 'OK'}}
    >>> client.submit(lambda: get_worker().prepared).result()
    True
    """
    return register_plugin(self, _SetupFunction(setup))


class _SetupFunction(WorkerPlugin):
    """Calls a function when the plugin is set up."""

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
    """Return the kind of process that a plugin is for.

    Raises
    ------
    TypeError
        If the object is not a plugin.
    """
    for base, kind in _KINDS.items():
        if isinstance(plugin, base):
            return kind
    raise TypeError(
        f"{plugin!r} is not a plugin: derive its class from dagrpc.WorkerPlugin, dagrpc.NannyPlugin or "
        "dagrpc.SchedulerPlugin"
    )


def _payload(plugin: Any, name: str) -> common_pb2.Payload:
    payload = payloads.to_payload(plugin)
    size, limit = len(payload.data), CONTROL_MESSAGE_LIMIT - _OVERHEAD
    if size > limit:
        raise ValueError(
            f"Plugin {name!r} takes {size:,} bytes as a pickle, and {limit:,} is the most that can be sent: let it "
            "fetch large data by itself"
        )
    return payload


async def _register_one(session: ClientSession, request: pb.RegisterPluginRequest) -> dict[str, dict[str, str]] | None:
    service = scheduler_service(session, _PLUGIN_SERVICE)
    response = await service.call("RegisterPlugin", request, pb.RegisterPluginResponse, timeout=None)
    return _outcome(request.kind, response)


async def _register_all(
    session: ClientSession, requests: Sequence[pb.RegisterPluginRequest]
) -> dict[str, dict[str, str]] | None:
    """Register the parts of a plugin. A part for a scheduler that runs no code of clients is left out."""
    found: dict[str, dict[str, str]] | None = None
    refused = 0
    for request in requests:
        try:
            outcome = await _register_one(session, request)
        except CodeNotAllowedError:
            refused += 1
            if refused == len(requests):
                raise
            logger.info("Plugin %s is not set up on the scheduler, which runs no code of clients", request.name)
        else:
            found = outcome if found is None else {**found, **(outcome or {})}
    return found


async def _unregister(session: ClientSession, request: pb.UnregisterPluginRequest) -> dict[str, dict[str, str]] | None:
    service = scheduler_service(session, _PLUGIN_SERVICE)
    response = await service.call("UnregisterPlugin", request, pb.UnregisterPluginResponse, timeout=None)
    return _outcome(request.kind, response)


def _outcome(
    kind: int, response: pb.RegisterPluginResponse | pb.UnregisterPluginResponse
) -> dict[str, dict[str, str]] | None:
    """Return the outcome on each worker, or raise the first exception."""
    for result in response.results:
        result_of(result)
    if kind == pb.PLUGIN_KIND_SCHEDULER:
        return None
    return {result.worker: {"status": "OK"} for result in response.results}
