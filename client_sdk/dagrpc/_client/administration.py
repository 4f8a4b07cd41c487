"""The part of a client that asks about the cluster and gives it orders."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from dagrpc import config
from dagrpc._client import admin
from dagrpc._client.cluster_info import CachedInfo
from dagrpc._client.connection import NO_DEFAULT, Connection
from dagrpc._client.gather import cancelled_error, futures_in
from dagrpc._client.key_table import CANCELLED
from dagrpc._client.options import Duration, Workers, worker_names
from dagrpc._client.waiting import Deadline, Operation, RunOnLoop, run_awaiting
from dagrpc._codec.calls import result_of
from dagrpc._common.remote_raise import at_surface
from dagrpc._graph.lower import checked_key
from dagrpc.exceptions import FuturesCancelledError
from dagrpc.future import Future
from dagrpc.v1 import scheduler_service_pb2

logger = logging.getLogger("dagrpc.client")

_RESTART_TIMEOUT = 120.0


class Administration(Connection):
    """Questions about the cluster, and orders to it. See `Client`."""

    # --- functions outside the graph -----------------------------------------------------------------------------

    # Options take Any, too, as those of `Client.submit`: they may be in a dict of arguments.

    @at_surface
    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        workers: Workers | Any = None,
        wait: bool | Any = True,
        nanny: bool | Any = False,
        on_error: str | Any = "raise",
        **kwargs: Any,
    ) -> Any:
        """Run a function on workers, outside the task graph.

        Parameters
        ----------
        function : callable
            A function or coroutine function. If it has a parameter ``dask_worker``, that gets the worker.
        *args, **kwargs
            Its arguments.
        workers : str or iterable of str, optional
            Addresses, names or host names; all workers by default.
        wait : bool
            Whether to wait for the function to return.
        nanny : bool
            Whether to run it in the workers' nannies instead.
        on_error : {"raise", "return", "ignore"}
            What to do with an exception: raise it, return it in place of the value, or leave its worker out.

        Returns
        -------
        dict
            What the function returned, by the worker's address. None if nobody waited.

        Examples
        --------
        >>> def where(dask_worker):
        ...     return dask_worker.name
        >>> client.run(where)
        {'127.0.0.1:...': ..., '127.0.0.1:...': ...}
        >>> sorted(client.run(where).values())
        [0, 1]
        """
        if on_error not in ("raise", "return", "ignore"):
            raise ValueError(f"on_error must be 'raise', 'return' or 'ignore', not {on_error!r}")
        calling = admin.run(self._session, function, args, kwargs, workers=workers, wait=wait, nanny=nanny)
        return self._run(self._answers(calling, on_error))

    def _answers(
        self, calling: Coroutine[Any, Any, Sequence[scheduler_service_pb2.RunResult] | None], on_error: str
    ) -> Operation[dict[str, Any] | None]:
        results = yield from self._one(calling)
        return None if results is None else admin.answers(self._session, results, on_error)

    @at_surface
    def run_on_scheduler(self, function: Callable[..., Any], *args: Any, wait: bool = True, **kwargs: Any) -> Any:
        """Run a function on the scheduler, if that was started with user code allowed.

        Parameters
        ----------
        function : callable
            A function or coroutine function. If it has a parameter ``dask_scheduler``, that gets the scheduler.
        *args, **kwargs
            Its arguments.
        wait : bool
            Whether to wait for the function to return. What it raises is in the scheduler's log otherwise.

        Returns
        -------
        object
            What the function returned. None if nobody waited.

        Raises
        ------
        CodeNotAllowedError
            If the scheduler runs no user code.

        Examples
        --------
        >>> def count(dask_scheduler):
        ...     return len(dask_scheduler.workers)
        >>> client.run_on_scheduler(count)
        2
        """
        return self._run(self._answer(admin.run_on_scheduler(self._session, function, args, kwargs, wait)))

    def _answer(self, calling: Coroutine[Any, Any, scheduler_service_pb2.RunResult]) -> Operation[Any]:
        return result_of((yield from self._one(calling)), self._session.families)

    # --- questions -----------------------------------------------------------------------------------------------

    def who_has(self, futures: Any = None, **kwargs: Any) -> Any:
        """Return which workers hold results.

        Parameters
        ----------
        futures : collection, nested structure of futures, or list of keys, optional
            All results by default.

        Returns
        -------
        dict
            Addresses by key.

        Examples
        --------
        >>> future = client.submit(inc, 1, key="x")
        >>> future.result()
        2
        >>> client.who_has(future)
        {'x': ('127.0.0.1:...',)}
        """
        return self._call(admin.who_has(self._session, None if futures is None else self._wire_keys(futures)))

    def _wire_keys(self, futures: Any) -> list[str]:
        """Return keys as on the wire of futures, collections or keys."""
        found = futures_in(futures)
        cancelled = [future for future in found if future.status == CANCELLED]
        if cancelled:
            raise FuturesCancelledError.of(cancelled_error(future.bound_state()) for future in cancelled)
        wire_keys = [future.bound_state().wire_key for future in found]
        if isinstance(futures, (list, tuple, set)):
            for item in futures:
                if isinstance(item, str) and not isinstance(item, Future):
                    wire_keys.append(checked_key(item))
        return wire_keys

    def has_what(self, workers: Workers = None, **kwargs: Any) -> Any:
        """Return which results workers hold.

        Parameters
        ----------
        workers : str or iterable of str, optional
            Addresses or names; all workers by default.

        Returns
        -------
        dict
            Lists of keys by address.

        Examples
        --------
        >>> futures = client.map(inc, range(2))
        >>> client.gather(futures)
        [1, 2]
        >>> client.has_what()
        {'127.0.0.1:...': (...), '127.0.0.1:...': (...)}
        """
        return self._call(admin.has_what(self._session, workers))

    def processing(self, workers: Workers = None) -> Any:
        """Return which tasks workers are busy with.

        Parameters
        ----------
        workers : str or iterable of str, optional
            Addresses or names; all workers by default.

        Returns
        -------
        dict
            Lists of keys by address.

        Examples
        --------
        >>> client.processing()
        {'127.0.0.1:...': (), '127.0.0.1:...': ()}
        """
        return self._call(admin.processing(self._session, workers))

    def nthreads(self, workers: Workers = None, **kwargs: Any) -> Any:
        """Return how many threads workers have.

        Parameters
        ----------
        workers : str or iterable of str, optional
            Addresses, names or host names; all workers by default.

        Returns
        -------
        dict
            Numbers by address.

        Examples
        --------
        >>> client.nthreads()
        {'127.0.0.1:...': 2, '127.0.0.1:...': 2}
        """
        return self._call(admin.nthreads(self._session, workers))

    ncores = nthreads

    def scheduler_info(self, n_workers: int = -1, **kwargs: Any) -> Any:
        """Return what there is to know of the scheduler and its workers.

        Parameters
        ----------
        n_workers : int
            How many workers to describe; all by default.

        Returns
        -------
        dict
            With ``address``, ``n_workers``, ``total_threads``, ``total_memory``, ``workers`` and more. From an
            asynchronous client, too: what was known when it connected, or was last awaited, or is known since this was
            called first, renewed every `client.scheduler-info-interval`. What is known now is there if it is awaited.

        Examples
        --------
        >>> info = client.scheduler_info()
        >>> info["n_workers"], info["total_threads"]
        (2, 4)
        >>> sorted(worker["name"] for worker in info["workers"].values())
        [0, 1]
        """
        self._check_open()
        if not self.asynchronous:
            return self._call(self._news.fetch(n_workers))
        self._news.keep()
        return CachedInfo(self._news.latest(n_workers), lambda: run_awaiting(self._one(self._news.fetch(n_workers))))

    def wait_for_workers(self, n_workers: int, timeout: Duration = None) -> Any:
        """Wait until there are so many workers.

        Parameters
        ----------
        n_workers : int
            How many.
        timeout : number or str, optional
            How long to wait.

        Raises
        ------
        WorkerStartTimeoutError
            If there are not in time; a `TimeoutError`.

        Examples
        --------
        >>> client.wait_for_workers(2, timeout="30 s")
        """
        if not isinstance(n_workers, int) or isinstance(n_workers, bool) or n_workers < 1:
            raise ValueError(f"`n_workers` must be a positive integer. Instead got {n_workers!r}.")
        return self._call(self._wait_for_workers(n_workers, Deadline(config.seconds(timeout))))

    async def _wait_for_workers(self, n_workers: int, deadline: Deadline) -> None:
        await admin.wait_for_workers(self._session, n_workers, deadline)
        # Asynchronous clients look next at what they know of them.
        await self._news.fetch()

    # --- orders --------------------------------------------------------------------------------------------------

    def restart(self, timeout: Duration = NO_DEFAULT, wait_for_workers: bool = True) -> Any:
        """Restart all workers and forget all tasks.

        Futures are cancelled with reason ``scheduler-restart``. Workers without a nanny are only closed: without
        something else that starts workers, they do not come back.

        Parameters
        ----------
        timeout : number or str, optional
            How long to wait for the workers to be back; 2 minutes by default.
        wait_for_workers : bool
            Whether to wait for them.

        Raises
        ------
        TimeoutError
            If a worker is not back in time.

        Examples
        --------
        >>> with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
        ...     future = client.submit(inc, 1)
        ...     client.restart()
        ...     future.status
        'cancelled'
        """
        return self._run(self._restart((), timeout, wait_for_workers, raise_for_error=True, answer=False))

    def restart_workers(
        self, workers: Sequence[str | int], timeout: Duration = NO_DEFAULT, raise_for_error: bool = True
    ) -> Any:
        """Restart some workers; what they held is computed again where it is needed.

        Parameters
        ----------
        workers : list of str or int
            Addresses or names of workers with nannies.
        timeout : number or str, optional
            How long to wait for them to be back.
        raise_for_error : bool
            Whether to raise if one is not back in time.

        Returns
        -------
        dict
            ``"OK"`` or ``"timed out"`` by worker, as it was named; ``"removed"`` if it has just left.

        Raises
        ------
        ValueError
            If one of them has no nanny, or there is none of that name. No worker is restarted then.
        TimeoutError
            If one is not back in time.

        Examples
        --------
        >>> with LocalCluster(n_workers=1) as cluster, Client(cluster) as client:
        ...     client.restart_workers([0])
        {0: 'OK'}
        """
        return self._run(self._restart_some(workers, timeout, raise_for_error))

    def _restart_some(
        self, workers: Sequence[str | int], timeout: Duration, raise_for_error: bool
    ) -> Operation[dict[str | int, str]]:
        given = [workers] if isinstance(workers, (str, int)) else list(workers)
        if not given:
            return {}
        names = worker_names(given)
        outcomes = yield from self._restart(names, timeout, True, raise_for_error=raise_for_error, answer=True)
        as_given = dict(zip(names, given, strict=True))
        return {as_given.get(name, name): outcome for name, outcome in (outcomes or {}).items()}

    def _restart(
        self, workers: Sequence[str], timeout: Duration, wait: bool, *, raise_for_error: bool, answer: bool
    ) -> Operation[dict[str, str] | None]:
        self._check_open()
        seconds = _RESTART_TIMEOUT if timeout == NO_DEFAULT or timeout is None else config.seconds(timeout) or 0.0
        outcomes: dict[str, str] = yield RunOnLoop(
            self._loop, admin.restart(self._session, workers, seconds, wait), Deadline(seconds + 60)
        )
        away = [worker for worker, outcome in outcomes.items() if outcome != "OK"]
        if away and wait and raise_for_error:
            removed = [worker for worker in away if outcomes[worker] == "removed"]
            raise TimeoutError(_late(sorted(away), removed, seconds))
        return outcomes if answer else None

    def shutdown(self) -> Any:
        """Stop the scheduler and all workers, and close this client.

        Examples
        --------
        >>> cluster = LocalCluster(n_workers=1, processes=False)
        >>> client = Client(cluster)
        >>> client.shutdown()
        >>> cluster.status, client.status
        (<Status.closed: 'closed'>, 'closed')
        """
        return self._run(self._shutdown())

    def _shutdown(self) -> Operation[None]:
        self._check_open()
        # A cluster object knows best how to end what it started.
        self._owns_cluster = self.cluster is not None and hasattr(self.cluster, "close")
        if not self._owns_cluster:
            yield RunOnLoop(self._loop, admin.shutdown(self._session), Deadline(60))
        yield from self._close(self._timeout)


def _late(away: Sequence[str], removed: Sequence[str], seconds: float) -> str:
    """Return the message about workers that are not back in time after a restart."""
    text = f"Workers {', '.join(away)} were not back within {seconds:g} s after their restart"
    if removed:
        text += (
            f". {len(removed)} of them have no nanny that could start them again, and were only closed. Unless "
            "something else starts others they will not come back, and every restart will time out: do not use it there"
        )
    return text
