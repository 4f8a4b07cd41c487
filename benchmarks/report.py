"""Writes the table of figures and their bounds, for the terminal and as the page docs/benchmarks.md."""

import statistics

from benchmarks.results import Contender, Results, Spread
from benchmarks.targets import METRICS, Bound, Metric

OURS = Contender("dagrpc", "dagrpc", "dagrpc", is_peer=False)
DEFAULT = Contender("distributed", "distributed", "distributed")
UNQUEUED = Contender(
    "distributed-inf",
    "distributed, queuing off",
    "distributed",
    environment={"DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "inf"},
)
CONTENDERS = {contender.name: contender for contender in (OURS, DEFAULT, UNQUEUED)}

HELD, MISSED, UNKNOWN = "✓", "✗", "-"

INTRODUCTION = """\
# Benchmarks

`make bench` wrote this page. It measures dagrpc beside `distributed`, once as it comes and once with its queuing of
root tasks off (`distributed.scheduler.worker-saturation: inf`). Each has a virtual environment of its own and runs two
workers with one thread each on this one machine. The contenders alternate; figures are medians over {rounds} rounds.
Both have the same versions of what dask uses, and are compiled beforehand, distributed by its installation.

A ratio is dagrpc's figure divided by the other's in the same round: its median over the rounds, and the lowest and
highest. For times (ms, s) less is better, for rates (tasks/s, MiB/s) more. "Asked" is the bound that the project set
itself; `✓` says that the median is within every bound of its line.
"""

CPU_INTRODUCTION = """\
## Wall and CPU seconds

Medians over the rounds, of everything that is timed for a line together. CPU seconds are those of the client's process
and of every process that it started: scheduler, nannies and workers.
"""


def number(value: float) -> str:
    """Return a figure with about three significant digits."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def factor(value: float) -> str:
    """Return a ratio as text; small ratios become fractions of one, which are easier to read."""
    return f"1/{1 / value:.1f}" if 0 < value < 0.5 else f"{value:.2f}"


def spread_text(spread: Spread | None) -> str:
    """Return a ratio with its minimum and maximum."""
    if spread is None:
        return UNKNOWN
    return f"{factor(spread.median)} ({factor(spread.low)} to {factor(spread.high)})"


def bound_text(bound: Bound | None) -> str:
    """Return a bound as text; the text is empty if there is no bound."""
    return "" if bound is None else bound.text()


def checks(results: Results, metric: Metric) -> list[bool | None]:
    """Return whether each bound of a metric holds; None if the figure was not measured."""
    measured: list[tuple[Spread | None, Bound | None]] = [
        (results.ratio(metric.name, OURS.name, metric.name, DEFAULT.name), metric.default),
        (results.ratio(metric.name, OURS.name, metric.name, UNQUEUED.name), metric.unqueued),
        (results.values(OURS.name, metric.name), metric.absolute),
    ]
    if metric.reference is not None:
        base, _, bound = metric.reference
        measured.append((results.ratio(metric.name, OURS.name, base, OURS.name), bound))
    return [None if spread is None else bound.holds(spread.median) for spread, bound in measured if bound is not None]


def mark(results: Results, metric: Metric) -> str:
    """Return the mark of a line: met, missed or unknown."""
    outcome = checks(results, metric)
    if False in outcome:
        return MISSED
    return UNKNOWN if None in outcome else HELD


def measured_metrics(results: Results) -> list[Metric]:
    """Return the metrics that any contender has a figure for."""
    names = {figure.metric for figure in results.figures}
    return [metric for metric in METRICS if metric.name in names]


def everything_holds(results: Results) -> bool:
    """Tell whether every measured line meets its bounds."""
    return all(mark(results, metric) != MISSED for metric in measured_metrics(results))


def own_bounds(results: Results, metric: Metric) -> str:
    """Return the bound on dagrpc's own figure, independent of distributed, and the figure that it is compared with."""
    if metric.absolute is not None:
        return f"asked {metric.absolute.text()} {metric.unit}"
    if metric.reference is not None:
        base, title, bound = metric.reference
        ratio = spread_text(results.ratio(metric.name, OURS.name, base, OURS.name))
        return f"{ratio} of {title}; asked {bound.text()}"
    return ""


def figure_rows(results: Results) -> list[list[str]]:
    """Return the main table, its head first."""
    rows = [
        [
            "",
            "workload",
            "unit",
            *(contender.title for contender in (DEFAULT, UNQUEUED, OURS)),
            "to distributed",
            "asked",
            "to queuing off",
            "asked",
            "by itself",
        ]
    ]
    for metric in measured_metrics(results):
        values = [results.values(contender.name, metric.name) for contender in (DEFAULT, UNQUEUED, OURS)]
        rows.append(
            [
                mark(results, metric),
                metric.title,
                metric.unit,
                *(UNKNOWN if value is None else number(value.median) for value in values),
                spread_text(results.ratio(metric.name, OURS.name, metric.name, DEFAULT.name)),
                bound_text(metric.default),
                spread_text(results.ratio(metric.name, OURS.name, metric.name, UNQUEUED.name)),
                bound_text(metric.unqueued),
                own_bounds(results, metric),
            ]
        )
    return rows


def seconds_rows(results: Results) -> list[list[str]]:
    """Return the table of wall and CPU seconds, its head first."""
    order = (DEFAULT, UNQUEUED, OURS)
    rows = [["workload", *(f"{it.title}, wall" for it in order), *(f"{it.title}, CPU" for it in order)]]
    for metric in measured_metrics(results):
        cells = [metric.title]
        for kind in ("wall_seconds", "cpu_seconds"):
            for contender in order:
                seconds = [getattr(it, kind) for it in results.of(contender.name, metric.name).values()]
                cells.append(number(statistics.median(seconds)) if seconds else UNKNOWN)
        rows.append(cells)
    return rows


def markdown(rows: list[list[str]]) -> str:
    """Return rows as a Markdown table whose columns are also aligned in plain text."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def machine_section(results: Results) -> str:
    """Return the section about the machine and the versions of the packages."""
    rows = [["", ""], *([name, value] for name, value in results.machine.items()), ["Date", results.date]]
    for name, versions in results.versions.items():
        if name != UNQUEUED.name:
            rows.append([CONTENDERS[name].title, ", ".join(f"{it} {version}" for it, version in versions.items())])
    return "## The machine\n\n" + markdown(rows)


def page(results: Results) -> str:
    """Return the page for the documentation."""
    sections = [
        INTRODUCTION.format(rounds=results.rounds),
        markdown(figure_rows(results)) + "\n",
        CPU_INTRODUCTION,
        markdown(seconds_rows(results)) + "\n",
        machine_section(results) + "\n",
    ]
    return "\n".join(sections)


def terminal_table(results: Results) -> str:
    """Return the tables that are printed at the end of a run."""
    return "\n\n".join([markdown(figure_rows(results)), markdown(seconds_rows(results))])
