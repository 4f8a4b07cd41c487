"""Plugins under distributed's module name."""

from __future__ import annotations

from typing import Any

from dagrpc import plugins


def __getattr__(name: str) -> Any:
    try:
        return getattr(plugins, name)
    except AttributeError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
