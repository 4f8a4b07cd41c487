"""The figures of one run by contender and round, with their medians and ratios."""

import datetime
import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Contender:
    """A library and its configuration.

    Attributes
    ----------
    is_peer
        It is what dagrpc is compared with.
    environment
        Variables of its processes' environment.
    program
        The module that runs its workloads.
    """

    name: str
    title: str
    library: str
    is_peer: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    program: str = "benchmarks.contender"


@dataclass(frozen=True)
class Figure:
    """The measurement of one metric by one contender in one round."""

    contender: str
    round: int
    metric: str
    value: float
    wall_seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Spread:
    """A median, and the minimum and maximum of the same values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread | None":
        """Return the spread of `values`, or None where there are none."""
        return cls(statistics.median(values), min(values), max(values)) if values else None


@dataclass
class Results:
    """All results of one run of the benchmarks."""

    machine: dict[str, str]
    rounds: int
    date: str = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).date().isoformat())
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)

    def add(self, contender: str, number: int, lines: list[dict[str, Any]]) -> None:
        """Add the lines that a contender printed in one round."""
        for line in lines:
            if "versions" in line:
                self.versions[contender] = line["versions"]
            elif "sample" in line:
                self.figures.append(Figure(contender, number, **line["sample"]))

    def of(self, contender: str, metric: str) -> dict[int, Figure]:
        """Return a contender's figures for a metric, by round."""
        return {it.round: it for it in self.figures if it.contender == contender and it.metric == metric}

    def values(self, contender: str, metric: str) -> Spread | None:
        """Return the spread of a contender's figures for a metric."""
        return Spread.of([figure.value for figure in self.of(contender, metric).values()])

    def ratio(self, metric: str, contender: str, base_metric: str, base: str) -> Spread | None:
        """Return the spread of one figure divided by another of the same round."""
        ours, theirs = self.of(contender, metric), self.of(base, base_metric)
        # A figure may be zero, such as memory that was released completely.
        both = [number for number in ours if number in theirs and theirs[number].value > 0]
        return Spread.of([ours[number].value / theirs[number].value for number in both])

    def save(self, path: Path) -> None:
        """Write the figures as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
