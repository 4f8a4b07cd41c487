"""Provides the modules of `distributed.shuffle` from which dask imports parts of its graphs.

Where `distributed` is not installed, these modules are provided and no others: ``import distributed`` fails as before.
Where it is installed, dask uses its parts, and `dagrpc.shuffle.graph` replaces them by dagrpc's.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from dagrpc._process.fork_locks import free_in_children

_MODULES: Final = ("shuffle", "shuffle._arrow", "shuffle._core", "shuffle._merge", "shuffle._shuffle")
"""Modules of `distributed` that dask imports, and that dagrpc has under the same names."""


class _Preferred(str):
    """The shuffle method that is the default while there is a client."""

    __slots__ = ()


PREFERRED: Final = _Preferred("p2p")
"""Settings of dask while a client is the default, unless the user has set them."""


class _Provided(ModuleType):
    """A module of `distributed` with the names that dask needs, which are imported when they are used."""

    def __init__(self, path: str) -> None:
        name = f"distributed.{path}"
        super().__init__(name, f"`dagrpc.{path}`, for dask.")
        self.__spec__ = ModuleSpec(name, None, is_package=path == "shuffle")
        self.__path__: list[str] = []
        self._source = f"dagrpc.{path}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(importlib.import_module(self._source), name)
        setattr(self, name, value)
        return value


_TASKS: Final = _Preferred("tasks")
_lock = free_in_children(threading.Lock())


def provide() -> bool:
    """Provide the modules unless `distributed` is installed; return whether dask finds dagrpc's modules."""
    with _lock:
        if isinstance(sys.modules.get("distributed.shuffle"), _Provided) or _stands_in():
            return True
        if is_installed():
            return False
        for path in _MODULES:
            sys.modules[f"distributed.{path}"] = _Provided(path)
        return True


def _stands_in() -> bool:
    """Return whether dagrpc is installed as `distributed`."""
    install = sys.modules.get("dagrpc.compat.installation")
    return install is not None and install.is_installed()


def is_installed() -> bool:
    """Return whether `distributed` can be imported."""
    if "distributed" in sys.modules:
        return True
    try:
        return importlib.util.find_spec("distributed") is not None
    except (ImportError, ValueError):
        return False


def default_shuffle_method() -> str:
    """Return the default shuffle method on a cluster: p2p where Arrow is installed."""
    return PREFERRED if importlib.util.find_spec("pyarrow") is not None else _TASKS
