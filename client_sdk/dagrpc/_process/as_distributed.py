"""Installs dagrpc as `distributed` in processes whose environment asks for it."""

from __future__ import annotations

import os
import sys

VARIABLE = "DAGRPC_INSTALL_AS_DISTRIBUTED"
"""Environment variable that workers of this process inherit."""


def is_asked() -> bool:
    """Return whether dagrpc is `distributed` in this process, or will be."""
    return os.environ.get(VARIABLE) == "1"


def install_if_asked() -> None:
    """Install dagrpc as `distributed` if the environment asks for it. Services call this at their start."""
    if is_asked() and "distributed" not in sys.modules:
        # Most processes never need this import, and each import delays the start of a cluster.
        from dagrpc.compat.installation import install_as_distributed

        install_as_distributed()
