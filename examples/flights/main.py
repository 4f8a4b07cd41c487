"""The main job: a year of flights on a cluster of separate processes. `make run` starts it.

Three kinds of work on one cluster: tables with dask.dataframe, models with futures, a pairwise statistic with
dask.array. Everything it prints is compared with plain pandas and NumPy at the end; it exits with 1 if anything
differs.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import pandas as pd
from rich.console import Console

from dagrpc import Client, LocalCluster, futures_of
from examples.flights import check, data, frames, models, pairwise, report


def optimized(collection: Any) -> Any:
    """Return a dask collection with the graph that the cluster gets."""
    if hasattr(collection, "optimize"):
        return collection.optimize()
    (result,) = dask.optimize(collection)  # type: ignore[no-untyped-call]
    return result


@dataclass
class Job:
    """The answers, and the time and tasks that they took."""

    console: Console
    client: Any
    files: data.Files
    tasks: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    placed: dict[str, Counter[str]] = field(default_factory=dict)

    @contextlib.contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of a block to a part of the job."""
        start = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start

    def count(self, part: str, *collections: Any) -> None:
        """Add the tasks of dask collections to a part of the job."""
        graphs = (optimized(collection).__dask_graph__() for collection in collections)
        self.tasks[part] = self.tasks.get(part, 0) + len({key for graph in graphs for key in graph})

    def await_kept(self, what: str, kind: str, futures: list[Any]) -> list[Any]:
        """Follow `futures` until all are done, and note which worker made each."""
        report.follow(self.console, self.client, what, futures)
        self.placed[kind] = Counter(address for made_by in self.client.who_has(futures).values() for address in made_by)
        return futures

    def answer_with_frames(self) -> tuple[frames.Answers, list[Any]]:
        """Join all tables, persist the join, and compute the answers; return the answers and the persisted futures."""
        with self.timed("dataframe"):
            joined = frames.join(self.files)
            self.count("dataframe", joined)
            joined = self.client.persist(joined)
            partitions = self.await_kept("joining flights, planes, weather", "parts", futures_of(joined))
            collections = list(vars(frames.ask(joined)).values())
            self.count("dataframe", *collections)
            futures = self.client.compute(collections)
            report.follow(self.console, self.client, "delays by carrier, hour, wind ...", futures)
            return frames.Answers(*self.client.gather(futures)), partitions

    def fit_models(self, partitions: list[Any], carriers: list[str]) -> dict[str, models.Model]:
        """Fit a model for each carrier."""
        with self.timed("futures"):
            futures, self.tasks["futures"] = models.fit(self.client, partitions, carriers)
            self.await_kept("a model for each carrier", "models", list(futures.values()))
            fitted: dict[str, models.Model] = self.client.gather(futures)
            return fitted

    def correlate(self, daily: "pd.Series[float]") -> pd.DataFrame:
        """Correlate the destinations."""
        with self.timed("array"):
            table = pairwise.by_destination_and_day(daily)
            correlations = pairwise.correlations(table)
            self.count("array", correlations)
            correlations = self.client.persist(correlations)
            self.await_kept("destinations, pair by pair", "blocks", futures_of(correlations))
            matrix = self.client.compute(correlations).result()
            return pd.DataFrame(matrix, index=table.index, columns=table.index)


