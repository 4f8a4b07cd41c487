"""A plain user's cluster, of which a worker is killed every second or two: ``python -m tests.chaos.kill_loop``.

Nothing is set: three workers, whose nannies start them again, and work that goes on meanwhile. Every answer is
compared.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from dagrpc import Client, LocalCluster

WORKERS = 3
_PAUSES = (1.0, 2.0)
_TASKS = 200
_BOUND = 180.0
"""Seconds within which a round has to be over."""
_READY = 120.0


@dataclass
class Outcome:
    """The figures of a run, and its wrong results."""

    seconds: float = 0.0
    kills: int = 0
    rounds: int = 0
    tasks: int = 0
    slowest: float = 0.0
    """Seconds that the slowest round took."""
    wrong: list[str] = field(default_factory=list)
    workers: int = 0
    """Number of workers at the end."""

    def __str__(self) -> str:
        return (
            f"{self.seconds:.0f} s: {self.kills:,} workers killed, {self.rounds:,} rounds, {self.tasks:,} tasks, "
            f"slowest round {self.slowest:.1f} s, {len(self.wrong)} wrong, {self.workers} workers in the end"
        )


class Killer(threading.Thread):
    """Kills a worker every second or two, whatever it is doing."""

    def __init__(self, cluster: LocalCluster, seed: int) -> None:
        super().__init__(name="killer", daemon=True)
        self.kills = 0
        self._cluster = cluster
        self._chance = random.Random(seed)
        self._enough = threading.Event()

    def run(self) -> None:
        """Kill until told to stop."""
        while not self._enough.wait(self._chance.uniform(*_PAUSES)):
            pids = [pid for nanny in list(self._cluster.workers.values()) if (pid := nanny.pid)]
            if pids:
                os.kill(self._chance.choice(pids), signal.SIGKILL)
                self.kills += 1

    def stop(self) -> None:
        """Kill no more."""
        self._enough.set()
        self.join()


def square(number: int) -> int:
    """Return the square of a number after 10 ms."""
    time.sleep(0.01)
    return number**2


def one_round(client: Client, first: int) -> int:
    """Compute squares, sums of pairs of them, and the sum of these."""
    squares = client.map(square, range(first, first + _TASKS), pure=False)
    pairs = client.map(lambda one, other: one + other, squares[::2], squares[1::2], pure=False)
    total: Any = client.submit(sum, pairs, pure=False).result(timeout=_BOUND)
    return int(total)


def run(seconds: float, seed: int) -> Outcome:
    """Run rounds of tasks for `seconds` seconds while workers are killed."""
    outcome, begun = Outcome(), time.monotonic()
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, silence_logs=50) as cluster, Client(cluster) as client:
        killer = Killer(cluster, seed)
        killer.start()
        try:
            while time.monotonic() - begun < seconds:
                first, started = outcome.rounds * _TASKS, time.monotonic()
                try:
                    total: Any = one_round(client, first)
                except Exception as error:
                    total = error
                if total != sum(number**2 for number in range(first, first + _TASKS)):
                    outcome.wrong.append(f"round {outcome.rounds}: {total!r}")
                outcome.rounds += 1
                outcome.tasks += _TASKS + _TASKS // 2 + 1
                outcome.slowest = max(outcome.slowest, time.monotonic() - started)
        finally:
            killer.stop()
        client.wait_for_workers(WORKERS, timeout=_READY)
        outcome.workers = len(client.scheduler_info()["workers"])
        outcome.kills, outcome.seconds = killer.kills, time.monotonic() - begun
    return outcome


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kill_loop", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    outcome = run(given.seconds, given.seed)
    print(outcome)
    print(*outcome.wrong, sep="\n")
    return 1 if outcome.wrong or outcome.workers != WORKERS else 0


if __name__ == "__main__":
    raise SystemExit(main())
