"""dagrpc under the name `distributed`, for libraries that import distributed."""

from __future__ import annotations

from dagrpc.compat.install import install_as_distributed, uninstall_as_distributed

__all__ = ["install_as_distributed", "uninstall_as_distributed"]
