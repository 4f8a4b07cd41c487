"""Which client is the current one: a context's, or the last that was made the default."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import dask.config

if TYPE_CHECKING:
    from dagrpc._client.connection import Connection

_lock = threading.RLock()
_defaults: list[Connection] = []
"""Clients that were made the default and are not closed, the latest last."""
_context: ContextVar[Connection | None] = ContextVar("dagrpc_client", default=None)

_SCHEDULER = "scheduler"
_SHUFFLE = "dataframe.shuffle.method"
_absent: Any = object()
_former: dict[str, Any] = {}
"""Settings of dask as they were before there was a default client."""


def current_client(allow_global: bool = True) -> Connection | None:
    """Return the context's client, else the default one; None if there is neither."""
    client = _context.get()
    if client is not None and client.status not in ("closing", "closed"):
        return client
    if allow_global:
        with _lock:
            if _defaults:
                return _defaults[-1]
    return None


def add_default(client: Connection) -> None:
    """Make a client the default one, for dagrpc and for dask."""
    with _lock:
        if not _defaults:
            for name in (_SCHEDULER, _SHUFFLE):
                _former[name] = dask.config.get(name, _absent)
        _defaults.append(client)
        dask.config.set({_SCHEDULER: client})
        if _former[_SHUFFLE] in (_absent, None):
            # dask knows two ways to shuffle between workers without a disk that all can see; the other one needs
            # distributed itself.
            dask.config.set({_SHUFFLE: "tasks"})


def remove_default(client: Connection) -> None:
    """Have the client that was the default before be it again."""
    with _lock:
        if client not in _defaults:
            return
        _defaults.remove(client)
        if dask.config.get(_SCHEDULER, None) is client:
            if _defaults:
                dask.config.set({_SCHEDULER: _defaults[-1]})
            else:
                _restore(_SCHEDULER)
        if not _defaults:
            if dask.config.get(_SHUFFLE, None) == "tasks":
                _restore(_SHUFFLE)
            _former.clear()


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
def as_current(client: Connection) -> Iterator[None]:
    """Make a client the current one within a block, in this thread or task."""
    token = _context.set(client)
    try:
        yield
    finally:
        _context.reset(token)
