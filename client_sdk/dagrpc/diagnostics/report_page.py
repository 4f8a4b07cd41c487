"""The page of a performance report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from dask.utils import format_bytes

from dagrpc.diagnostics import report_pages
from dagrpc.diagnostics.figures import profile_data, task_stream_data
from dagrpc.diagnostics.report_data import ReportData, unknown_workers
from dagrpc.v1 import diagnostics_service_pb2 as pb

_LINES = 32
"""Maximum number of workers with a line of their own in a figure."""
_PAIRS = 200
"""Maximum number of pairs of workers in the table of transfers."""
_PREFIXES = 200
"""Maximum number of prefixes in the table of tasks."""
_DOTS = 5_000
"""Maximum number of transfers in the figure of bandwidth."""
_CODES = 50
"""Maximum number of computations whose code is shown."""

_ZOOM = "Drag to zoom, double-click to see everything, Shift and drag to move, Ctrl and wheel to zoom."


def report_page(data: ReportData) -> str:
    """Return the page."""
    sections = [
        ("summary", "Summary", _summary(data)),
        ("tasks", "Task stream", _task_stream(data)),
        ("profile", "Worker profile", _profile(data.tasks, "What the tasks were at, by samples of their threads.")),
        (
            "worker-loops",
            "Worker profile (event loops)",
            _profile(data.loops, "What the workers themselves were at while tasks ran."),
        ),
        (
            "scheduler",
            "Scheduler profile",
            _profile(data.scheduler, "What the scheduler was at when it was not idle."),
        ),
        ("transfers", "Transfers", _transfers(data)),
        ("system", "System", _system(data)),
        ("workers", "Workers", _workers(data)),
    ]
    if data.measured.computations:
        sections.append(("computations", "Computations", _computations(data)))
    links = "".join(f'<a href="#{name}">{escape(title)}</a>' for name, title, _ in sections)
    body = "\n".join(report_pages.section(name, title, *parts) for name, title, parts in sections)
    return report_pages.page(
        "dagrpc performance report", f"<nav>{links}</nav>\n<main>\n<h1>Performance report</h1>\n{body}</main>"
    )


def seconds(value: float) -> str:
    """Return a duration as text.

    Examples
    --------
    >>> seconds(0.01234), seconds(75.2)
    ('12.3 ms', '75.2 s')
    """
    return f"{value:.3g} s" if 1 <= value < 100 else f"{value:.1f} s" if value >= 100 else f"{value * 1e3:.3g} ms"


def _spent(tasks: Iterable[Mapping[str, Any]], action: str) -> float:
    return sum(
        (each["stop"] - each["start"] for task in tasks for each in task["startstops"] if each["action"] == action),
        0.0,
    )


def _summary(data: ReportData) -> list[str]:
    tasks, workers = data.stream.tasks, data.cluster.workers
    failed = sum(task["status"] != "OK" for task in tasks)
    memory = sum(worker.memory_limit for worker in workers)
    threads = sum(worker.nthreads for worker in workers)
    compute, duration = _spent(tasks, "compute"), data.stop - data.start
    rows: list[tuple[str, Any]] = [
        ("Began", datetime.fromtimestamp(data.start, UTC).isoformat(sep=" ", timespec="seconds")),
        ("Duration", seconds(duration)),
        ("Tasks", f"{len(tasks):,}" + (f", of which {failed:,} failed" if failed else "")),
        ("Compute time", seconds(compute)),
        ("Transfer time", seconds(_spent(tasks, "transfer"))),
        ("Deserialize time", seconds(_spent(tasks, "deserialize"))),
        ("Transferred", format_bytes(sum(each["nbytes"] for each in data.stream.transfers))),
        ("Workers", f"{len(workers)}"),
        ("Threads", f"{threads}"),
        ("Memory", format_bytes(memory) if memory else "no limit"),
        ("Scheduler", data.cluster.address),
        ("Versions", _versions(data)),
    ]
    if threads and duration > 0:
        rows.insert(4, ("Threads in use", f"{100 * compute / (threads * duration):.0f} % on average"))
    if data.stream.dropped:
        rows.append(("Left out", f"{data.stream.dropped:,} records, because there were too many"))
    if gone := unknown_workers(data):
        rows.append(("Workers that left", ", ".join(gone)))
    if silent := data.stream.unreachable:
        rows.append(("Workers that did not answer", ", ".join(silent)))
    rows += [("Missing", text) for text in data.missing]
    return [report_pages.table((), rows), *_code(data), "<h3>Tasks by name</h3>", _by_name(tasks)]


def _versions(data: ReportData) -> str:
    found = {
        (each.dagrpc, each.python, each.dask)
        for each in (data.cluster.versions, *(worker.versions for worker in data.cluster.workers))
    }
    texts = [f"dagrpc {own}, Python {python}, dask {dask or 'unknown'}" for own, python, dask in sorted(found) if own]
    return "; ".join(texts)


def _code(data: ReportData) -> list[str]:
    if not data.code:
        return []
    lines = [escape(line) for line in data.code.rstrip("\n").split("\n")]
    if 0 < data.code_line <= len(lines):
        lines[data.code_line - 1] = f"<mark>{lines[data.code_line - 1]}</mark>"
    return [f"<h3>Code: {escape(data.code_name)}</h3>", "<pre>" + "\n".join(lines) + "</pre>"]


def _by_name(tasks: Sequence[Mapping[str, Any]]) -> str:
    by_name: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for task in tasks:
        by_name[task["name"]].append(task)
    spent = {name: _spent(group, "compute") for name, group in by_name.items()}
    rows = []
    for name in sorted(by_name, key=lambda name: -spent[name])[:_PREFIXES]:
        group = by_name[name]
        rows.append(
            (
                name,
                f"{len(group):,}",
                sum(task["status"] != "OK" for task in group) or "",
                seconds(spent[name]),
                seconds(spent[name] / len(group)),
                seconds(_spent(group, "transfer")),
                format_bytes(sum(task["nbytes"] for task in group)),
            )
        )
    return report_pages.table(("Name", "Tasks", "Failed", "Compute", "Mean", "Transfer", "Results"), rows, range(1, 7))


def _task_stream(data: ReportData) -> list[str]:
    return [
        report_pages.hint(f"One row for each thread. {_ZOOM} Click a name to hide its tasks."),
        report_pages.figure("taskStream", task_stream_data(data.stream.tasks, data.start)),
    ]


def _profile(profile: Any, text: str) -> list[str]:
    return [
        report_pages.hint(
            f"{text} A function is as wide as the time spent in it; click to look closer, again to go back."
        ),
        report_pages.figure("profile", profile_data(profile)),
    ]


def _transfers(data: ReportData) -> list[str]:
    transfers = data.stream.transfers
    pairs: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for transfer in transfers:
        pairs[transfer["source"], transfer["worker"]].append(transfer)
    rows = []
    for source, worker in sorted(pairs, key=lambda pair: -sum(each["nbytes"] for each in pairs[pair]))[:_PAIRS]:
        group = pairs[source, worker]
        nbytes = sum(each["nbytes"] for each in group)
        spent = sum(each["stop"] - each["start"] for each in group)
        rate = format_bytes(int(nbytes / spent)) + "/s" if spent else ""
        rows.append((source, worker, f"{len(group):,}", format_bytes(nbytes), seconds(spent), rate))
    bandwidth: dict[str, Any] = {"unit": "rate", "dots": True, "series": []}
    points = [
        (round(each["stop"] - data.start, 6), round(each["nbytes"] / (each["stop"] - each["start"])))
        for each in transfers[-_DOTS:]
        if each["stop"] > each["start"]
    ]
    bandwidth["series"].append({"name": "bandwidth of each transfer", "points": points})
    return [
        report_pages.hint(
            "Transfers between workers: as many as were made for tasks, with the time from request to values."
        ),
        report_pages.figure("lines", bandwidth),
        report_pages.table(("From", "To", "Transfers", "Bytes", "Time", "Bandwidth"), rows, range(2, 6)),
    ]


def _system(data: ReportData) -> list[str]:
    parts = [report_pages.hint(_ZOOM)]
    for title, unit, column in (
        ("Processors, in percent of one", "percent", "cpu"),
        ("Memory of the processes", "bytes", "memory"),
        ("Memory of results", "bytes", "managed"),
        ("Tasks that run", "plain", "executing"),
    ):
        parts += [
            f"<h3>{escape(title)}</h3>",
            report_pages.figure("lines", {"unit": unit, "series": _series(data, column)}),
        ]
    return parts


def _series(data: ReportData, column: str) -> list[dict[str, Any]]:
    """Return a column of the measurements: of each process if there are few, else their sum."""
    workers = [each for each in data.measured.measurements if each.worker]
    shown = [each for each in data.measured.measurements if not each.worker and column in ("cpu", "memory")]
    if len(workers) <= _LINES:
        shown += workers
        return [{"name": each.worker or "scheduler", "points": _points(each, column, data.start)} for each in shown]
    found = [{"name": "scheduler", "points": _points(each, column, data.start)} for each in shown]
    combine: tuple[tuple[str, Callable[[list[float]], float]], ...] = (("all workers", sum), ("most of one", max))
    for name, function in combine:
        by_second: dict[int, list[float]] = defaultdict(list)
        for each in workers:
            latest = {int(time - data.start): value for time, value in _points(each, column, 0.0, data.start)}
            for second, value in latest.items():
                by_second[second].append(value)
        points = [(second, function(values)) for second, values in sorted(by_second.items())]
        found.append({"name": name, "points": points})
    return found


def _points(measured: pb.Measurements, column: str, origin: float, floor: float = 0.0) -> list[tuple[float, float]]:
    values = getattr(measured, column)
    return [
        (round(time - origin, 3), value) for time, value in zip(measured.times, values, strict=True) if time >= floor
    ]


def _workers(data: ReportData) -> list[str]:
    ran: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for task in data.stream.tasks:
        ran[task["worker"]].append(task)
    rows = [
        (
            worker.name,
            worker.address,
            worker.nthreads,
            format_bytes(worker.memory_limit) if worker.memory_limit else "no limit",
            ", ".join(f"{name}: {amount:g}" for name, amount in sorted(worker.resources.items())),
            f"{len(ran[worker.address]):,}",
            seconds(_spent(ran[worker.address], "compute")),
            format_bytes(int(worker.metrics.get("memory", 0))),
        )
        for worker in data.cluster.workers
    ]
    header = ("Name", "Address", "Threads", "Memory limit", "Resources", "Tasks", "Compute", "Memory now")
    return [report_pages.table(header, rows, (2, 3, 5, 6, 7))]


def _computations(data: ReportData) -> list[str]:
    parts = [report_pages.hint("What submitted the graphs of this time.")]
    for each in data.measured.computations[-_CODES:]:
        title = f"After {seconds(max(each.start - data.start, 0.0))}: {each.tasks:,} tasks"
        parts.append(f"<h3>{escape(title)}</h3>")
        parts += [f"<pre>{escape(text)}</pre>" for text in each.code]
    return parts
