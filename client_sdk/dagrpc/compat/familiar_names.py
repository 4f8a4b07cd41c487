"""Modules and names of dagrpc where users of distributed look for them: ``dagrpc.utils``, ``dagrpc.client.wait``.

All of them stand in the table `dagrpc.compat.names`, which is looked at when somebody asks for one.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_PREFIX = "dagrpc."
_NOT_MODULES = frozenset(("worker_client",))
"""What is a function of that name in ``dagrpc``, whose place a module would take."""


class Finder:
    """Finds the modules of `distributed` below ``dagrpc`` that are no files of it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to import a module, None if there is none like it."""
        name = fullname.removeprefix(_PREFIX)
        if name is fullname or name.startswith(("compat.", "_", "v1.")) or name in _NOT_MODULES:
            return None
        from dagrpc.compat.modules import PACKAGE, Loader
        from dagrpc.compat.names import MODULES

        return ModuleSpec(fullname, Loader(f"{PACKAGE}.{name}"), is_package=True) if name in MODULES else None


def install() -> None:
    """Have such modules found, after all that are files."""
    sys.meta_path.append(Finder())


def lookup(module: str, own: Callable[[str], Any] | None = None) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module of dagrpc that distributed has, too, with more in it.

    Parameters
    ----------
    module : str
        Its name without ``dagrpc.``.
    own : callable, optional
        The module's own, which is asked before.
    """

    def find(name: str) -> Any:
        if own is not None:
            try:
                return own(name)
            except AttributeError:
                pass
        if not name.startswith("__"):
            from dagrpc.compat.names import names_of

            origin = names_of(module).get(name)
            if origin is not None:
                source = importlib.import_module(origin[0])
                return getattr(source, origin[1]) if origin[1] else source
        raise AttributeError(f"module 'dagrpc.{module}' has no attribute {name!r}")

    return find
