"""The current client: that of the context, of the running task, or the default client."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import dask.config

from dagrpc._common import running_task
from dagrpc._process.fork_locks import free_in_children
from dagrpc.shuffle import hooks

_lock = free_in_children(threading.RLock())
_defaults: list[Any] = []
"""Clients that were made the default client and are not closed, the latest last."""
_context: ContextVar[Any] = ContextVar("dagrpc_client", default=None)

_SCHEDULER = "scheduler"
_NAMES = ("distributed", "dask.distributed")
_SHUFFLE = "dataframe.shuffle.method"
_RECHUNK = "array.rechunk.method"
_absent: Any = object()
_former: dict[str, Any] = {}
"""Settings of dask from before the first default client."""


def current_client(allow_global: bool = True) -> Any:
    """Return the context's client, else the running task's, else the default client; None if there is none."""
    client = _context.get()
    if client is not None and client.status not in ("closing", "closed"):
        return client
    if not allow_global:
        return None
    task = running_task.current.get()
    if task is None:
        with _lock:
            if _defaults:
                return _defaults[-1]
    return task_client()


def task_client() -> Any:
    """Return the client of the worker that runs the calling code; None outside of workers."""
    worker = running_task.any_worker()
    return None if worker is None else worker.get_client()


def default_clients() -> list[Any]:
    """Return the clients that were made the default client and are not closed, the latest first."""
    with _lock:
        return _defaults[::-1]


def add_default(client: Any) -> None:
    """Make a client the default client of dagrpc and the default scheduler of dask."""
    with _lock:
        if not _defaults:
            for name in (_SCHEDULER, _SHUFFLE, _RECHUNK):
                _former[name] = dask.config.get(name, _absent)
        _defaults.append(client)
        _name()
        dask.config.set({_SCHEDULER: client})
        for name, method in _methods().items():
            if _former[name] in (_absent, None):
                dask.config.set({name: method})


def remove_default(client: Any) -> None:
    """Take a client out of the default clients; the default client before it takes its place."""
    with _lock:
        if client not in _defaults:
            return
        _defaults.remove(client)
        _name()
        if dask.config.get(_SCHEDULER, None) is client:
            if _defaults:
                dask.config.set({_SCHEDULER: _defaults[-1]})
            else:
                _restore(_SCHEDULER)
        if not _defaults:
            for name, method in _methods().items():
                # By identity: a user's own setting may be equal.
                if dask.config.get(name, None) is method:
                    _restore(name)
            _former.clear()


def _name() -> None:
    """Register the default client with dask for ``compute(scheduler="distributed")``."""
    from dask.base import named_schedulers

    client = next((client for client in reversed(_defaults) if not client.asynchronous), None)
    for name in _NAMES:
        if client is not None:
            # A bound method, through which dask finds the client's `persist`.
            named_schedulers[name] = client.get
        else:
            named_schedulers.pop(name, None)


def _methods() -> dict[str, str]:
    """Return dask's settings for moving data between partitions."""
    methods = {_SHUFFLE: hooks.default_shuffle_method()}
    if hooks.provide():
        # A name of dagrpc's own: where distributed is installed, dask would call distributed's function for "p2p".
        methods[_RECHUNK] = hooks.PREFERRED
    return methods


def _restore(name: str) -> None:
    former = _former.get(name, _absent)
    if former is not _absent:
        dask.config.set({name: former})
        return
    section = dask.config.config
    *path, last = name.split(".")
    for part in path:
        section = section.get(part, {})
    section.pop(last, None)


@contextlib.contextmanager
def as_current(client: Any) -> Iterator[None]:
    """Make a client the current client within a block, in this thread or asynchronous task."""
    token = _context.set(client)
    try:
        yield
    finally:
        _context.reset(token)


def ensure_default_client(client: Any) -> None:
    """Make a client the default client of dagrpc and the default scheduler of dask, if it is not.

    Parameters
    ----------
    client : Client
        The client.

    Examples
    --------
    >>> with Client(cluster.scheduler_address, set_as_default=False) as other:
    ...     ensure_default_client(other)
    ...     default_client() is other
    True
    """
    with _lock:
        if client in _defaults[:-1]:
            _defaults.remove(client)
        if client not in _defaults:
            add_default(client)


@contextlib.contextmanager
def temp_default_client(c: Any) -> Iterator[None]:
    """Make a client the default client of dagrpc and the default scheduler of dask within a block.

    Parameters
    ----------
    c : Client
        The client.

    Examples
    --------
    >>> with Client(cluster.scheduler_address, set_as_default=False) as other:
    ...     with temp_default_client(other):
    ...         dask.delayed(inc)(1).compute()  # by the other client
    2
    """
    with as_current(c), dask.config.set(scheduler=c):
        yield


# --- dask in tasks -----------------------------------------------------------------------------------------------


class TaskClientProxy:
    """Stands in dask's settings for the client of the running task. False outside of tasks."""

    def __bool__(self) -> bool:
        return running_task.any_worker() is not None

    def __repr__(self) -> str:
        return "<the client of the running task>"

    @property
    def asynchronous(self) -> bool:
        """Whether the client's operations return awaitables to the caller."""
        return bool(self._found.asynchronous)

    @property
    def get(self) -> Any:
        """The client's bound method `get`, through which dask finds the client's `persist`."""
        return self._found.get

    @property
    def _found(self) -> Any:
        client = task_client()
        if client is None:
            raise ValueError("There is no client: no task runs in this thread")
        return client


_task_client_proxy = TaskClientProxy()
_workers = 0


def begin_tasks() -> None:
    """Let dask find the client of a task, from the first worker of this process on. A user's setting stays."""
    global _workers
    with _lock:
        _workers += 1
        if dask.config.get(_SCHEDULER, None) is None:
            dask.config.set({_SCHEDULER: _task_client_proxy})
            if running_task.is_workers_own():
                for name, method in _methods().items():
                    if dask.config.get(name, None) is None:
                        dask.config.set({name: method})
        elif _former.get(_SCHEDULER, 0) in (_absent, None):
            _former[_SCHEDULER] = _task_client_proxy


def end_tasks() -> None:
    """Undo `begin_tasks`, when the last worker of this process has closed."""
    global _workers
    with _lock:
        _workers -= 1
        if _workers:
            return
        if _former.get(_SCHEDULER) is _task_client_proxy:
            _former[_SCHEDULER] = _absent
        if dask.config.get(_SCHEDULER, None) is _task_client_proxy:
            dask.config.config.pop(_SCHEDULER, None)
