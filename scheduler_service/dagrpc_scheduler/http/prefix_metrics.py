"""Prometheus metrics by prefix of tasks: the largest prefixes have labels of their own, the others are one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dagrpc._http.prometheus import MOST_PREFIXES, OTHER, Families, bounded, bounded_histograms, top
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import RELEASED

_LABEL = "task_prefix_name"


class PrefixMetrics:
    """A collector of `prometheus_client`. Its figures are read on the scheduler's event loop.

    Parameters
    ----------
    core : SchedulerCore
        The scheduler's core.
    namespace : str
        First part of all names.
    """

    def __init__(self, core: SchedulerCore, namespace: str) -> None:
        self._core = core
        self._prefix = f"{namespace}_scheduler_"
        self._families = Families(self._prefix)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now."""
        totals = views.prefix_totals(self._core)
        # By all tasks so far, which changes least: a prefix that leaves the largest resets its counters.
        kept = top({name: sum(found.states.values()) for name, found in totals.items()}, MOST_PREFIXES)
        yield self._now(kept)
        yield self._entered(totals, kept)

        def by_prefix(value: Callable[[views.PrefixTotals], float]) -> dict[str, float]:
            return bounded({name: value(found) for name, found in totals.items()}, kept)

        families = self._families
        yield families.counters(
            "tasks_suspicious",
            "How often a worker died while it had a task.",
            _LABEL,
            by_prefix(lambda found: found.suspicious),
        )
        yield families.counters(
            "tasks_compute_seconds",
            "Seconds of all runs that yielded a result.",
            _LABEL,
            by_prefix(lambda found: found.compute_seconds),
        )
        yield families.gauges(
            "tasks_output_bytes",
            "Bytes of the results in memory, each counted once.",
            _LABEL,
            by_prefix(lambda found: found.output_bytes),
        )
        durations = views.durations(self._core)
        known = {name: durations[name] for name in sorted(durations) if name in kept}
        yield families.gauges("prefix_duration_seconds", "Average duration of a task.", _LABEL, known)
        yield families.histograms(
            "task_duration_seconds",
            "Durations of the runs that yielded a result.",
            _LABEL,
            bounded_histograms({name: found.durations for name, found in totals.items()}, kept),
        )
        yield families.histograms(
            "task_wait_seconds",
            "Time from when a task could run until its result was there, without the run itself.",
            _LABEL,
            bounded_histograms({name: found.waits for name, found in totals.items()}, kept),
        )

    def _now(self, kept: frozenset[str]) -> Metric:
        family = GaugeMetricFamily(
            self._prefix + "prefix_tasks", "Tasks by prefix and state.", labels=[_LABEL, "state"]
        )
        for labels, count in _sums(views.prefix_counts(self._core), kept):
            family.add_metric(labels, count)
        return family

    def _entered(self, totals: Mapping[str, views.PrefixTotals], kept: frozenset[str]) -> Metric:
        family = CounterMetricFamily(
            self._prefix + "prefix_state_totals", "How often tasks have entered a state.", labels=[_LABEL, "state"]
        )
        for labels, count in _sums({name: found.states for name, found in totals.items()}, kept):
            if labels[1] != RELEASED:
                family.add_metric(labels, count)
        return family


def _sums(counts: Mapping[str, Mapping[Any, int]], kept: frozenset[str]) -> Iterator[tuple[list[str], int]]:
    """Yield prefix and state, and the number of tasks; prefixes that are not kept are added up."""
    sums: Counter[tuple[str, str]] = Counter()
    for name, states in counts.items():
        for state, count in states.items():
            if count:
                sums[name if name in kept else OTHER, state] += count
    for labels, count in sorted(sums.items()):
        yield list(labels), count
