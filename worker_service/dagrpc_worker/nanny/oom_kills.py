"""Evidence that the kernel killed a process because memory was short: the kernel does not report it, but counts."""

from __future__ import annotations

import re
from pathlib import Path

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_CGROUPS = Path("/sys/fs/cgroup")


class OomCounters:
    """The counters of out-of-memory kills for a process: those of its control groups and of the machine."""

    def __init__(self, pid: int) -> None:
        self._files = {file: what for file, what in _counters(pid).items() if _read(file) is not None}
        self._before: dict[Path, int] = {}
        self.look()

    def look(self) -> None:
        """Read the counters: kills until now were of other processes."""
        self._before = {file: _read(file) or 0 for file in self._files}

    def evidence(self) -> str:
        """Return the evidence of an out-of-memory kill since `look`; empty: none."""
        for file, what in self._files.items():
            if (_read(file) or 0) > self._before[file]:
                return f"{what} has counted such a kill just then"
        return ""


def _counters(pid: int) -> dict[Path, str]:
    """Return the files of counters, the most specific first, with descriptions of their scopes."""
    found: dict[Path, str] = {}
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        groups = []
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found[_CGROUPS / path.lstrip("/") / "memory.events"] = "its control group"
            # Inside a container, the container's control group may appear as the root.
            found.setdefault(_CGROUPS / "memory.events", "its control group")
        elif "memory" in controllers.split(","):
            found[_CGROUPS / "memory" / path.lstrip("/") / "memory.oom_control"] = "its control group"
            found.setdefault(_CGROUPS / "memory" / "memory.oom_control", "its control group")
    found[Path("/proc/vmstat")] = "the machine's kernel"
    return found


def _read(file: Path) -> int | None:
    try:
        match = _COUNT.search(file.read_text())
    except OSError:
        return None
    return int(match[1]) if match else None
