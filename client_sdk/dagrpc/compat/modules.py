"""Makes the modules of `distributed`, which import their names when they are first used."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from dagrpc.compat.names import MODULES, VERSION, names_of

PACKAGE = "dagrpc.compat.distributed"
"""Package of the modules whether or not dagrpc is installed as `distributed`; pickles have this name."""


class CompatModule(ModuleType):
    """A module of `distributed`."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{PACKAGE}.{path}" if path else PACKAGE)
        self.__doc__ = f"`{f'distributed.{path}' if path else 'distributed'}` as dagrpc has it."
        self._path = path
        self._names = names_of(path)
        if not path:
            self.__version__ = VERSION
        if not path or any(other.startswith(f"{path}.") for other in MODULES):
            # A module without `__path__` has no submodules.
            self.__path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        if name == "__all__":
            return [word for word in self.__dir__() if not word.startswith("_")]
        value = self._find(name)
        if value is not _ABSENT:
            setattr(self, name, value)
            return value
        raise AttributeError(
            f"dagrpc has no {name!r} for {'.'.join(filter(None, ('distributed', self._path)))}; "
            "docs/compatibility.md says what is left out"
        )

    def _find(self, name: str) -> Any:
        origin = self._names.get(name) or (("dagrpc", name) if not self._path else None)
        if origin is not None and (self._path or not name.startswith("_")):
            try:
                source = importlib.import_module(origin[0])
                return getattr(source, origin[1]) if origin[1] else source
            except (AttributeError, ImportError):
                pass
        path = f"{self._path}.{name}" if self._path else name
        return importlib.import_module(f"{PACKAGE}.{path}") if target_of(path) else _ABSENT

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module, (self.__name__,)

    def __dir__(self) -> list[str]:
        if self._path:
            return sorted(name for name in self._names if self._find(name) is not _ABSENT)
        return sorted({*importlib.import_module("dagrpc").__all__, "config"})


_ABSENT: Any = object()


def target_of(path: str) -> str | None:
    """Return the module for a name without ``distributed.``: one of `names`, dagrpc's of the same name, or None."""
    if path in MODULES:
        return f"{PACKAGE}.{path}"
    if path.startswith("_") or path.partition(".")[0] in ("compat", "v1", "cli"):
        return None
    name = f"dagrpc.{path}"
    if name in sys.modules:
        return name
    try:
        return name if importlib.util.find_spec(name) is not None else None
    except ImportError:
        return None


class Finder:
    """An import hook for the modules of `distributed` below a root, such as ``distributed``."""

    def __init__(self, root: str) -> None:
        self.root = root

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module; None if it is none of `distributed`, or dagrpc has none like it."""
        if fullname != self.root and not fullname.startswith(f"{self.root}."):
            return None
        found = target_of(fullname[len(self.root) + 1 :]) if fullname != self.root else PACKAGE
        if found is None:
            return None
        loader: Any = Loader(found)
        return ModuleSpec(fullname, loader, is_package=True)


class Loader:
    """Loads a module under a second name; `name` is its own name. `importlib.abc.Loader` takes long to import."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module."""
        if self._name != PACKAGE and self._name.startswith(f"{PACKAGE}."):
            module = sys.modules.get(self._name)
            if module is None:
                module = sys.modules[self._name] = CompatModule(self._name[len(PACKAGE) + 1 :])
        else:
            module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Restore the module's spec under its own name."""
        assert module.__spec__ is not None
        alias, own = module.__spec__.name, f"{self._name}."
        for name, submodule in list(sys.modules.items()):
            if name.startswith(own):
                sys.modules.setdefault(f"{alias}.{name[len(own) :]}", submodule)
        if self._spec is not None:
            module.__spec__ = self._spec
