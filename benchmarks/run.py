"""Measures dagrpc against distributed, alternating in one run: `make bench`, or `python -m benchmarks.run --help`.

Three contenders, each on a cluster of two workers with one thread each: dagrpc, distributed as it comes, and
distributed with its queuing of root tasks off, which makes it faster on tiny tasks and gives up what the queuing is
for. distributed lives in a virtual environment of its own, made on the first run.

Each round gives each group of workloads to each contender in turn, in another order every round, so that a machine
that slows down or speeds up meanwhile does it to all of them.
"""

import argparse
import compileall
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks import machine, readme, report
from benchmarks.results import Contender, Results
from benchmarks.workloads import BY_NAME, WORKLOADS, Workload

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
PEER_ENVIRONMENT = BUILD / "bench-distributed"
PEER_REQUIREMENTS = ("distributed==2026.8.0", "dask[array,dataframe]==2026.8.0")
# Packages that dask imports if they are installed; with all of them, a worker's first array task takes twice as long.
ALIKE = ("numpy", "pandas", "pyarrow", "scipy", "xarray")
# The longest leg, all small tasks with distributed's default settings, takes about a minute on two cores.
LEG_SECONDS = 900
QUICK_DIVISOR = 10
QUICK_ROUNDS = 2
SOURCES = ("client_sdk", "scheduler_service", "worker_service", "deploy", "benchmarks")


def compile_sources() -> None:
    """Compile dagrpc and the workloads, since the installation of distributed has compiled distributed.

    With ``PYTHONDONTWRITEBYTECODE`` set, every process would compile an editable installation again.
    """
    for name in SOURCES:
        if not compileall.compile_dir(ROOT / name, quiet=1):
            raise SystemExit(f"{name} cannot be compiled")


def python_of(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / "bin" / "python"


def peer_requirements() -> list[str]:
    """Return the requirements of distributed's environment, with the same versions of other packages as in this one."""
    found = list(PEER_REQUIREMENTS)
    for name in ALIKE:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name}=={metadata.version(name)}")
    return found


def make_peer_environment() -> Path:
    """Return the interpreter of distributed's environment, which is created if it does not exist."""
    stamp = PEER_ENVIRONMENT / ".installed"
    requirements = peer_requirements()
    wanted = "\n".join(requirements)
    python = python_of(PEER_ENVIRONMENT)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing {', '.join(requirements)} in {PEER_ENVIRONMENT.relative_to(ROOT)}", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEER_ENVIRONMENT)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, *requirements], check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return python


@dataclass
class Leg:
    """Workloads of one group, run by one contender in one round."""

    contender: Contender
    python: Path
    workloads: list[Workload]
    divisor: int
    errors: list[str] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    def command(self) -> list[str]:
        """Return the command line of the contender's process."""
        names = [workload.name for workload in self.workloads]
        program = [str(self.python), "-m", self.contender.program, "--library", self.contender.library]
        return [*program, "--divisor", str(self.divisor), *names]

    def environment(self) -> dict[str, str]:
        """Return the environment of this process, without the variables that configure either library."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DASK_", "DAGRPC_"))}
        # The workers import the workloads from the root of the repository.
        return inherited | {"PYTHONPATH": str(ROOT)} | self.contender.environment

    def run(self, log: Path) -> None:
        """Run the contender in a session of its own, so that all its processes can be killed if it hangs."""
        with log.open("a", encoding="utf-8") as errors:
            errors.write(f"\n== {self.contender.name}: {' '.join(workload.name for workload in self.workloads)}\n")
            errors.flush()
            process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
            try:
                output, _ = process.communicate(timeout=LEG_SECONDS)
            except subprocess.TimeoutExpired:
                self.errors.append(f"ended after {LEG_SECONDS} s without an answer")
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                output, _ = process.communicate()
        for line in output.splitlines():
            # A library may print other lines.
            with contextlib.suppress(json.JSONDecodeError):
                message = json.loads(line)
                if isinstance(message, dict):
                    self.lines.append(message)
        self.errors += [f"{line['workload']}: {line['error']}" for line in self.lines if "error" in line]
        if process.returncode and not self.errors:
            self.errors.append(f"the process ended with {process.returncode}")


def groups_of(workloads: list[Workload]) -> list[list[Workload]]:
    """Return the workloads by group, in the order of the table."""
    groups: dict[str, list[Workload]] = {}
    for workload in workloads:
        groups.setdefault(workload.group, []).append(workload)
    return list(groups.values())


def takes_part(contender: Contender, workload: Workload, *, everything: bool) -> bool:
    """Tell whether a contender runs a workload."""
    left_out = workload.ours_only or (workload.slow_for_peer and not everything)
    return not (contender.is_peer and left_out)


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, help="how often the contenders alternate (5; with --quick: 2)")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=sorted(BY_NAME), help=", ".join(BY_NAME))
    parser.add_argument("--contenders", nargs="+", metavar="NAME", choices=sorted(report.CONTENDERS))
    parser.add_argument("--quick", action="store_true", help="a tenth of every size: shows that it runs, no more")
    parser.add_argument("--full", action="store_true", help="with distributed, too, what takes it minutes")
    parser.add_argument("--output", type=Path, help="where to write the page (docs/benchmarks.md after a whole run)")
    parser.add_argument("--distributed-python", type=Path, help="an interpreter that has distributed already")
    return parser.parse_args()


def measure(options: argparse.Namespace, results: Results, pythons: dict[str, Path], log: Path) -> None:
    """Run every leg of every round, and collect the figures."""
    contenders = [report.CONTENDERS[name] for name in options.contenders or report.CONTENDERS]
    workloads = [BY_NAME[name] for name in options.only] if options.only else list(WORKLOADS)
    for number in range(options.rounds):
        for group in groups_of(workloads):
            for step in range(len(contenders)):
                contender = contenders[(number + step) % len(contenders)]
                mine = [work for work in group if takes_part(contender, work, everything=options.full)]
                if not mine:
                    continue
                divisor = QUICK_DIVISOR if options.quick else 1
                leg = Leg(contender, pythons[contender.library], mine, divisor)
                start = time.monotonic()
                leg.run(log)
                results.add(contender.name, number, leg.lines)
                took = time.monotonic() - start
                outcome = "; ".join(leg.errors) or "done"
                label = f"round {number + 1} of {options.rounds}, {group[0].group}, {contender.title}"
                print(f"{label}: {outcome} in {took:.0f} s", file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print the table, and write the page."""
    options = parse_arguments()
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else 5)
    BUILD.mkdir(exist_ok=True)
    log = BUILD / "benchmarks.log"
    log.unlink(missing_ok=True)
    peer = options.distributed_python or make_peer_environment()
    compile_sources()
    results = Results(machine=machine.describe(), rounds=options.rounds)
    measure(options, results, {"dagrpc": Path(sys.executable), "distributed": peer}, log)
    results.save(BUILD / "benchmarks.json")

    whole = not (options.only or options.contenders or options.quick)
    output = options.output or (readme.PAGE if whole else None)
    if output is not None:
        kept = readme.section_of(output.read_text(encoding="utf-8")) if output.exists() else ""
        output.write_text(report.page(results) + kept, encoding="utf-8")
    if output == readme.PAGE:
        readme.main()
    print(report.terminal_table(results))
    return 0 if report.everything_holds(results) else 1


if __name__ == "__main__":
    sys.exit(main())
