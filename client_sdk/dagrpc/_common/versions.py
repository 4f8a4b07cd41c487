"""The versions of the software of this process, for handshakes."""

from __future__ import annotations

import os
import platform
import re
import struct
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

PROTOCOL_MIN = 1
"""The lowest protocol revision that this version speaks."""
PROTOCOL_MAX = 1
"""The highest protocol revision that this version speaks."""


@cache
def installed_version(package: str) -> str:
    """Return the version of an installed package, or an empty string."""
    found = _version_of_directory(package)
    if found:
        return found
    # For packages that are installed in another way. The module imports a parser of mails, for 10 ms of a start.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _version_of_directory(package: str) -> str:
    """Return the version in the name of the first directory with a package's metadata, or an empty string.

    Examples
    --------
    >>> _version_of_directory("dask")[:2], _version_of_directory("is-not-there")
    ('20', '')
    """
    name = re.sub(r"[-_.]+", "_", package)
    wanted = re.compile(rf"{name}-([^-]+)\.dist-info", re.IGNORECASE)
    for entry in sys.path:
        try:
            files = os.listdir(entry or ".")
        except OSError:
            continue
        for match in filter(None, map(wanted.fullmatch, files)):
            return str(match[1])
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


PACKAGES = (
    "python",
    "dask",
    "dagrpc",
    "grpcio",
    "protobuf",
    "cloudpickle",
    "toolz",
    "numpy",
    "pandas",
    "pyarrow",
    "lz4",
)
"""Packages that matter to tasks that travel between processes."""


def host_facts() -> dict[str, str]:
    """Return facts about the machine and the interpreter."""
    return {
        "python": _python(),
        "python-bits": str(8 * struct.calcsize("P")),
        "OS": platform.system(),
        "OS-release": platform.release(),
        "machine": platform.machine(),
        "processor": platform.processor(),
        "byteorder": sys.byteorder,
        "LC_ALL": os.environ.get("LC_ALL", "None"),
        "LANG": os.environ.get("LANG", "None"),
    }


def package_versions(others: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of packages by name, `others` included; empty for packages that are not installed."""
    found = {name: _python() if name == "python" else installed_version(name) for name in PACKAGES}
    found.update((name, installed_version(name)) for name in others)
    return found


def _python() -> str:
    return ".".join(map(str, sys.version_info))


def differences(versions: Mapping[str, Mapping[str, str | None]]) -> dict[str, dict[str, str | None]]:
    """Return the packages whose versions differ between processes: by package and process.

    Examples
    --------
    >>> differences({"client": {"numpy": "2.0"}, "scheduler": {"numpy": "1.26"}})
    {'numpy': {'client': '2.0', 'scheduler': '1.26'}}
    """
    names = dict.fromkeys(name for packages in versions.values() for name in packages)
    by_package = {name: {who: packages.get(name) for who, packages in versions.items()} for name in names}
    return {name: found for name, found in by_package.items() if len(set(found.values())) > 1}


def mismatch_message(found: Mapping[str, Mapping[str, str | None]]) -> str:
    """Return the differing versions as a table."""
    lines = ["Mismatched versions found"]
    for name, by_process in found.items():
        lines.append(f"  {name}: " + ", ".join(f"{who} {version or 'none'}" for who, version in by_process.items()))
    return "\n".join(lines)
