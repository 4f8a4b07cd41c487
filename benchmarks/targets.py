"""The figures that are measured and the bounds that they must satisfy.

A bound limits dagrpc's figure divided by distributed's figure, for times and rates alike: `at_most(1 / 6)` asks for a
sixth of the time, `at_least(12)` for twelve times the rate.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """An upper or lower limit of a figure."""

    limit: float
    is_ceiling: bool

    def holds(self, figure: float) -> bool:
        """Tell whether `figure` is within the bound."""
        return figure <= self.limit if self.is_ceiling else figure >= self.limit

    def text(self) -> str:
        """Return the bound as people write it, such as `≤ 1/6` or `≥ 12`."""
        sign = "≤" if self.is_ceiling else "≥"
        inverse = 1 / self.limit
        as_fraction = self.is_ceiling and self.limit < 1
        return f"{sign} 1/{inverse:g}" if as_fraction else f"{sign} {self.limit:g}"


def at_most(limit: float) -> Bound:
    """Return a ceiling."""
    return Bound(limit, is_ceiling=True)


def at_least(limit: float) -> Bound:
    """Return a floor."""
    return Bound(limit, is_ceiling=False)


@dataclass(frozen=True)
class Metric:
    """A figure in the table.

    Attributes
    ----------
    name
        The name under which workloads record the figure.
    title
        The title of the figure's row in the table.
    unit
        The unit of the figure; ratios have no unit.
    default
        The bound on the ratio to distributed with its default settings.
    unqueued
        The bound on the ratio to distributed without queuing of root tasks.
    absolute
        The bound on the figure itself.
    reference
        Another metric of dagrpc, a phrase for it, and the bound on the ratio to it.
    """

    name: str
    title: str
    unit: str
    default: Bound | None = None
    unqueued: Bound | None = None
    absolute: Bound | None = None
    reference: tuple[str, str, Bound] | None = None


METRICS = (
    Metric("submit_latency", "`submit(inc, i).result()`, median", "ms", at_most(1 / 6), at_most(1 / 6)),
    Metric("chain_step", "chain of 1,000 tasks in one graph, per step", "ms", at_most(1 / 6), at_most(1 / 6)),
    Metric("map_10k", "`map(inc, range(10_000))` and `gather`", "tasks/s", at_least(12), at_least(4)),
    Metric("map_100k", "the same with 100,000", "tasks/s", reference=("map_10k", "that of 10,000", at_least(0.8))),
    Metric("submit_tree", "tree of 2,048 `inc` and 2,047 `add` by `submit`", "tasks/s", at_least(10), at_least(3.5)),
    Metric("as_completed", "`as_completed` over 2,000", "tasks/s", at_least(10), at_least(2.5)),
    Metric("get_graph", "`client.get` of a plain graph of 5,000", "tasks/s", at_least(8), at_least(3)),
    Metric("delayed", "`dask.delayed` of 5,000, with building it", "tasks/s", at_least(4), at_least(1.5)),
    Metric("array_sum", "`(x + x.T).sum()`, 4000x4000 in 100x100", "s", at_most(1 / 4), at_most(1 / 1.3)),
    Metric("transfer_1mib", "worker to worker, array of 1 MiB", "ms", at_most(1 / 5), at_most(1 / 5)),
    Metric("transfer_64mib", "worker to worker, array of 64 MiB", "MiB/s", at_least(1.2), at_least(1.2)),
    Metric("transfer_512mib", "worker to worker, array of 512 MiB", "MiB/s", at_least(1.2), at_least(1.2)),
    Metric("gather_64mib", "`gather` of 64 MiB", "MiB/s", at_least(1.1), at_least(1.1)),
    Metric("gather_512mib", "`gather` of 512 MiB", "MiB/s", at_least(1.1), at_least(1.1)),
    Metric("scatter_64mib", "`scatter` of 64 MiB", "MiB/s", at_least(1.5), at_least(1.5)),
    Metric("scatter_512mib", "`scatter` of 512 MiB", "MiB/s", at_least(1.5), at_least(1.5)),
    Metric("gather_small", "`gather` of 5,000 small results", "items/s", at_least(8), at_least(8)),
    Metric("eight_clients", "eight clients, 500 tasks each, at once", "tasks/s", at_least(8), at_least(3)),
    Metric("actor_call", "actor call round trip, median", "ms", at_most(0.8), at_most(0.8)),
    Metric("actor_calls", "actor calls, pipelined", "calls/s", at_least(5), at_least(5)),
    Metric("queue_pair", "`Queue`: `put` and `get`, median", "ms", at_most(1), at_most(1)),
    Metric("variable_pair", "`Variable`: `set` and `get`, median", "ms", at_most(1), at_most(1)),
    Metric("lock_pair", "`Lock`: `acquire` and `release`, median", "ms", at_most(1), at_most(1)),
    Metric("async_burst", "asynchronous client, 2,000 concurrent awaits", "tasks/s", at_least(8), at_least(8)),
    Metric("embedded_data", "graph with 50 MiB of data in it", "MiB/s", at_least(3), at_least(3)),
    Metric("shuffle_tasks", "`df.shuffle` of 1,600,000 rows, 40 partitions, by tasks", "s", at_most(1), at_most(1)),
    Metric("shuffle_p2p", "the same by p2p", "s", at_most(1), at_most(1)),
    Metric("merge_tasks", "`df.merge` of those with 800,000, by tasks", "s", at_most(1), at_most(1)),
    Metric("merge_p2p", "the same by p2p", "s", at_most(1), at_most(1)),
    Metric("set_index_tasks", "`df.set_index` of 1,600,000, by tasks", "s", at_most(1), at_most(1)),
    Metric("set_index_p2p", "the same by p2p", "s", at_most(1), at_most(1)),
    Metric("rechunk_tasks", "`x.rechunk`, 4000x4000, 40 rows to 40 columns, by tasks", "s", at_most(1), at_most(1)),
    Metric("rechunk_p2p", "the same by p2p", "s", at_most(1), at_most(1)),
    # TLS and tokens may cost a quarter more time at most.
    Metric("map_open", "`map(inc, range(10_000))` and `gather`, in the open", "tasks/s"),
    Metric("map_tls", "the same with TLS", "tasks/s", reference=("map_open", "that in the open", at_least(0.8))),
    Metric("map_token", "the same with a token", "tasks/s", reference=("map_open", "that in the open", at_least(0.8))),
    # These tasks mostly sleep, so the figures show how well the tasks are spread over the workers.
    Metric("skewed_durations", "120 tasks on 4 workers, 4 of them 20 times as long", "s", at_most(1.1), at_most(1.1)),
    Metric("late_workers", "60 tasks of 0.1 s on one worker, 3 more come", "s", at_most(1.1), at_most(1.1)),
    Metric("startup", "`LocalCluster(n_workers=2)` until the first result", "s", at_most(1.3), at_most(1.3)),
    Metric("memory_held", "scheduler memory, 10,000 results held", "MiB", absolute=at_most(15)),
    # Memory that the scheduler keeps after the release of all results.
    Metric("memory_left", "the same, after their release", "MiB", absolute=at_most(5)),
    Metric("core", "scheduler core alone, 10,000 tasks, 10 workers", "µs/task", absolute=at_most(40)),
    Metric("core_wide", "the same with 1,000 workers", "µs/task", reference=("core", "that of 10", at_most(1.3))),
    # The cost per task is constant, within the accuracy of a measurement on a shared machine.
    Metric("core_long", "1,000,000 tasks, 10 workers", "µs/task", reference=("core", "that of 10,000", at_most(1.3))),
)

BY_NAME = {metric.name: metric for metric in METRICS}
