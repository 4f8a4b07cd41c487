"""Decides which objects are pickled by name, to be imported by the receiver, and which by value."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import cloudpickle

_MISSING: Any = object()


def defined_here(module_name: str | None) -> bool:
    """Return whether objects of a module are pickled by value: the receiver cannot import them, or must not."""
    if module_name is None or module_name == "__main__":
        return True
    registered = cloudpickle.list_registry_pickle_by_value()
    while registered and module_name:
        if module_name in registered:
            return True
        module_name = module_name.rpartition(".")[0]
    return False


def steps_to(obj: Any) -> Iterator[tuple[Mapping[str, Any], str, Any]]:
    """Yield the lookups that lead from a module to a function or class: namespace, name and the object found."""
    name = getattr(obj, "__module__", None)
    found: Any = sys.modules.get(name, _MISSING)  # type: ignore[arg-type]
    yield sys.modules, str(name), found
    for part in obj.__qualname__.split("."):
        namespace: Mapping[str, Any] = vars(found) if isinstance(found, (ModuleType, type)) else {}
        found = namespace.get(part, _MISSING)
        yield namespace, part, found


def importable(obj: Any) -> bool:
    """Return whether a function or class is pickled by name."""
    if defined_here(getattr(obj, "__module__", None)):
        return False
    found: Any = sys.modules.get(obj.__module__)
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj
