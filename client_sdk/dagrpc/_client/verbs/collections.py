"""dask collections and graphs: `compute`, `persist`, `get`, and helpers for collections."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from dask._expr import FinalizeCompute, HLGExpr
from dask._task_spec import convert_legacy_graph
from dask.base import collections_to_expr, is_dask_collection
from dask.delayed import delayed
from dask.utils import ensure_dict

from dagrpc._client.client_core import ClientCore, HasCore
from dagrpc._client.find_futures import futures_in
from dagrpc._client.gather import gather
from dagrpc._client.graph_upload import graph_to_futures, keys_of, release
from dagrpc._client.submission_options import Duration, Workers, explicit_options, worker_names
from dagrpc._client.waiting import Operation
from dagrpc._common import running_task
from dagrpc._common.keys import encode_key
from dagrpc._common.remote_raise import at_surface
from dagrpc._graph.lower import nested_keys
from dagrpc.completion import futures_of as futures_of_collection
from dagrpc.future import Future


@at_surface
def compute(
    self: HasCore,
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
        The collections. Values that are not collections are returned as they are.
    sync : bool
        Whether to wait and return values rather than futures.
    optimize_graph : bool
        Whether dask optimizes the graph first.
    workers, allow_other_workers, resources, retries, priority
        As for `submit`, for all tasks. In a dict by collection: for the tasks that make the result of the collection.
    actors : bool, collection or key, list of these, or dict
        Whether the results are actors, or which results are.
    fifo_timeout : number, str or timedelta
        Submissions closer together than this time share a priority.
    traverse : bool
        Whether to look for collections in nested lists and dicts.
    **kwargs
        ``timeout``: how long each task may run, as for `submit`. Others are accepted for compatibility.

    Returns
    -------
    Future, or list of futures
        A future for one collection, a list for several.

    Examples
    --------
    >>> x = dask.delayed(sum)([1, 2])
    >>> client.compute(x).result()
    3
    >>> client.compute(x, sync=True)
    3
    """
    core = self._core
    given = _given(workers, allow_other_workers, resources, retries, priority, actors, kwargs)
    single = not isinstance(collections, (list, tuple, set, frozenset))
    items = [collections] if single else list(collections)
    if traverse:
        items = [delayed(item) if isinstance(item, (list, set, tuple, dict, Iterator)) else item for item in items]
    places = [position for position, item in enumerate(items) if is_dask_collection(item)]
    if places:
        arranged, order = _arrange([items[position] for position in places], optimize_graph)
        expression: Any = FinalizeCompute(collections_to_expr(arranged, optimize_graph))  # type: ignore[no-untyped-call]
        expression = expression.optimize()
        keys = list(nested_keys(expression.__dask_keys__()))
        found = graph_to_futures(core, expression, keys, given, fifo_timeout)
        for position, key in zip(order, keys, strict=True):
            items[places[position]] = found[key]
    futures = items[0] if single else items
    return core.run(_results(core, futures, futures_in(futures))) if sync else futures


