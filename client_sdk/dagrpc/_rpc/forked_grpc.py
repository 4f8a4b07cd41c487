"""gRPC anew, in a process that was forked from one that uses it.

gRPC's core does not survive a fork: the child has its memory, and none of its threads. But the core is one file, which
shares nothing with anything else. So a child that needs gRPC loads another copy of that file, whose memory is new and
whose threads start there, and has the Python part of gRPC use it. Nothing of the parent's core is used or released in
the child: some of its locks may never be free again.
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
"""How many bytes are copied at a time."""

_kept: list[Any] = []
"""What belongs to the parent, and must not be released here."""
_file = ""
"""Where the core was loaded from first; its copies have other names."""


def renew_grpc() -> None:
    """Have this process use a copy of gRPC's core of its own. To be called before anything else uses gRPC in it.

    Raises
    ------
    OSError
        If there can be no copy.
    ImportError
        If it cannot be loaded.
    """
    global _file
    old = sys.modules.get(_CORE)
    if old is None:
        return
    _file = _file or str(old.__file__)
    keep(old, *(found for found in gc.get_objects() if str(type(found).__module__).startswith("grpc.")))
    _rebind(old, _load(_copy(_file)))


def keep(*parents: Any) -> None:
    """Have objects of the parent's not be released in this process."""
    _kept.extend(parents)


def _copy(path: str) -> str:
    """Return the name of a file with the same content, which is no file that is loaded already."""
    with open(path, "rb") as source:
        if hasattr(os, "memfd_create"):
            # Stays open: a copy that a child of this process makes must not get the same name.
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
    """Have all modules of gRPC's that took something from one core have the same of another."""
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
