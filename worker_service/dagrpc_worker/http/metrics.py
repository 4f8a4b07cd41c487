"""The worker's Prometheus metrics, collected when they are scraped, from what its heartbeats carry.

Names, types and labels are distributed's where a metric means the same; docs/monitoring.md lists what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import Metric

from dagrpc._http.prometheus import CollectionTime, Families
from dagrpc._loop.ticks import Ticks
from dagrpc._peer.traffic import Traffic
from dagrpc._rpc.call_statistics import CallStatistics

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
    calls, traffic
        Counts of gRPC calls, and of the session with the scheduler.
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
        calls: CallStatistics,
        traffic: Traffic,
        namespace: str,
    ) -> None:
        self._sample = sample
        self._nthreads = nthreads
        self._memory_limit = memory_limit
        self._ticks = ticks
        self._longest = ticks.longest()
        self._gc = gc
        self._calls = calls
        self._traffic = traffic
        self._families = Families(f"{namespace}_worker_")

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now."""
        sample = self._sample()
        yield self._families.gauge("threads", "Threads that run tasks.", self._nthreads())
        states = {state: sample.get(name, 0) for name, state in _STATES.items()}
        yield self._families.gauges("tasks", "Tasks by state.", "state", states)
        yield from self._memory(sample)
        yield from self._transfers(sample)
        yield from self._spilling(sample)
        yield from self._shuffles(sample)
        lag, latency = sample.get("loop_lag_seconds", 0), sample.get("latency_seconds", 0)
        yield self._families.gauge("latency_seconds", "Time that the scheduler took to answer a heartbeat.", latency)
        yield self._families.gauge("loop_lag_seconds", "Lateness of the event loop at the last heartbeat.", lag)
        yield self._families.gauge(
            "paused", "1 while the worker is paused for lack of memory.", sample.get("paused", 0)
        )
        yield self._families.counter(
            "pauses", "How often the worker has paused for lack of memory.", sample.get("pauses", 0)
        )
        yield from self._families.calls(self._calls)
        yield from self._families.traffic({"scheduler": self._traffic})
        yield self._families.counter("tick_count", "Turns of the clock on the event loop.", self._ticks.count)
        longest = self._longest.take()
        yield self._families.gauge(
            "tick_duration_maximum_seconds", "Longest turn of the clock since the last scrape.", longest
        )
        yield self._families.counter("gc_collection_seconds", "Time spent in garbage collection.", self._gc.seconds)

    def _memory(self, sample: Mapping[str, float]) -> Iterator[Metric]:
        spilled = sample.get("spilled_bytes", 0)
        managed = max(0, sample.get("managed_bytes", 0) - spilled)
        unmanaged = max(0, sample.get("memory", 0) - managed)
        kinds = {"managed": managed, "unmanaged": unmanaged, "spilled": spilled}
        yield self._families.gauges("memory_bytes", "Memory by kind.", "type", kinds)
        yield self._families.gauge(
            "memory_limit_bytes", "Memory that the worker may use; 0: no limit.", self._memory_limit
        )

    def _transfers(self, sample: Mapping[str, float]) -> Iterator[Metric]:
        for direction, words in (("incoming", "from other workers"), ("outgoing", "to other workers and clients")):
            count, size = sample.get(f"transfers_{direction}", 0), sample.get(f"transfers_{direction}_bytes", 0)
            yield self._families.gauge(f"transfer_{direction}_count", f"Open transfers {words}.", count)
            yield self._families.gauge(f"transfer_{direction}_bytes", f"Bytes of open transfers {words}.", size)
            begun = sample.get(f"transfers_{direction}_total", 0)
            yield self._families.counter(f"transfer_{direction}_count", f"Transfers {words} so far.", begun)
            total = sample.get(f"transfers_{direction}_bytes_total", 0)
            yield self._families.counter(f"transfer_{direction}_bytes", f"Bytes of all transfers {words}.", total)

            ways = ("same_host", "network")
            yield self._families.counters(
                f"transfer_{direction}_way_count",
                f"Transfers {words} that have arrived, by the way of the data.",
                "way",
                {way: sample.get(f"transfers_{direction}_{way}_total", 0) for way in ways},
            )
            yield self._families.counters(
                f"transfer_{direction}_way_bytes",
                f"Bytes of these transfers {words}.",
                "way",
                {way: sample.get(f"transfers_{direction}_{way}_bytes_total", 0) for way in ways},
            )

    def _shuffles(self, sample: Mapping[str, float]) -> Iterator[Metric]:
        for name, text in (("sent", "sent to"), ("received", "received from")):
            total = sample.get(f"shuffle_{name}_bytes_total", 0)
            yield self._families.counter(f"shuffle_{name}_bytes", f"Bytes of shuffles {text} other workers.", total)
        places = {place: sample.get(f"shuffle_{place}_bytes", 0) for place in ("memory", "disk")}
        yield self._families.gauges("shuffle_bytes", "Bytes that shuffles take.", "place", places)

    def _spilling(self, sample: Mapping[str, float]) -> Iterator[Metric]:
        for unit, text in (("bytes", "Bytes"), ("count", "Results")):
            values = {
                "disk-write": sample.get(f"spill_written_{unit}", 0),
                "disk-read": sample.get(f"spill_read_{unit}", 0),
            }
            yield self._families.counters(
                f"spill_{unit}", f"{text} written to disk and read from it.", "activity", values
            )
        seconds = sample.get("spill_seconds", 0)
        yield self._families.counter(
            "spill_time_seconds", "Time spent writing results to disk and reading them.", seconds
        )
