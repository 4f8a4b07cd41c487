"""dagrpc under the name `distributed`, for libraries that import distributed.

The names are looked up when they are first used: every process imports this package, and few install anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagrpc.compat.installation import install_as_distributed, uninstall_as_distributed

__all__ = ["install_as_distributed", "uninstall_as_distributed"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dagrpc.compat import installation

    return getattr(installation, name)
