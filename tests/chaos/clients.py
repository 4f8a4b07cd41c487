"""The runner's view of the clients: processes that may be killed, and the journals of their work."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.cluster import Program

BOUND = 240.0
"""Seconds that a workload may take under any fault; a workload that takes longer counts as hanging."""


class Statistics:
    """Counts the work that the clients of a run did."""

    def __init__(self) -> None:
        self.tasks = 0
        self.workloads: Counter[str] = Counter()
        self.made_again: Counter[str] = Counter()
        self.slowest = 0.0
        """Seconds that the slowest workload took."""


class ClientHost:
    """Runs one client in a process of its own, and starts another process when that one is killed.

    Parameters
    ----------
    number : int
        The client's number.
    seed : int
        The seed of the run.
    directory : Path
        The directory of the journals.
    start : function
        Starts a process, given its name and its arguments.
    statistics : Statistics
        The counters to which the client's work is added.
    """

    def __init__(
        self, number: int, seed: int, directory: Path, start: Callable[..., Program], statistics: Statistics
    ) -> None:
        self.name = f"client-{number}"
        self.left: dict[str, Any] | None = None
        """The last journal entry of the last client: the threads and file descriptors that were left in its process."""
        self._seed = f"{seed}-{number}"
        self._directory = directory
        self._start = start
        self._statistics = statistics
        self._starts = 0
        self._next = 0
        self._at_work: dict[str, Any] | None = None
        self._since = time.monotonic()
        self.stop_file = directory / f"{self.name}.stop"
        self.program = self._begin()

    def _begin(self) -> Program:
        self._starts += 1
        self._journal = self._directory / f"{self.name}-{self._starts}.journal"
        self._read = 0
        self._at_work, self._since = None, time.monotonic()
        return self._start(
            self.name,
            *("--seed", self._seed, "--first", str(self._next)),
            *("--journal", str(self._journal), "--stop", str(self.stop_file)),
        )

    @property
    def at_work(self) -> bool:
        """True once the client has begun its first workload."""
        return self._at_work is not None or self._next > 0

    def replace(self) -> None:
        """Start a new process in place of the killed one."""
        self.look()
        self.program = self._begin()

    def finish(self) -> None:
        """Tell the client to exit after its current workload."""
        self.stop_file.touch()

    def look(self) -> list[str]:
        """Read the client's new journal entries, and return descriptions of its failures."""
        wrong = []
        with self._journal.open() if self._journal.exists() else open("/dev/null") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith("\n"):
                    break
                self._read += len(line)
                wrong.extend(self._note(json.loads(line)))
        waited = time.monotonic() - self._since
        if self.program.alive and waited > BOUND:
            what = (
                f"workload {self._at_work['number']} ({self._at_work['workload']})" if self._at_work else "start or end"
            )
            wrong.append(f"{self.name} hangs: its {what} takes more than {BOUND:g} s")
        return wrong

    def _note(self, entry: dict[str, Any]) -> list[str]:
        self._since = time.monotonic()
        match entry.pop("event"):
            case "begun":
                self._at_work = entry
            case "done":
                self._at_work, self._next = None, entry["number"] + 1
                self._statistics.tasks += entry["tasks"]
                self._statistics.workloads[entry["workload"]] += 1
                self._statistics.made_again.update(entry["made_again"])
                self._statistics.slowest = max(self._statistics.slowest, entry["seconds"])
            case "failed":
                return [f"{self.name}, workload {entry['number']} ({entry['workload']}):\n{entry['error']}"]
            case "left":
                self.left = entry
        return []
