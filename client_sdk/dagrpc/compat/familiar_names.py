"""Names of dagrpc in distributed's modules: ``dagrpc.utils``, ``dagrpc.client.wait``.

The table `dagrpc.compat.names` has all of them; it is read when a name is used.
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
"""Names of functions of ``dagrpc`` that modules of these names would hide."""


class Finder:
    """An import hook for modules of `distributed` below ``dagrpc`` that are no files."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module; None if dagrpc has none."""
        name = fullname.removeprefix(_PREFIX)
        if name is fullname or name.startswith(("compat.", "_", "v1.")) or name in _NOT_MODULES:
            return None
        from dagrpc.compat.modules import PACKAGE, Loader
        from dagrpc.compat.names import MODULES

        loader: Any = Loader(f"{PACKAGE}.{name}")
        return ModuleSpec(fullname, loader, is_package=True) if name in MODULES else None


def install() -> None:
    """Install the hook, after the search for files."""
    sys.meta_path.append(Finder())


def lookup(module: str, own: Callable[[str], Any] | None = None) -> Callable[[str], Any]:
    """Return a ``__getattr__`` that adds distributed's names to a module of dagrpc.

    `module` is the name without ``dagrpc.``; `own` is the module's own ``__getattr__``, which is asked first.
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
