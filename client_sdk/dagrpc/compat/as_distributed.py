"""Whether this process is to be one in which dagrpc is installed as `distributed`."""

from __future__ import annotations

import os
import sys

VARIABLE = "DAGRPC_INSTALL_AS_DISTRIBUTED"
"""Set in the environment, so that the workers which this process starts do the same."""


def is_asked() -> bool:
    """Tell whether dagrpc is to be `distributed`, or is already."""
    return os.environ.get(VARIABLE) == "1"


def install_if_asked() -> None:
    """Install dagrpc as `distributed` if the environment says so. For services, at their start."""
    if is_asked() and "distributed" not in sys.modules:
        # Not above: most processes never need it, and every import makes a cluster start later.
        from dagrpc.compat.install import install_as_distributed

        install_as_distributed()