def show(job: Job, answers: frames.Answers, fitted: dict[str, models.Model], matrix: pd.DataFrame) -> None:
    """Print the answers, the work of each worker, and the times."""
    airlines = data.read_names(job.files.airlines, "carrier")
    airports = data.read_names(job.files.airports, "faa")
    carriers = answers.by_carrier.sort_values("arr_delay", ascending=False)
    worst = frames.worst_routes(answers.by_route)
    routes = [f"{origin} to {airports.get(to, to)}" for origin, to in worst.index]
    wind, age = answers.by_wind, answers.by_age
    hours = [f"{hour}:00" for hour in answers.by_hour.index]
    names = [airlines[code] for code in carriers.index]
    processes = job.client.run(models.this_process)
    tasks = models.tasks_by_process(fitted)
    ran = {address: tasks[process] for address, process in processes.items()}
    job.console.print(
        report.delays_table("Delays by carrier", "carrier", carriers, names),
        report.delays_table("By hour of scheduled departure", "hour", answers.by_hour, hours),
        report.delays_table("By wind at departure", "wind", wind, report.bands(list(wind.index), "mph")),
        report.delays_table("By age of the plane", "age", age, report.bands(list(age.index), "years")),
        report.delays_table("The ten worst routes", "route", worst, routes),
        report.models_table(fitted, airlines),
        report.pairs_table(pairwise.most_alike(matrix), airports),
        report.workers_table(job.client, ran, job.placed),
    )
    for part, seconds in job.seconds.items():
        rate = job.tasks[part] / seconds
        job.console.print(f"{part}: {job.tasks[part]:,} tasks in {seconds:.1f} s ({rate:,.0f} tasks/s)")
    job.console.print(f"in all: {sum(job.tasks.values()):,} tasks in {sum(job.seconds.values()):.1f} s", style="bold")


def compare(job: Job, answers: frames.Answers, fitted: dict[str, models.Model], matrix: pd.DataFrame) -> check.Checks:
    """Compute all answers again without a cluster, and compare."""
    flights = check.read_everything(job.files)
    checks = check.Checks()
    checks.same("flights", answers.by_carrier["flights"].sum(), data.FLIGHTS_OF_2013)
    tables = {
        "carrier": answers.by_carrier,
        "hour": answers.by_hour,
        "wind_band": answers.by_wind,
        "age_band": answers.by_age,
        "origin,dest": answers.by_route,
    }
    check.check_delays(checks, flights, tables)
    check.check_worst_routes(checks, flights, frames.worst_routes(answers.by_route))
    check.check_models(checks, flights, fitted)
    checks.same("tasks of the futures part", models.tasks_by_process(fitted).total(), job.tasks["futures"])
    check.check_correlations(checks, flights, matrix)
    return checks


def work(console: Console, client: Any, files: data.Files) -> bool:
    """Run the whole job; return whether every answer is right."""
    job = Job(console, client, files)
    raw, partitions = job.answer_with_frames()
    tables = {name: frames.tidy(table) for name, table in vars(raw).items() if name != "daily"}
    answers = frames.Answers(**tables, daily=raw.daily)
    fitted = job.fit_models(partitions, sorted(answers.by_carrier.index))
    matrix = job.correlate(raw.daily)
    show(job, answers, fitted, matrix)
    checks = compare(job, answers, fitted, matrix)
    for difference in checks.differing:
        console.print(f"differs: {difference}", style="bold red")
    if not checks.differing:
        console.print(f"checked: {checks.equal:,} answers equal those of plain pandas and NumPy", style="bold green")
    return not checks.differing


def parse_arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.flights.main", description=(__doc__ or "").split("\n\n")[0]
    )
    default = max(2, min(os.cpu_count() or 2, 8))
    parser.add_argument("--n-workers", type=int, default=default, help=f"workers to start ({default})")
    parser.add_argument(
        "--address", help="use the cluster of this scheduler; its workers have to see this machine's files"
    )
    return parser.parse_args()


def main() -> int:
    """Run the job on a new cluster, or on the cluster that the command line names."""
    options = parse_arguments()
    console = Console(highlight=False)
    # The workers of an existing cluster do not have this package.
    cloudpickle.register_pickle_by_value(models)
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="flights-"))
        files = data.find_files(Path(scratch))
        start = time.perf_counter()
        target = options.address or stack.enter_context(LocalCluster(n_workers=options.n_workers, threads_per_worker=1))
        client = stack.enter_context(Client(target))
        client.wait_for_workers(1 if options.address else options.n_workers, timeout=60)
        count = len(client.nthreads())
        if client.dashboard_link:
            console.print(f"watch it at {client.dashboard_link}")
        console.print(f"{count} workers are there after {time.perf_counter() - start:.1f} s")
        right = work(console, client, files)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
