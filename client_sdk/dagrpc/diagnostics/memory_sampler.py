"""The memory of a cluster over time."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dagrpc import config
from dagrpc._client import diagnostics_rpcs
from dagrpc._client.client_core import core_of
from dagrpc._client.lookup import default_client
from dagrpc.client import Client
from dagrpc.exceptions import CommClosedError, DagrpcError
from dagrpc.v1 import diagnostics_service_pb2 as pb

if TYPE_CHECKING:
    import pandas as pd

_Worker = pb.WorkerMemory


def _unmanaged(worker: _Worker) -> float:
    return max(worker.process - (worker.managed - worker.spilled), 0.0)


_DIRECT: Mapping[str, Callable[[_Worker], float]] = {
    "process": lambda worker: worker.process,
    "managed": lambda worker: worker.managed,
    "managed_in_memory": lambda worker: worker.managed - worker.spilled,
    "managed_spilled": lambda worker: worker.spilled,
    "spilled": lambda worker: worker.spilled,
    "unmanaged": _unmanaged,
}
_OVER_TIME = ("optimistic", "unmanaged_old", "unmanaged_recent")
"""Measures that depend on how long memory has been in use."""


class _Totals:
    """Adds up one measure of all workers."""

    def __init__(self, measure: str) -> None:
        self._measure = measure
        self._window = config.get_seconds("worker.memory.recent-to-old-time") or 30.0
        self._seen: dict[str, deque[tuple[float, float]]] = {}

    def add(self, response: pb.GetMemoryResponse, now: float) -> int:
        """Return the total of all workers."""
        direct = _DIRECT.get(self._measure)
        if direct is not None:
            return round(sum(map(direct, response.workers)))
        return round(sum(self._over_time(worker, now) for worker in response.workers))

    def _over_time(self, worker: _Worker, now: float) -> float:
        unmanaged = _unmanaged(worker)
        seen = self._seen.setdefault(worker.worker, deque())
        seen.append((now, unmanaged))
        while seen[0][0] < now - self._window:
            seen.popleft()
        # Memory that has been in use for so long is likely to stay.
        old = min(value for _, value in seen)
        if self._measure == "unmanaged_old":
            return old
        if self._measure == "unmanaged_recent":
            return unmanaged - old
        return worker.managed - worker.spilled + old


class MemorySampler:
    """Samples the memory of the whole cluster during blocks of a program, to compare them.

    Attributes
    ----------
    samples : dict
        Pairs of time (in seconds since the epoch) and bytes, by label.

    Examples
    --------
    >>> from dagrpc.diagnostics import MemorySampler
    >>> sampler = MemorySampler()
    >>> with sampler.sample("ones", interval=0.01):
    ...     future = client.submit(np.ones, 1000)
    ...     future.result().nbytes
    8000
    >>> list(sampler.to_pandas().columns)
    ['ones']

    ``sampler.plot(align=True)`` draws them.
    """

    def __init__(self) -> None:
        self.samples: dict[str, tuple[tuple[float, int], ...]] = {}

    def sample(
        self,
        label: str | None = None,
        *,
        client: Client | None = None,
        measure: str = "process",
        interval: float = 0.5,
    ) -> Any:
        """Sample within a block, of ``with``, or of ``async with`` if the client is asynchronous.

        Parameters
        ----------
        label : str, optional
            Label of the samples; by default a random one.
        client : Client, optional
            By default the current one.
        measure : str
            The measure: ``process`` (memory of the processes), ``managed`` (memory of results), ``spilled`` (results on
            disk), ``managed_in_memory``, ``managed_spilled``, ``unmanaged`` (all other memory), its parts
            ``unmanaged_recent`` and ``unmanaged_old``, or ``optimistic`` (all but the recent unmanaged memory).
        interval : float
            Seconds between two samples. Workers measure once a second by default.

        Raises
        ------
        ValueError
            If there is no such measure, or the interval is not above 0.

        Examples
        --------
        >>> sampler = MemorySampler()
        >>> with sampler.sample("managed", measure="managed"):
        ...     client.submit(inc, 1).result()
        2
        """
        if measure not in _DIRECT and measure not in _OVER_TIME:
            names = ", ".join(sorted((*_DIRECT, *_OVER_TIME)))
            raise ValueError(f"There is no measure {measure!r}: it is one of {names}")
        seconds = config.seconds(interval)
        if not seconds or seconds <= 0:
            raise ValueError(f"interval must be above 0; got {interval!r}")
        label = label or str(uuid.uuid4())
        client = default_client(client)
        if client.asynchronous:
            return self._sample_awaiting(label, client, measure, seconds)
        return self._sample(label, client, measure, seconds)

    @contextlib.contextmanager
    def _sample(self, label: str, client: Client, measure: str, interval: float) -> Iterator[None]:
        core = core_of(client)
        sampling = _Sampling(client, measure, interval)
        # The first sample is taken before the block begins, which may be short.
        core.loop.run(sampling.once(), core.timeout)
        running = core.loop.submit(sampling.run())
        try:
            yield
        finally:
            running.cancel()
            core.loop.run(sampling.last(), core.timeout)
            self.samples[label] = tuple(sampling.found)

    @contextlib.asynccontextmanager
    async def _sample_awaiting(self, label: str, client: Client, measure: str, interval: float) -> AsyncIterator[None]:
        core = core_of(client)
        sampling = _Sampling(client, measure, interval)
        await asyncio.wrap_future(core.loop.submit(sampling.once()))
        running = core.loop.submit(sampling.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wrap_future(core.loop.submit(sampling.last()))
            self.samples[label] = tuple(sampling.found)

    def to_pandas(self, *, align: bool = False) -> pd.DataFrame:
        """Return the samples as a data frame, a column for each label.

        Parameters
        ----------
        align : bool
            Count times from the start of each block, so that blocks can be compared.

        Examples
        --------
        >>> sampler = MemorySampler()
        >>> with sampler.sample("one"), sampler.sample("two"):
        ...     client.submit(inc, 1).result()
        2
        >>> sorted(sampler.to_pandas(align=True).columns)
        ['one', 'two']
        """
        import pandas as pd

        columns = {}
        for label, samples in self.samples.items():
            column = pd.Series(
                [value for _, value in samples], index=pd.to_datetime([time for time, _ in samples], unit="s")
            )
            column = column[~column.index.duplicated()]
            if align and len(column):
                column.index -= column.index[0]
            columns[label] = column
        if not columns:
            return pd.DataFrame(index=pd.TimedeltaIndex([]) if align else pd.DatetimeIndex([]))
        # Blocks are sampled at different times.
        frame = pd.DataFrame(columns).ffill()
        for label, column in columns.items():
            frame.loc[frame.index > column.index[-1], label] = float("nan")
        return frame

    def plot(self, *, align: bool = False, **kwargs: Any) -> Any:
        """Draw the samples with pandas and matplotlib.

        Parameters
        ----------
        align : bool
            Count times from the start of each block, so that blocks can be compared.
        **kwargs
            Arguments of `pandas.DataFrame.plot`.

        Returns
        -------
        matplotlib.axes.Axes
        """
        frame = self.to_pandas(align=align) / 2**30
        if align:
            frame.index = frame.index.total_seconds()
        options = {"xlabel": "seconds" if align else "time", "ylabel": "Cluster memory (GiB)", **kwargs}
        return frame.plot(**options)


class _Sampling:
    """Samples of one block, taken on dagrpc's loop."""

    def __init__(self, client: Client, measure: str, interval: float) -> None:
        self._client = client
        self._interval = interval
        self._totals = _Totals(measure)
        self.found: list[tuple[float, int]] = []

    async def once(self) -> None:
        """Take a sample."""
        service = diagnostics_rpcs.diagnostics_service(core_of(self._client).session)
        response = await service.call("GetMemory", pb.GetMemoryRequest(), pb.GetMemoryResponse)
        now = time.time()
        self.found.append((now, self._totals.add(response, now)))

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            # A sample that fails is left out.
            with contextlib.suppress(DagrpcError, CommClosedError, TimeoutError):
                await self.once()

    async def last(self) -> None:
        """Take the last sample, unless the cluster has closed."""
        with contextlib.suppress(DagrpcError, CommClosedError, TimeoutError, OSError):
            await self.once()
