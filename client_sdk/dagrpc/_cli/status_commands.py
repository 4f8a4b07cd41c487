"""`dagrpc status`, `dagrpc tasks` and `dagrpc logs`: what a cluster is doing, as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from dagrpc._cli.cluster_view import STATES, ask, worker_row
from dagrpc._cli.tls_options import tls_options

_TIMEOUT = click.option("--timeout", default=10.0, show_default=True, help="Seconds to wait for an answer.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("address")
@_JSON
@_TIMEOUT
@tls_options
def status(address: str, as_json: bool, timeout: float, **files: str | None) -> None:
    """Show the workers and the tasks of the scheduler at ADDRESS."""
    info = ask(address, timeout, files, lambda view: view.cluster())
    workers = [worker_row(worker) for worker in info.workers]
    if as_json:
        facts = {"id": info.scheduler_id, "address": info.address, "started": info.started, "clients": info.clients}
        click.echo(
            json.dumps({**facts, "services": dict(info.services), "tasks": dict(info.tasks), "workers": workers})
        )
        return
    counts = ", ".join(f"{info.tasks[state]} {state}" for state in STATES if info.tasks[state]) or "none"
    click.echo(f"Scheduler  {info.address}, {len(workers)} workers, {info.clients} clients")
    click.echo(f"Tasks      {counts}")
    rows = [
        (
            row["name"],
            row["address"],
            row["status"],
            row["nthreads"],
            f"{row['cpu']:.0f} %",
            size(row["memory"]),
            size(row["memory_limit"]) if row["memory_limit"] else "none",
            f"{row['occupancy']:.1f} s",
            row["executing"],
            row["in_memory"],
        )
        for row in workers
    ]
    head = ("NAME", "WORKER", "STATUS", "THREADS", "CPU", "MEMORY", "LIMIT", "OCCUPANCY", "EXECUTING", "IN MEMORY")
    print_table(head, rows)


@click.command()
@click.argument("address")
@click.argument("keys", nargs=-1)
@click.option("--state", type=click.Choice(STATES), help="Only tasks in this state.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many at most.")
@_JSON
@_TIMEOUT
@tls_options
def tasks(
    address: str,
    keys: tuple[str, ...],
    state: str | None,
    limit: int,
    as_json: bool,
    timeout: float,
    **files: str | None,
) -> None:
    """List the tasks of the scheduler at ADDRESS: those with KEYS, or all."""
    found = ask(address, timeout, files, lambda view: view.tasks(list(keys), state or "", limit))
    rows: list[dict[str, Any]] = [
        {
            "key": task.key,
            "state": task.state,
            "processing_on": task.processing_on,
            "workers": list(task.workers),
            "nbytes": task.nbytes,
            "type": task.type_name,
            "dependencies": list(task.dependencies),
            "dependents": list(task.dependents),
        }
        for task in found
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    print_table(
        ("KEY", "STATE", "WHERE", "SIZE", "TYPE"),
        [
            (
                row["key"],
                row["state"],
                row["processing_on"] or ", ".join(row["workers"]),
                size(row["nbytes"]),
                row["type"],
            )
            for row in rows
        ],
    )
    if len(rows) == limit and not keys:
        click.echo(f"The list ends after {limit} tasks: --limit shows more.", err=True)


@click.command()
@click.argument("address")
@click.argument("workers", nargs=-1)
@click.option("--nanny", is_flag=True, help="The logs of the workers' nannies.")
@click.option("--lines", default=100, show_default=True, type=click.IntRange(1), help="How many of each, the latest.")
@_JSON
@_TIMEOUT
@tls_options
def logs(
    address: str,
    workers: tuple[str, ...],
    nanny: bool,
    lines: int,
    as_json: bool,
    timeout: float,
    **files: str | None,
) -> None:
    """Print the log of the scheduler at ADDRESS, or of its WORKERS by address or name; 'all' means all workers."""
    named = list(workers) or (["all"] if nanny else [])
    found = ask(address, timeout, files, lambda view: view.logs(named, nanny, lines))
    if as_json:
        click.echo(json.dumps([{"process": name, "lines": texts} for name, texts in found]))
        return
    for name, texts in found:
        if len(found) > 1:
            click.echo(f"--- {name}")
        # A service tells the latest first; a terminal shows it last.
        for text in reversed(texts):
            click.echo(text)


def size(count: float) -> str:
    """Return a number of bytes for people.

    Examples
    --------
    >>> size(0), size(1536), size(3 * 2**30)
    ('0 B', '1.5 KiB', '3.0 GiB')
    """
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def print_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in columns as wide as their longest cell."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
