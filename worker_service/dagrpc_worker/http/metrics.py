"""The worker's Prometheus metrics, collected when they are scraped, from what its heartbeats carry.

Names, types and labels are distributed's where a metric means the same; docs/monitoring.md lists what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dagrpc._http.prometheus import CollectionTime, Ticks

_STATES = {
    "executing": "executing",
    "ready": "ready",
    "waiting": "waiting",
    "in_flight": "flight",
    "long_running": "long-running",
    "in_memory": "memory",
}


class WorkerMetrics:
    """A collector of `prometheus_client` for one worker. Its figures are read on the worker's event loop.

    Parameters
    ----------
    sample : callable
        Returns the worker's measurements by name: see `WorkerInfo.metrics` in the contract.
    nthreads : callable
        Returns the number of the worker's threads.
    memory_limit : int
        Bytes; 0: none.
    ticks, gc
        Measurements of the process.
    namespace : str
        First part of all names.
    """

    def __init__(
        self,
        sample: Callable[[], Mapping[str, float]],
        nthreads: Callable[[], int],
        memory_limit: int,
        ticks: Ticks,
        gc: CollectionTime,
        namespace: str,
    ) -> None:
        self._sample = sample
        self._nthreads = nthreads
        self._memory_limit = memory_limit
        self._ticks = ticks
        self._gc = gc
        self._prefix = f"{namespace}_worker_"

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now."""
        sample = self._sample()
        yield self._gauge("threads", "Threads that run tasks.", self._nthreads())
        states = ((state, sample.get(name, 0)) for name, state in _STATES.items())
        yield self._by("tasks", "Tasks by state.", "state", states)
        yield from self._memory(sample)
        yield from self._transfers(sample)
        yield from self._spilling(sample)
        yield self._counter("tick_count", "Turns of the clock on the event loop.", self._ticks.count)
        longest = self._ticks.take_longest()
        yield self._gauge("tick_duration_maximum_seconds", "Longest turn of the clock since the last scrape.", longest)
        yield self._counter("gc_collection_seconds", "Time spent in garbage collection.", self._gc.seconds)

    def _memory(self, sample: Mapping[str, float]) -> Iterator[Metric]:
        spilled = sample.get("spilled_bytes", 0)
        managed = max(0, sample.get("managed_bytes", 0) - spilled)
        unmanaged = max(0, sample.get("memory", 0) - managed)
        kinds = (("managed", managed), ("unmanaged", unmanaged), ("spilled", spilled))
        yield self._by("memory_bytes", "Memory by kind.", "type", kinds)
        yield self._gauge("memory_limit_bytes", "Memory that the worker may use; 0: no limit.", self._memory_limit)

    def _transfers(self, sample: Mapping[str, float]) -> Iterator[Metric]:
        for direction, words in (("incoming", "from other workers"), ("outgoing", "to other workers and clients")):
            count, size = sample.get(f"transfers_{direction}", 0), sample.get(f"transfers_{direction}_bytes", 0)
            yield self._gauge(f"transfer_{direction}_count", f"Open transfers {words}.", count)
            yield self._gauge(f"transfer_{direction}_bytes", f"Bytes of open transfers {words}.", size)

    def _spilling(self, sample: Mapping[str, float]) -> Iterator[Metric]:
        for unit, text in (("bytes", "Bytes"), ("count", "Results")):
            family = CounterMetricFamily(
                f"{self._prefix}spill_{unit}", f"{text} written to disk and read from it.", labels=["activity"]
            )
            family.add_metric(["disk-write"], sample.get(f"spill_written_{unit}", 0))
            family.add_metric(["disk-read"], sample.get(f"spill_read_{unit}", 0))
            yield family
        seconds = sample.get("spill_seconds", 0)
        yield self._counter("spill_time_seconds", "Time spent writing results to disk and reading them.", seconds)

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        return GaugeMetricFamily(self._prefix + name, text, value=value)

    def _counter(self, name: str, text: str, value: float) -> Metric:
        return CounterMetricFamily(self._prefix + name, text, value=value)

    def _by(self, name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
        family = GaugeMetricFamily(self._prefix + name, text, labels=[label])
        for key, value in values:
            family.add_metric([key], value)
        return family
