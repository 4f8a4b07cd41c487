"""`dagrpc top`: a cluster in a terminal, as it changes. Needs ``rich``."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import TYPE_CHECKING, Any

import click

from dagrpc._cli.cluster_view import STATES, ClusterView, ask, worker_row
from dagrpc._cli.status_commands import size
from dagrpc._cli.tls_options import tls_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dagrpc.v1 import scheduler_service_pb2 as pb

_COLUMNS = ("Worker", "Status", "Threads", "CPU", "Memory", "Limit", "Occupancy", "Executing", "Ready", "In memory")
_SORTED_BY = ("name", "cpu", "memory", "occupancy", "executing")
_FAILURES = 5
"""How many failed tasks are listed."""


@click.command()
@click.argument("address")
@click.option("--interval", default=1.0, show_default=True, type=click.FloatRange(0.1), help="Seconds between looks.")
@click.option("--sort", default="name", show_default=True, type=click.Choice(_SORTED_BY), help="Order of the workers.")
@click.option("--rows", default=30, show_default=True, type=click.IntRange(1), help="How many workers are shown.")
@click.option("--count", type=click.IntRange(1), help="Stop after so many looks. [default: on Ctrl-C]")
@click.option("--timeout", default=10.0, show_default=True, help="Seconds to wait for an answer.")
@tls_options
def top(
    address: str, interval: float, sort: str, rows: int, count: int | None, timeout: float, **files: str | None
) -> None:
    """Show the workers, the tasks and the failures of the scheduler at ADDRESS as they change; Ctrl-C ends it."""
    if importlib.util.find_spec("rich") is None:
        raise click.ClickException("dagrpc top needs rich: pip install rich")
    try:
        ask(address, timeout, files, lambda view: _watch(view, interval, sort, rows, count))
    except KeyboardInterrupt:
        return


async def _watch(view: ClusterView, interval: float, sort: str, rows: int, count: int | None) -> None:
    from rich.live import Live

    looks = 0
    with Live(screen=count is None, auto_refresh=False) as live:
        while True:
            info = await view.cluster()
            failed = await view.tasks([], "erred", _FAILURES) if info.tasks["erred"] else []
            live.update(_picture(info, failed, sort, rows), refresh=True)
            looks += 1
            if looks == count:
                return
            await asyncio.sleep(interval)


def _picture(info: pb.GetClusterInfoResponse, failed: list[pb.TaskInfo], sort: str, rows: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    workers = [worker_row(worker) for worker in info.workers]
    threads = sum(row["nthreads"] for row in workers)
    head = f"{info.address}  {len(workers)} workers  {threads} threads  {info.clients} clients"
    counts = "  ".join(f"{info.tasks[state]} {state}" for state in STATES if info.tasks[state]) or "no tasks"
    parts: list[RenderableType] = [Text(head, style="bold"), Text(counts), _worker_table(workers, sort, rows)]
    parts += [Text(f"failed: {task.key}", style="red") for task in failed]
    return Group(*parts)


def _worker_table(workers: list[dict[str, Any]], sort: str, rows: int) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in _COLUMNS:
        table.add_column(title, justify="left" if title in ("Worker", "Status") else "right", no_wrap=True)
    ordered = sorted(workers, key=lambda row: row[sort], reverse=sort != "name")
    for row in ordered[:rows]:
        table.add_row(
            row["name"],
            row["status"],
            str(row["nthreads"]),
            f"{row['cpu']:.0f} %",
            size(row["memory"]),
            size(row["memory_limit"]) if row["memory_limit"] else "none",
            f"{row['occupancy']:.1f} s",
            str(row["executing"]),
            str(row["ready"]),
            str(row["in_memory"]),
        )
    if len(workers) > rows:
        table.add_row(f"and {len(workers) - rows} more")
    return table
