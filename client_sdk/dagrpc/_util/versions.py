"""Which software this process runs, for the handshakes."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PROTOCOL_MIN = 1
"""The lowest protocol revision that this version speaks."""
PROTOCOL_MAX = 1
"""The highest one."""


@cache
def installed_version(package: str) -> str:
    """Return the version of an installed package, or an empty string."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


@cache
def own_versions() -> dict[str, Any]:
    """Return the fields of a `Versions` message for this process."""
    return {
        "dagrpc": installed_version("dagrpc"),
        "python": platform.python_version(),
        "dask": installed_version("dask"),
        "protocol_min": PROTOCOL_MIN,
        "protocol_max": PROTOCOL_MAX,
    }
