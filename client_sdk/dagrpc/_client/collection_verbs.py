"""The part of a client that computes dask collections and graphs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from dagrpc._client import collections as _collections
from dagrpc._client.administration import Administration
from dagrpc._client.gather import futures_in
from dagrpc._client.options import Duration, explicit_options, worker_names
from dagrpc._common import running_task
from dagrpc._common.remote_raise import at_surface
from dagrpc._graph.lower import nested_keys


class CollectionVerbs(Administration):
    """dask collections and graphs on the cluster. See `Client`."""

    @abstractmethod
    def gather(
        self, futures: Any, errors: str = "raise", direct: bool | None = None, asynchronous: bool | None = None
    ) -> Any:
        """Wait for futures and fetch their results."""

    # --- dask collections ----------------------------------------------------------------------------------------

    @at_surface
    def compute(
        self,
        collections: Any,
        sync: bool = False,
        optimize_graph: bool = True,
        workers: Any = None,
        allow_other_workers: Any = False,
        resources: Mapping[Any, Any] | None = None,
        retries: Any = 0,
        priority: Any = 0,
        fifo_timeout: Duration = "60s",
        actors: Any = None,
        traverse: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Compute dask collections on the cluster.

        Parameters
        ----------
        collections : collection, or list of collections
            What to compute. What is no collection is returned as it is.
        sync : bool
            Whether to wait and return values rather than futures.
        optimize_graph : bool
            Whether dask optimizes the graph first.
        workers, allow_other_workers, resources, retries, priority
            As for `submit`, for all tasks; or by collection in a dict, for the tasks that make its result.
        actors : bool, collection or key, list of these, or dict
            Whether the results are actors; or which results are.
        fifo_timeout : number, str or timedelta
            Submissions closer together than this share a priority.
        traverse : bool
            Whether to look for collections in nested lists and dicts.
        **kwargs
            ``timeout``: how long each task may run, as for `submit`. Others are accepted for compatibility.

        Returns
        -------
        Future, or list of futures
            One for one, a list for several.

        Examples
        --------
        >>> x = dask.delayed(sum)([1, 2])
        >>> client.compute(x).result()
        3
        >>> client.compute(x, sync=True)
        3
        """
        futures = _collections.compute_collections(
            self,
            collections,
            optimize_graph=optimize_graph,
            traverse=traverse,
            given=_given(workers, allow_other_workers, resources, retries, priority, actors, kwargs),
            fifo_timeout=fifo_timeout,
        )
        if not sync:
            return futures
        return self._run(_collections.results(self, futures, futures_in(futures)))

    def persist(
        self,
        collections: Any,
        optimize_graph: bool = True,
        workers: Any = None,
        allow_other_workers: Any = None,
        resources: Mapping[Any, Any] | None = None,
        retries: Any = None,
        priority: Any = 0,
        fifo_timeout: Duration = "60s",
        actors: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Compute dask collections on the cluster and keep the results there.

        Returns at once with collections that stand for the results. The parameters are those of `compute`.

        Returns
        -------
        collection, or list of collections
            One for one, a list for several.

        Examples
        --------
        >>> import dask.array as da
        >>> x = client.persist(da.ones(1000, chunks=100))
        >>> float(x.sum().compute())
        1000.0
        """
        return _collections.persist_collections(
            self,
            collections,
            optimize_graph=optimize_graph,
            given=_given(workers, allow_other_workers, resources, retries, priority, actors, kwargs),
            fifo_timeout=fifo_timeout,
        )

    @at_surface
    def get(
        self,
        dsk: Any,
        keys: Any,
        workers: Any = None,
        allow_other_workers: Any = None,
        resources: Mapping[Any, Any] | None = None,
        sync: bool = True,
        asynchronous: bool | None = None,
        direct: bool | None = None,
        retries: Any = None,
        priority: Any = 0,
        fifo_timeout: Duration = "60s",
        actors: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Compute a dask graph.

        Parameters
        ----------
        dsk : dict, HighLevelGraph or Expr
            The graph.
        keys : key, or nested lists of keys
            What is wanted of it.
        sync : bool
            Whether to wait and return values rather than futures.

        The other parameters are those of `compute` and `gather`.

        Returns
        -------
        Values or futures in the shape of `keys`.

        Raises
        ------
        ValueError
            If the graph has a cycle or lacks a key; names the keys.

        Examples
        --------
        >>> client.get({"x": (sum, [1, 2]), "y": (sum, ["x", "x"])}, ["x", ["y"]])
        [3, [6]]
        """
        futures = _collections.graph_to_futures(
            self,
            dsk,
            nested_keys(keys),
            _given(workers, allow_other_workers, resources, retries, priority, actors, kwargs),
            fifo_timeout,
        )
        nested = _collections.nest(keys, futures)
        if not sync:
            return nested
        # dask.compute in a task comes here: what it waits for may need the task's own thread.
        with running_task.stepped_aside():
            operation = _collections.results(self, nested, futures.values(), direct)
            return self._drive(operation, asynchronous)


def _given(
    workers: Any,
    allow_other_workers: Any,
    resources: Any,
    retries: Any,
    priority: Any,
    actors: Any,
    others: Mapping[str, Any],
) -> dict[str, Any]:
    return explicit_options(
        workers=workers,
        # Of collections, unlike calls, it may be said though no workers are named.
        allow_other_workers=allow_other_workers if worker_names(workers) else False,
        resources=resources,
        retries=retries,
        priority=priority,
        actor=actors,
        timeout=others.get("timeout"),
    )
