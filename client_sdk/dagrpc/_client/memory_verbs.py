"""The part of a client that says where results are kept, and takes workers out."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from dagrpc._client import moving
from dagrpc._client.administration import Administration
from dagrpc._client.gather import futures_in
from dagrpc._client.key_table import FINISHED
from dagrpc._client.options import Workers, names_nobody, worker_names
from dagrpc._client.waiting import Countdown, Deadline, Operation, RunOnLoop
from dagrpc._common.keys import decode_key


class AMMClientProxy:
    """Steers the scheduler's active memory manager. A client has one as ``amm``.

    Each method returns an awaitable if the client is asynchronous.

    Parameters
    ----------
    client : Client
        Whose scheduler.

    Examples
    --------
    >>> client.amm.running()
    True
    >>> client.amm.stop()
    >>> client.amm.running()
    False
    >>> client.amm.start()
    """

    def __init__(self, client: MemoryVerbs) -> None:
        self._client = client

    def start(self) -> Any:
        """Have it run from time to time.

        Examples
        --------
        >>> client.amm.start()
        """
        return self._do("start")

    def stop(self) -> Any:
        """Have it run no more.

        Examples
        --------
        >>> client.amm.stop()
        >>> client.amm.start()
        """
        return self._do("stop")

    def run_once(self) -> Any:
        """Have it run at once, started or not.

        Examples
        --------
        >>> client.amm.run_once()
        """
        return self._do("run_once")

    def running(self) -> Any:
        """Return whether it is started.

        Examples
        --------
        >>> client.amm.running()
        True
        """
        return self._do("running")

    def _do(self, action: str) -> Any:
        return self._client._call(moving.control_memory_manager(self._client._session, action))


class MemoryVerbs(Administration):
    """Orders about where results are kept. See `Client`."""

    @property
    def amm(self) -> AMMClientProxy:
        """The scheduler's active memory manager: ``start``, ``stop``, ``run_once``, ``running``.

        Examples
        --------
        >>> client.amm.running()
        True
        >>> client.amm.run_once()
        """
        return AMMClientProxy(self)

    def replicate(
        self, futures: Any, n: int | None = None, workers: Workers = None, branching_factor: int = 2, **kwargs: Any
    ) -> Any:
        """Have results copied to more workers, and return once they are there.

        The active memory manager drops copies that no task is about to use: stop it, or configure it without
        ``ReduceReplicas``, if they are to stay.

        Parameters
        ----------
        futures : Future, or collection or nested structure of futures
            The results; they are waited for. Those that failed, and actors, are left out.
        n : int, optional
            On how many workers each is to be; copies beyond that are dropped. All of them by default.
        workers : str or iterable of str, optional
            Addresses, names or host names of the workers to consider; all by default.
        branching_factor : int
            How many workers fetch a result from the same one at a time: the copies spread as a tree.

        Raises
        ------
        ValueError
            If `n` is less than 1.
        KeyError
            If a result is lost, or there is no such worker.

        Examples
        --------
        >>> future = client.scatter([1, 2, 3])
        >>> client.amm.stop()
        >>> client.replicate(future)
        >>> [len(workers) for workers in client.who_has(future).values()]
        [2, 2, 2]
        >>> client.replicate(future, n=1)
        >>> [len(workers) for workers in client.who_has(future).values()]
        [1, 1, 1]
        >>> client.amm.start()
        """
        asynchronous = _asynchronous("replicate", kwargs)
        return self._drive(self._replicate(futures, n, workers, branching_factor), asynchronous)

    def _replicate(self, futures: Any, n: int | None, workers: Workers, branching: int) -> Operation[None]:
        self._check_open()
        if n is not None and n < 1:
            raise ValueError("Can not use replicate to delete data")
        if branching < 1:
            raise ValueError(f"branching_factor is {branching}; it must be at least 1")
        if names_nobody(workers):
            raise ValueError("Can not use replicate to delete data: workers= names nobody")
        wire_keys = yield from self._settled_wires(futures, only_finished=True)
        if not wire_keys:
            return
        missing: list[str] = yield RunOnLoop(
            self._loop, moving.replicate(self._session, wire_keys, n or 0, workers, branching)
        )
        if missing:
            raise KeyError(f"Could not replicate keys: {tuple(decode_key(key) for key in missing)}")

    def rebalance(self, futures: Any = None, workers: Workers = None, **kwargs: Any) -> Any:
        """Have results moved so that workers use about the same amount of memory, and return once that is done.

        Workers that use little, less than ``worker.memory.rebalance.sender-min`` of their limit, keep what they have.

        Parameters
        ----------
        futures : Future, or collection or nested structure of futures, optional
            What may be moved; they are waited for. Anything by default.
        workers : str or iterable of str, optional
            Addresses, names or host names of the workers to look at; all by default.

        Raises
        ------
        KeyError
            If one of the results is not there, or should have moved and did not; or there is no such worker.

        Examples
        --------
        >>> futures = client.scatter([1, 2, 3])
        >>> client.rebalance(futures)
        """
        asynchronous = _asynchronous("rebalance", kwargs)
        return self._drive(self._rebalance(futures, workers), asynchronous)

    def _rebalance(self, futures: Any, workers: Workers) -> Operation[None]:
        self._check_open()
        if names_nobody(workers):
            return
        wire_keys = None
        if futures is not None:
            wire_keys = yield from self._settled_wires(futures, only_finished=False)
        failed: list[str] = yield RunOnLoop(self._loop, moving.rebalance(self._session, wire_keys, workers))
        if failed:
            raise KeyError(f"Could not rebalance keys: {tuple(decode_key(key) for key in failed)}")

    def _settled_wires(self, futures: Any, *, only_finished: bool) -> Operation[list[str]]:
        """Wait for futures and return their keys as on the wire."""
        found = futures_in(futures)
        yield Countdown([future.bound_state() for future in found], Deadline(None))
        wire_keys = self._wire_keys(found)
        if not only_finished:
            return wire_keys
        return [wire_key for wire_key, future in zip(wire_keys, found, strict=True) if future.status == FINISHED]

    def retire_workers(self, workers: Workers = None, close_workers: bool = True, **kwargs: Any) -> Any:
        """Take workers out: what only they hold moves elsewhere, then they close.

        Parameters
        ----------
        workers : str or iterable of str, optional
            Addresses, names or host names. By default those that may go: the idle ones, as far as the others have
            room for all results; of these the ones with least data first.
        close_workers : bool
            As in distributed, workers leave in any case, unless ``remove=False`` is given, too: then they get no more
            tasks, and what they hold others hold, too.
        **kwargs
            ``names``: names of workers, instead of addresses. If none are given: ``n``: how many shall go, idle or
            not; ``minimum`` and ``target``: how many have to stay at least; ``memory_ratio``: how many times the size
            of all results must be left as memory; ``key``: a function of a worker, which the scheduler calls if it is
            allowed to run code: workers for which it returns the same go together. ``remove``: see `close_workers`.

        Returns
        -------
        dict
            What `scheduler_info` said of those that are gone, by address. Workers that hold what cannot be moved,
            because there is nobody to take it or it is an actor, stay and are not in it.

        Examples
        --------
        >>> with LocalCluster(n_workers=2, processes=False) as cluster, Client(cluster) as client:
        ...     retired = client.retire_workers(n=1)
        ...     len(retired), len(client.nthreads())
        (1, 1)
        """
        options = dict(kwargs)
        names = options.pop("names", None)
        close = close_workers or bool(options.pop("remove", True))
        asynchronous = options.pop("asynchronous", None)
        for ignored in ("stimulus_id", "attribute", "remove"):
            options.pop(ignored, None)
        unknown = options.keys() - {"n", "minimum", "target", "memory_ratio", "key"}
        if unknown:
            raise TypeError(f"retire_workers has no parameter {', '.join(sorted(unknown))}")
        if workers is not None and names is not None:
            raise TypeError("Both workers and names say who is to go; give one of them")
        chosen = None if workers is None and names is None else worker_names(workers if workers is not None else names)
        return self._drive(self._retire(chosen, close, **options), asynchronous)

    def _retire(
        self,
        names: list[str] | None,
        close: bool,
        *,
        n: int | None = None,
        minimum: int | None = None,
        target: int | None = None,
        memory_ratio: float | None = None,
        key: Callable[[Any], Hashable] | None = None,
    ) -> Operation[dict[str, dict[str, Any]]]:
        self._check_open()
        for what, number in (("n", n), ("minimum", minimum), ("target", target), ("memory_ratio", memory_ratio)):
            if number is not None and number < 0:
                raise ValueError(f"{what} is {number}; it must be at least 0")
        if names is None:
            stay = max(minimum or 0, target or 0)
            names = yield RunOnLoop(
                self._loop, moving.workers_to_close(self._session, n, stay, memory_ratio or 0.0, key)
            )
        retired: dict[str, dict[str, Any]] = yield RunOnLoop(
            self._loop, moving.retire_workers(self._session, names or [], close=close)
        )
        return retired


def _asynchronous(method: str, kwargs: dict[str, Any]) -> bool | None:
    """Return the one option that all methods take; raise if there are others."""
    unknown = kwargs.keys() - {"asynchronous"}
    if unknown:
        raise TypeError(f"{method} has no parameter {', '.join(sorted(unknown))}")
    asynchronous: bool | None = kwargs.get("asynchronous")
    return asynchronous