def persist(
    self: HasCore,
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

    Returns immediately, with collections that stand for the results. The parameters are those of `compute`.

    Returns
    -------
    collection, or list of collections
        A collection for one, a list for several.

    Examples
    --------
    >>> import dask.array as da
    >>> x = client.persist(da.ones(1000, chunks=100))
    >>> float(x.sum().compute())
    1000.0
    """
    given = _given(workers, allow_other_workers, resources, retries, priority, actors, kwargs)
    single = not isinstance(collections, (list, tuple, set, frozenset))
    items = [collections] if single else list(collections)
    for item in items:
        if not is_dask_collection(item):
            raise TypeError(f"persist wants dask collections, not {item!r}")
    if not items:
        return []
    arranged, order = _arrange(items, optimize_graph)
    expression: Any = collections_to_expr(arranged, optimize_graph).optimize()
    keys = expression.__dask_keys__()
    futures = graph_to_futures(self._core, expression, nested_keys(keys), given, fifo_timeout)
    composites = list(expression.operands) if type(expression).__name__ == "_ExprSequence" else []
    for place, (position, collection_keys) in enumerate(zip(order, keys, strict=True)):
        own = {key: futures[key] for key in nested_keys(collection_keys)}
        composite = composites[place] if place < len(composites) else None
        if type(composite).__name__ == "CompositeExpr":
            items[position] = _rebuild_composite(items[position], composite, own)
        else:
            rebuild, state = items[position].__dask_postpersist__()
            items[position] = rebuild(own, *state)
    return items[0] if single else items


@at_surface
def get(
    self: HasCore,
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
        The keys whose values are wanted.
    sync : bool
        Whether to wait and return values rather than futures.

    The other parameters are those of `compute` and `gather`.

    Returns
    -------
    Values or futures in the shape of `keys`.

    Raises
    ------
    ValueError
        If the graph has a cycle or lacks a key; the message names the keys.

    Examples
    --------
    >>> client.get({"x": (sum, [1, 2]), "y": (sum, ["x", "x"])}, ["x", ["y"]])
    [3, [6]]
    """
    core = self._core
    given = _given(workers, allow_other_workers, resources, retries, priority, actors, kwargs)
    futures = graph_to_futures(core, dsk, nested_keys(keys), given, fifo_timeout)
    nested = _nest(keys, futures)
    if not sync:
        return nested
    # dask.compute in a task calls this: the tasks that it waits for may need the thread of the task.
    with running_task.stepped_aside():
        return core.run(_results(core, nested, futures.values(), direct), asynchronous)


def _given(
    workers: Any,
    allow_other_workers: Any,
    resources: Any,
    retries: Any,
    priority: Any,
    actors: Any,
    others: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the options of a submission that are not left at their defaults."""
    return explicit_options(
        workers=workers,
        # Unlike `submit`, collections accept this option without workers.
        allow_other_workers=allow_other_workers if worker_names(workers) else False,
        resources=resources,
        retries=retries,
        priority=priority,
        actor=actors,
        timeout=others.get("timeout"),
    )


def _arrange(collections: Sequence[Any], optimize_graph: bool) -> tuple[list[Any], list[int]]:
    """Return collections in an order that dask keeps, and the original position of each.

    dask optimizes collections of one kind together and returns their keys kind by kind.
    """
    expressions = collections_to_expr(list(collections), optimize_graph).operands
    kinds: dict[Any, list[int]] = {}
    for position, expression in enumerate(expressions):
        kind = expression.low_level_optimizer if isinstance(expression, HLGExpr) else None
        kinds.setdefault(kind, []).append(position)
    places = [position for positions in kinds.values() for position in positions]
    return [collections[position] for position in places], places


def _rebuild_composite(collection: Any, expression: Any, graph: dict[Hashable, Any]) -> Any:
    """Return a collection that consists of several expressions on top of its results."""
    # A private function of dask, which has no public one for this.
    from dask.base import _rebuild_composite_collection

    return _rebuild_composite_collection(collection, expression, graph, cull_to_child_keys=True)


def _results(
    core: ClientCore, futures: Any, owned: Iterable[Future[Any]], direct: bool | None = None
) -> Operation[Any]:
    """Fetch the results of a computation, and release its futures in any case."""
    try:
        return (yield from gather(core, futures, "raise", direct))
    finally:
        release(owned)


def _nest(keys: Any, values: Mapping[Hashable, Any]) -> Any:
    """Return values in the shape of nested lists of keys."""
    if isinstance(keys, list):
        return [_nest(key, values) for key in keys]
    return values[keys]


# --- helpers for collections -----------------------------------------------------------------------------------------


def futures_of(self: HasCore, futures: Any) -> list[Future[Any]]:
    """Return the futures in a collection or nested structure. See `dagrpc.futures_of`.

    Parameters
    ----------
    futures : object
        The collection or structure.

    Examples
    --------
    >>> import dask.array as da
    >>> client.futures_of(client.persist(da.ones(2, chunks=1)))
    [<Future: ..., key: ('ones_like-...', 0)>, <Future: ..., key: ('ones_like-...', 1)>]
    """
    return futures_of_collection(futures, client=self)


def normalize_collection(self: HasCore, collection: Any) -> Any:
    """Return a collection whose graph has futures in place of tasks that this client has on the cluster.

    Submitting a collection does the same. This method shows the tasks that are left to submit.

    Parameters
    ----------
    collection : collection
        The collection.

    Examples
    --------
    >>> x = dask.delayed(inc)(1)
    >>> future = client.compute(x)
    >>> client.normalize_collection(x).compute()  # waits for the task of `future`
    2
    """
    if not is_dask_collection(collection):
        raise TypeError(f"normalize_collection wants a dask collection, not {collection!r}")
    core = self._core
    graph = ensure_dict(collection.__dask_graph__())
    known: dict[Hashable, Any] = {}
    for key in graph:
        state = core.table.acquire(encode_key(key))
        if state is not None:
            known[key] = Future._of(state, core, self)
    if not known:
        return collection
    rebuild, arguments = collection.__dask_postpersist__()
    return rebuild(_culled(graph, known, nested_keys(collection.__dask_keys__())), *arguments)


def _culled(
    graph: dict[Hashable, Any], known: dict[Hashable, Future[Any]], keys: Iterable[Hashable]
) -> dict[Hashable, Any]:
    """Return the part of a graph that leads to some keys, with futures for known keys."""
    # Tasks in dask's older form, tuples, do not name their dependencies.
    nodes = convert_legacy_graph(graph)
    needed: dict[Hashable, Any] = {}
    left = list(keys)
    while left:
        key = left.pop()
        if key in needed or key not in graph:
            continue
        if key in known:
            needed[key] = known[key]
        else:
            # A key without a node is a future already.
            node = nodes.get(key)
            needed[key] = graph[key] if node is None else node
            left.extend(() if node is None else node.dependencies)
    return needed


def get_restrictions(
    cls: type[Any], collections: Any, workers: Workers | dict[Any, Any], allow_other_workers: Any
) -> tuple[dict[Hashable, list[str]], list[Hashable]]:
    """Return the workers that may run the tasks of collections, and the tasks that other workers may run, too.

    Parameters
    ----------
    collections : list of collections
        The collections.
    workers : str, iterable of str, or dict
        Names of workers; or names by collection or tuple of collections.
    allow_other_workers : bool, or list of collections
        Whether other workers may run the tasks, or whose tasks.

    Examples
    --------
    >>> x = dask.delayed(inc)(1, dask_key_name="x")
    >>> Client.get_restrictions([x], {x: "alice"}, allow_other_workers=False)
    ({'x': ['alice']}, [])
    """
    by_collection = workers if isinstance(workers, dict) else {tuple(collections): workers}
    restrictions: dict[Hashable, list[str]] = {}
    for item, names in by_collection.items():
        for key in keys_of(item):
            restrictions.setdefault(key, []).extend(worker_names(names))
    if allow_other_workers is True:
        return restrictions, list(restrictions)
    loose = [key for item in allow_other_workers or () for key in keys_of(item)]
    return restrictions, loose
