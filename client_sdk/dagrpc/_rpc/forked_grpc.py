"""gRPC in a process that was forked from one that uses gRPC.

gRPC's core does not survive a fork: the child has its memory, but not its threads. The core is one extension module
that shares no state with other modules. So a child that needs gRPC loads another copy of the module, which starts
threads of its own, and binds the Python part of gRPC to it. The child neither uses nor releases the parent's core,
whose locks may stay locked for ever.
"""

from __future__ import annotations

import gc
import importlib.machinery
import importlib.util
import os
import shutil
import sys
import tempfile
from types import ModuleType
from typing import Any, Final

_CORE: Final = "grpc._cython.cygrpc"
_COPIED: Final = 1 << 20
"""Bytes that are copied at a time."""

_kept: list[Any] = []
"""Objects of the parent, which must not be released in this process."""
_file = ""
"""The file that the core was first loaded from; copies have other names."""


def renew_grpc() -> None:
    """Make this process use its own copy of gRPC's core. Called before anything else uses gRPC in the process.

    Raises
    ------
    OSError
        If the file cannot be copied.
    ImportError
        If the copy cannot be loaded.
    """
    global _file
    old = sys.modules.get(_CORE)
    if old is None:
        return
    _file = _file or str(old.__file__)
    keep(old, *(found for found in gc.get_objects() if str(type(found).__module__).startswith("grpc.")))
    _rebind(old, _load(_copy(_file)))


def keep(*parents: Any) -> None:
    """Keep objects of the parent from being released in this process."""
    _kept.extend(parents)


def _copy(path: str) -> str:
    """Return the name of a new file with the same content, under which no module is loaded."""
    with open(path, "rb") as source:
        if hasattr(os, "memfd_create"):
            # Stays open, so that the copy of a child of this process gets another name.
            memory = os.memfd_create("grpc-of-dagrpc")
            with open(memory, "wb", closefd=False) as target:
                shutil.copyfileobj(source, target, _COPIED)
            return f"/proc/self/fd/{memory}"
        with tempfile.NamedTemporaryFile(prefix="grpc-of-dagrpc-", suffix=".so", delete=False) as file:
            shutil.copyfileobj(source, file, _COPIED)
            return file.name


def _load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        _CORE, path, loader=importlib.machinery.ExtensionFileLoader(_CORE, path)
    )
    assert spec is not None
    assert spec.loader is not None
    new = importlib.util.module_from_spec(spec)
    sys.modules[_CORE] = new
    try:
        spec.loader.exec_module(new)
    finally:
        if not path.startswith("/proc/"):
            os.unlink(path)
    return new


def _rebind(old: ModuleType, new: ModuleType) -> None:
    """Replace objects of one core by the same objects of another core in all modules of gRPC."""
    names = {
        id(value): name
        for name, value in vars(old).items()
        if str(getattr(value, "__module__", "")).startswith("grpc.") and hasattr(new, name)
    }
    names[id(old)] = ""
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] != "grpc" or module is old or module is new:
            continue
        for name, value in list(vars(module).items()):
            origin = names.get(id(value))
            if origin is not None:
                setattr(module, name, getattr(new, origin) if origin else new)
