"""Runs for as long as wanted, one seed after the other, and a summary: ``make chaos``."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

from tests.chaos.plan import ALL, chosen
from tests.chaos.runner import ChaosFailure, Report, Run

_ONE_RUN = 120.0


def summary(reports: list[Report], failures: list[str], minutes: float) -> str:
    """Return a summary of all runs as Markdown."""
    faults: Counter[str] = Counter()
    workloads: Counter[str] = Counter()
    made_again: Counter[str] = Counter()
    for report in reports:
        faults.update(report.faults)
        workloads.update(report.statistics.workloads)
        made_again.update(report.statistics.made_again)
    rows = [
        ("minutes", f"{minutes:.0f}"),
        ("runs, each with a cluster of its own", f"{len(reports)}"),
        ("faults injected", f"{faults.total():,}"),
        *((f"- {name}", f"{count:,}") for name, count in sorted(faults.items())),
        ("workloads, all answers checked", f"{workloads.total():,}"),
        *((f"- {name}", f"{count:,}") for name, count in sorted(workloads.items())),
        ("tasks wanted", f"{sum(report.statistics.tasks for report in reports):,}"),
        *(
            (f"{name} lost with their worker, as documented, and made again", f"{n:,}")
            for name, n in made_again.items()
        ),
        ("slowest workload, seconds", f"{max((r.statistics.slowest for r in reports), default=0):.0f}"),
        ("runs with a result that was lost or wrong, a hang, or something left behind", f"{len(failures)}"),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {figure} |" for name, figure in rows)])


def main() -> int:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--total", type=float, help="Seconds for all runs together. [default: one run]")
    parser.add_argument("--seconds", type=float, default=_ONE_RUN, help="Seconds of faults in each run.")
    parser.add_argument("--seed", type=int, help="Seed of the first run; the next has the next. [default: any]")
    parser.add_argument(
        "--what", type=chosen, default=ALL, help="Which faults: 'kill', 'client', 'cut worker, stop'. [default: all]"
    )
    parser.add_argument("--summary", type=Path, help="File to write the summary to.")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    begun = time.monotonic()
    reports: list[Report] = []
    failures: list[str] = []
    while True:
        run = Run(seed, given.seconds, given.what)
        report = run.report
        reports.append(report)
        try:
            run.execute()
        except ChaosFailure as failure:
            failures.append(str(failure))
            # All else, which is long, is in the files that are named there.
            print(f"seed {seed}: FAILED: {str(failure).partition('Logs:')[0]}", flush=True)
        else:
            print(
                f"seed {seed}: {report.faults.total()} faults, {report.statistics.workloads.total()} workloads, "
                f"{report.statistics.tasks} tasks, all is well",
                flush=True,
            )
        seed += 1
        if given.total is None or time.monotonic() - begun > given.total:
            break
    text = summary(reports, failures, (time.monotonic() - begun) / 60)
    print(text)
    if given.summary:
        given.summary.parent.mkdir(parents=True, exist_ok=True)
        given.summary.write_text(text + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
