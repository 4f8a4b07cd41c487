"""Parts that the metrics of schedulers and workers share: exposition, bounded labels, measurements of the process."""

from __future__ import annotations

import gc
import heapq
import time
from collections.abc import Collection, Iterator, Mapping
from itertools import accumulate
from typing import Any, Protocol

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from dagrpc._common.histogram import Histogram
from dagrpc._peer.traffic import Traffic
from dagrpc._rpc.call_statistics import CallStatistics

MOST_PREFIXES = 50
"""How many prefixes of tasks have labels of their own; the smaller ones are added up under `OTHER`."""
OTHER = "other"


class Collector(Protocol):
    """Yields metrics when it is asked."""

    def collect(self) -> Any:
        """Yield metrics as they are now."""


def metrics_route(*collectors: Collector) -> web.RouteDef:
    """Return the route of ``/metrics``: all that the collectors yield, and figures of the process."""
    from prometheus_client import (
        CollectorRegistry,
        GCCollector,
        PlatformCollector,
        ProcessCollector,
        generate_latest,
    )
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    registry = CollectorRegistry()
    GCCollector(registry=registry)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)

    async def metrics(request: web.Request) -> web.Response:
        # On the event loop, where the figures belong.
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return web.get("/metrics", metrics)


def top(sizes: Mapping[str, float], limit: int) -> frozenset[str]:
    """Return the names of the largest, at most so many.

    Examples
    --------
    >>> sorted(top({"a": 1, "b": 3, "c": 2}, 2))
    ['b', 'c']
    """
    if len(sizes) <= limit:
        return frozenset(sizes)
    return frozenset(heapq.nlargest(limit, sizes, key=lambda name: sizes[name]))


def bounded(values: Mapping[str, float], kept: Collection[str]) -> dict[str, float]:
    """Return the values of the kept names, in order, and the sum of the others under `OTHER`.

    Examples
    --------
    >>> bounded({"a": 3, "b": 1, "c": 2}, {"a"})
    {'a': 3, 'other': 3}
    """
    found: dict[str, float] = {}
    for name in sorted(values):
        label = name if name in kept else OTHER
        found[label] = found.get(label, 0) + values[name]
    return found


def bounded_histograms(values: Mapping[str, Histogram], kept: Collection[str]) -> dict[str, Histogram]:
    """Return the histograms of the kept names, in order, and the others as one under `OTHER`."""
    found: dict[str, Histogram] = {}
    for name in sorted(values):
        label = name if name in kept else OTHER
        if label in found:
            found[label].merge(values[name])
        else:
            found[label] = values[name].copy()
    return found


class Families:
    """Makes metrics whose names have a first part in common.

    Parameters
    ----------
    prefix : str
        First part of all names, such as ``"dask_scheduler_"``.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def gauge(self, name: str, text: str, value: float) -> Metric:
        """Return a metric with one value, which may fall."""
        return GaugeMetricFamily(self._prefix + name, text, value=value)

    def counter(self, name: str, text: str, value: float) -> Metric:
        """Return a metric with one value that only rises; its name ends with ``_total``."""
        return CounterMetricFamily(self._prefix + name, text, value=value)

    def gauges(self, name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
        """Return a metric with a value for each of a label's values."""
        family = GaugeMetricFamily(self._prefix + name, text, labels=[label])
        for key, value in values.items():
            family.add_metric([key], value)
        return family

    def counters(self, name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
        """Return a counter with a value for each of a label's values."""
        family = CounterMetricFamily(self._prefix + name, text, labels=[label])
        for key, value in values.items():
            family.add_metric([key], value)
        return family

    def calls(self, statistics: CallStatistics) -> Iterator[Metric]:
        """Yield the counts and durations of the gRPC calls that a service has answered."""
        outcomes = CounterMetricFamily(
            self._prefix + "grpc_calls", "gRPC calls that have ended.", labels=["service", "method", "code"]
        )
        for (name, code), count in sorted(statistics.by_outcome.items()):
            service, _, method = name.partition(".")
            outcomes.add_metric([service, method, code], count)
        yield outcomes
        durations = HistogramMetricFamily(
            self._prefix + "grpc_call_duration_seconds", "Durations of unary gRPC calls.", labels=["service", "method"]
        )
        for name, found in sorted(statistics.durations.items()):
            service, _, method = name.partition(".")
            durations.add_metric([service, method], _buckets(found), found.sum)
        yield durations

    def histograms(self, name: str, text: str, label: str, values: Mapping[str, Histogram]) -> Metric:
        """Return a metric with a histogram for each of a label's values."""
        family = HistogramMetricFamily(self._prefix + name, text, labels=[label])
        for key, found in values.items():
            family.add_metric([key], _buckets(found), found.sum)
        return family

    def traffic(self, by_peer: Mapping[str, Traffic]) -> Iterator[Metric]:
        """Yield what sessions have sent and received, by kind of peer."""
        for name, field, text in _TRAFFIC:
            values = {peer: getattr(traffic, field) for peer, traffic in by_peer.items()}
            yield self.counters(name, text, "peer", values)


def _buckets(found: Histogram) -> list[tuple[str, float]]:
    """Return how many measurements do not exceed each bound."""
    sums = list(accumulate(found.counts))
    return [*zip(map(str, found.bounds), sums, strict=False), ("+Inf", sums[-1])]


_TRAFFIC = (
    ("session_messages_sent", "messages_sent", "Messages that sessions have sent; large ones count by fragment."),
    ("session_bytes_sent", "bytes_sent", "Bytes of the messages that sessions have sent."),
    ("session_messages_received", "messages_received", "Messages that sessions have received."),
    ("session_resumptions", "resumptions", "Sessions that went on after their connection broke."),
)


class CollectionTime:
    """Adds up the seconds that Python's garbage collection takes, from its making on."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._begun = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = time.perf_counter()
        elif self._begun:
            self.seconds += time.perf_counter() - self._begun

    def close(self) -> None:
        """Stop measuring."""
        if self._note in gc.callbacks:
            gc.callbacks.remove(self._note)
