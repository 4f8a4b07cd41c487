"""Shows the job's progress while it runs, and its answers as tables."""

import math
import time
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from examples.flights import models
from examples.flights.frames import BAND_WIDTH, LATE_MINUTES

LOOK_SECONDS = 0.1
STEP_TIMEOUT_SECONDS = 300


def follow(console: Console, client: Any, what: str, futures: list[Any]) -> None:
    """Show the number of finished `futures` and each worker's load until all are done; raise an error of a task."""
    progress = Progress(
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[workers]}", style="dim"),
        console=console,
    )
    deadline = time.monotonic() + STEP_TIMEOUT_SECONDS
    with progress:
        bar = progress.add_task(what, total=len(futures), workers="")
        while True:
            done = sum(future.done() for future in futures)
            waiting = [len(keys) for _, keys in sorted(client.processing().items())]
            tasks_at_workers = " + ".join(map(str, waiting))
            progress.update(bar, completed=done, workers=f"tasks at workers: {tasks_at_workers}")
            if done == len(futures):
                progress.update(bar, workers="")
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: {done} of {len(futures)} done after {STEP_TIMEOUT_SECONDS} s")
            time.sleep(LOOK_SECONDS)
    for future in futures:
        if future.status != "finished":
            future.result()


def figure(value: float, digits: int = 1) -> str:
    """Return a figure as text, or an empty text for NaN, such as in a group whose flights were all cancelled."""
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def new_table(title: str, first: str, *others: str) -> Table:
    """Return an empty table: names in its first column, figures in the others."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first, no_wrap=True)
    for head in others:
        table.add_column(head, justify="right")
    return table


def delays_table(title: str, groups: str, delays: pd.DataFrame, names: list[str]) -> Table:
    """Return a table of delays in minutes, with one line per group."""
    table = new_table(title, groups, "flights", "dep. delay", "arr. delay", f"% over {LATE_MINUTES}")
    for name, row in zip(names, delays.itertuples(), strict=True):
        cells = (figure(row.dep_delay), figure(row.arr_delay), figure(row.late * 100))
        table.add_row(name, f"{row.flights:,}", *cells)
    return table


def bands(values: list[float], unit: str) -> list[str]:
    """Return names for bands that begin at `values`."""
    return [f"{value:.0f} to {value + BAND_WIDTH:.0f} {unit}" for value in values]


def models_table(fitted: dict[str, models.Model], airlines: dict[str, str]) -> Table:
    """Return the coefficients of the models."""
    title = "Arrival delay in minutes, as a linear model for each carrier"
    heads = ("flights", "const.", "/100 miles", "/hour", "/min dep.")
    table = new_table(title, "carrier", *heads)
    # The units in the table, together with the units in the model.
    shown = np.array([1.0, 100.0, 1.0, 1.0]) / np.array([1.0, *models.FEATURES.values()])
    for carrier, (coefficients, count, _, _) in fitted.items():
        table.add_row(
            airlines.get(carrier, carrier), f"{count:,}", *(figure(value, 2) for value in coefficients * shown)
        )
    return table


def pairs_table(pairs: list[tuple[str, str, float]], airports: dict[str, str]) -> Table:
    """Return the destinations whose bad days coincide most."""
    table = new_table("Destinations that are late on the same days", "two destinations", "correlation")
    for left, right, strength in pairs:
        table.add_row(f"{airports.get(left, left)} and {airports.get(right, right)}", figure(strength, 2))
    return table


def workers_table(client: Any, ran: dict[str, int], placed: dict[str, Counter[str]]) -> Table:
    """Return a table of the work that each worker did.

    Parameters
    ----------
    client
        The cluster's client.
    ran
        How many tasks of the futures part each worker ran, by its address.
    placed
        How many results of each kind each worker had made, by the kind and its address.
    """
    table = new_table("Who computed what", "worker", "model tasks", *placed, "holds", "MiB")
    holds = client.has_what()
    for address, worker in sorted(client.scheduler_info()["workers"].items()):
        memory = worker.get("metrics", {}).get("memory", 0)
        counts = [str(ran.get(address, 0)), *(str(of[address]) for of in placed.values())]
        table.add_row(address, *counts, str(len(holds.get(address, ()))), f"{memory / 2**20:.0f}")
    return table
