"""Measures the rows of README.md with Ray, too, and writes them into docs/benchmarks.md and README.md; run by hand.

Ray needs an environment of its own, with the versions of numpy, pandas, pyarrow and dask that dagrpc's has::

    python -m venv build/ray
    build/ray/bin/pip install ray psutil "dask[dataframe]==2026.8.0" numpy==... pandas==... pyarrow==...
    python -m benchmarks.ray_comparison --ray-python build/ray/bin/python

dagrpc, distributed with and without its queuing, and Ray alternate in each round, in another order every round.
"""

import argparse
import sys
from pathlib import Path

from benchmarks import machine, readme
from benchmarks.report import DEFAULT, OURS, UNQUEUED, markdown, number
from benchmarks.results import Contender, Results
from benchmarks.run import BUILD, QUICK_DIVISOR, Leg, compile_sources, make_peer_environment
from benchmarks.targets import METRICS
from benchmarks.workloads import BY_NAME

RAY = Contender("ray", "Ray", "ray", program="benchmarks.ray_contender")
ORDER = (DEFAULT, UNQUEUED, RAY, OURS)
WORKLOADS = ("submit_latency", "map_10k", "transfer", "merge_tasks", "scheduler_memory")

INTRODUCTION = """\
`python -m benchmarks.ray_comparison` wrote this section, and from it the figures of the README. It runs by hand, since
Ray needs an environment of its own. The contenders alternate as above; figures are medians over {rounds} rounds.

- All have two processes that run tasks, one at a time each; for Ray that is `ray.init(num_cpus=2)`, without its
  dashboard, its token and its usage statistics.
- One task is `ray.get(task.remote(i))`; many tasks are one `ray.get` of a list.
- An array goes from one actor to another. Ray has put it into the shared memory of the host before the time starts,
  and maps that memory in the receiver.
- The merge is the same expression of dask.dataframe, which Ray runs by its own "Dask on Ray" (`ray_dask_get`).
- Ray has no scheduler that knows results: the process that submitted a task keeps the record of its result. The row
  counts the growth of `gcs_server` and `raylet`; the submitting process grew by {driver} MiB at the same time.

"""


def measure(rounds: int, divisor: int, pythons: dict[str, Path], log: Path) -> Results:
    """Run each workload with each contender in turn."""
    results = Results(machine=machine.describe(), rounds=rounds)
    for round_number in range(rounds):
        for name in WORKLOADS:
            for step in range(len(ORDER)):
                contender = ORDER[(round_number + step) % len(ORDER)]
                leg = Leg(contender, pythons[contender.library], [BY_NAME[name]], divisor)
                leg.run(log)
                results.add(contender.name, round_number, leg.lines)
                # A run that is cut off leaves the figures that it has.
                results.save(BUILD / "ray_comparison.json")
                outcome = "; ".join(leg.errors) or "done"
                print(f"round {round_number + 1} of {rounds}, {name}, {contender.title}: {outcome}", file=sys.stderr)
    return results


def section(results: Results) -> str:
    """Return the section of the page: the table, and how it was measured."""
    titles = {metric.title: metric for metric in METRICS}
    rows = [["workload", "unit", *(contender.title for contender in ORDER)]]
    for title in readme.WORKLOADS:
        metric = titles[title]
        spreads = [results.values(contender.name, metric.name) for contender in ORDER]
        rows.append([title, metric.unit, *("-" if each is None else number(each.median) for each in spreads)])
    driver = results.values(RAY.name, "driver_memory_held")
    about = [["", ""], *([name, value] for name, value in results.machine.items()), ["Date", results.date]]
    for contender in (DEFAULT, RAY, OURS):
        versions = results.versions.get(contender.name, {})
        about.append([contender.title, ", ".join(f"{name} {version}" for name, version in versions.items())])
    introduction = INTRODUCTION.format(rounds=results.rounds, driver="-" if driver is None else number(driver.median))
    return introduction + markdown(rows) + "\n\n" + markdown(about) + "\n"


def main() -> int:
    """Measure, and write the section and the README's table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ray_comparison", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--ray-python", type=Path, required=True, help="an interpreter that has Ray")
    parser.add_argument("--distributed-python", type=Path, help="an interpreter that has distributed already")
    parser.add_argument("--rounds", type=int, default=5, help="how often the contenders alternate (5)")
    parser.add_argument("--quick", action="store_true", help="a tenth of every size; prints and writes nothing")
    options = parser.parse_args()
    BUILD.mkdir(exist_ok=True)
    compile_sources()
    peer = options.distributed_python or make_peer_environment()
    pythons = {"dagrpc": Path(sys.executable), "distributed": peer, "ray": options.ray_python.absolute()}
    divisor = QUICK_DIVISOR if options.quick else 1
    results = measure(options.rounds, divisor, pythons, BUILD / "ray_comparison.log")
    text = section(results)
    print(text)
    if not options.quick:
        page = readme.PAGE.read_text(encoding="utf-8")
        readme.PAGE.write_text(readme.with_section(page, text), encoding="utf-8")
        readme.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
