"""How dask finds us: it imports parts of its graphs from `distributed.shuffle`, whoever runs them.

Where `distributed` is not installed these modules are provided, and nothing else of it: ``import distributed`` fails as
before. Where it is installed dask takes its parts, and `dagrpc.shuffle.graph` makes ours of them.
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
"""What dask imports: modules of `distributed` that dagrpc has by the same names."""


class _Preferred(str):
    """A shuffle method that was not asked for: it is the default while there is a client."""

    __slots__ = ()


PREFERRED: Final = _Preferred("p2p")
"""What dask's settings say while a client is the default, unless a user's say otherwise."""


class _Provided(ModuleType):
    """A module of `distributed` as far as dask needs it for its graphs. What it holds is looked up when it is used."""

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
    """Provide what dask imports, unless `distributed` is installed. Return whether dask finds our modules."""
    with _lock:
        if isinstance(sys.modules.get("distributed.shuffle"), _Provided) or _stands_in():
            return True
        if is_installed():
            return False
        for path in _MODULES:
            sys.modules[f"distributed.{path}"] = _Provided(path)
        return True


def _stands_in() -> bool:
    """Tell whether dagrpc is installed as `distributed`."""
    install = sys.modules.get("dagrpc.compat.install")
    return install is not None and install.is_installed()


def is_installed() -> bool:
    """Tell whether there is a `distributed` to import."""
    if "distributed" in sys.modules:
        return True
    try:
        return importlib.util.find_spec("distributed") is not None
    except (ImportError, ValueError):
        return False


def default_shuffle_method() -> str:
    """Return the way in which dataframes are shuffled on a cluster by default: p2p where there is Arrow."""
    return PREFERRED if importlib.util.find_spec("pyarrow") is not None else _TASKS
