"""Runs random programs for a given time, each on a cluster and in plain Python: ``make differential``."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections import Counter

from tests.differential.families import FAMILIES, search
from tests.differential.running import Bench, Difference

_AT_ONCE = 25
"""Programs of one kind before it is the next one's turn."""


def main() -> int:
    """Run as the command line says, and print the programs that differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="When to stop. [default: after a minute]")
    parser.add_argument("--seed", type=int, help="Seed of the first programs. [default: any]")
    parser.add_argument("--family", choices=sorted(FAMILIES), action="append", help="Only this kind; may be repeated.")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    # Tasks that fail are part of the programs.
    logging.getLogger("dagrpc").setLevel(logging.ERROR)
    deadline = time.monotonic() + given.seconds
    tried: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    bench = Bench()
    try:
        while time.monotonic() < deadline:
            for family in given.family or FAMILIES:
                try:
                    tried[family] += search(bench, family, seed, _AT_ONCE)
                    print(f"{family}, seed {seed}: all the same", flush=True)
                except Difference as difference:
                    failed[family] += 1
                    print(f"{family}, seed {seed}: DIFFERENT\n{difference}\n", flush=True)
                    bench.renew()
            seed += 1
    finally:
        bench.close()
    for family, count in tried.items():
        print(f"{family}: {count} programs, {failed[family]} searches that found a difference")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
