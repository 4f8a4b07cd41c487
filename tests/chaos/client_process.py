"""Runs a client in a process of its own, which may be killed: one workload after the other, until told to stop.

The process writes a line of JSON to a file for each event: ``begun``, ``done`` or ``failed`` for workloads, and at the
end ``left``, with the threads and file descriptors that the client left behind in this process.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from dagrpc import Client
from tests.chaos.workloads import WORKLOADS, Tally, square

_CONNECT = 120.0
_SETTLE = 5.0


def usage() -> tuple[int, int]:
    """Return how many threads and file descriptors this process has."""
    gc.collect()
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))


class Journal:
    """Tells the runner what happens."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **details: Any) -> None:
        """Add a line."""
        with self._path.open("a") as file:
            file.write(json.dumps({"event": event, **details}) + "\n")


def work(client: Client, seed: str, first: int, stop: Path, journal: Journal) -> bool:
    """Run workloads until told to stop, but at least one; return whether all went well.

    One at least: who follows a client that was killed does its work again, even if no more faults come.
    """
    number = first
    names: list[str] = []
    while number == first or not stop.exists():
        # All in turn, in an order that the seed gives.
        chance = random.Random(f"{seed}-{number}")
        names = names or chance.sample(sorted(WORKLOADS), len(WORKLOADS))
        name, tally, begun = names.pop(), Tally(), time.monotonic()
        journal.write("begun", number=number, workload=name)
        try:
            WORKLOADS[name](client, chance, tally)
        except Exception:
            journal.write("failed", number=number, workload=name, error=traceback.format_exc())
            return False
        seconds = round(time.monotonic() - begun, 2)
        made_again = dict(tally.made_again)
        journal.write("done", number=number, workload=name, tasks=tally.tasks, made_again=made_again, seconds=seconds)
        number += 1
    return True


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--seed", required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--stop", type=Path, required=True)
    given = parser.parse_args()
    journal = Journal(given.journal)
    # What the first client of a process sets up, the loop and gRPC's threads, stays for the next.
    with Client(given.address, timeout=_CONNECT) as client:
        client.submit(square, 1, 0, pure=False).result(timeout=_CONNECT)
    before = usage()
    with Client(given.address, timeout=_CONNECT) as client:
        fine = work(client, given.seed, given.first, given.stop, journal)
    deadline = time.monotonic() + _SETTLE
    while any(now > then for now, then in zip(usage(), before, strict=True)) and time.monotonic() < deadline:
        time.sleep(0.1)
    threads = [thread.name for thread in threading.enumerate()]
    journal.write("left", before=before, after=usage(), threads=threads)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
