"""dask collections and graphs on the cluster: `compute`, `persist` and `get`."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dask._expr import FinalizeCompute, HLGExpr
from dask.base import collections_to_expr, get_annotations, is_dask_collection
from dask.delayed import delayed

from dagrpc._client.arguments import check_size, excess, warn_if_large
from dagrpc._client.commands import Digest, Part
from dagrpc._client.connection import live_clients
from dagrpc._client.gather import gather
from dagrpc._client.key_table import lock
from dagrpc._client.options import fifo_seconds, task_options
from dagrpc._client.submit import adopt
from dagrpc._client.waiting import Operation
from dagrpc._graph.lower import EncodedTask, LoweredGraph, lower, nested_keys
from dagrpc._graph.materialize import Annotations, annotation_for
from dagrpc.future import Future
from dagrpc.v1.graph_pb2 import TaskOptions

if TYPE_CHECKING:
    from dagrpc._client.connection import Connection

__all__ = ["compute_collections", "graph_to_futures", "nest", "persist_collections"]


def graph_to_futures(
    client: Connection, graph: Any, keys: Iterable[Hashable], given: Mapping[str, Any], fifo_timeout: Any
) -> dict[Hashable, Future[Any]]:
    """Submit a graph and return futures of the wanted keys.

    Parameters
    ----------
    graph : Expr, HighLevelGraph or mapping
        The graph.
    keys : iterable
        The wanted keys.
    given : mapping
        How to run the tasks: for all of them, or by key.
    fifo_timeout : number, str or timedelta
        Submissions closer together than this share a priority.
    """
    client._check_open()
    client._session.drop_released()
    wanted = list(dict.fromkeys(keys))
    known: dict[str, Future[Any]] = {}

    def is_known(wire_key: str) -> bool:
        # Kept until the graph is queued, so that what it relies on is not released before.
        if wire_key in known:
            return True
        state = client._table.acquire(wire_key)
        if state is None:
            return False
        known[wire_key] = Future._of(state, client)
        return True

    foreign: dict[str, Future[Any]] = {}

    def is_elsewhere(wire_key: str) -> bool:
        future = _held_by_others(client, wire_key)
        if future is not None:
            foreign[wire_key] = future
        return future is not None

    try:
        lowered, annotations = lower(graph, wanted, is_known, is_elsewhere)
        adopt(client, [foreign])
    except BaseException:
        release((*known.values(), *foreign.values()))
        raise
    known.update(foreign)
    upload = _Upload(client, lowered, _merge(annotations, given, lowered.nodes), fifo_seconds(fifo_timeout))
    return upload.run(wanted, known)


def _held_by_others(client: Connection, wire_key: str) -> Future[Any] | None:
    """Return a future of a key that another client of this program holds, on the same cluster; None if none does.

    dask has keys only in the place of futures in what it has optimized.
    """
    for other in live_clients():
        if other is not client and other._session.welcome.scheduler_id == client._session.welcome.scheduler_id:
            state = other._table.acquire(wire_key)
            if state is not None:
                return Future._of(state, other)
    return None


def _merge(annotations: Annotations, given: Mapping[str, Any], nodes: Collection[Hashable]) -> Annotations:
    """Return what holds for each key: what is active, over that the arguments of the submission, over both the layers.

    Arguments that name keys go before all.
    """
    active = get_annotations()
    if not given and not active:
        return annotations
    by_key = {name: named for name, value in given.items() if (named := _by_key(name, value)) is not None}
    merged: dict[str, Mapping[Hashable, Any]] = dict(annotations)
    for name, value in {**active, **given}.items():
        found: dict[Hashable, Any] = {}
        if name not in by_key:
            found = {key: annotation_for(value, key) for key in nodes}
        elif name in active:
            found = {key: annotation_for(active[name], key) for key in nodes}
        merged[name] = {**found, **annotations.get(name, {}), **by_key.get(name, {})}
    return merged


def _by_key(name: str, value: Any) -> dict[Hashable, Any] | None:
    """Return an argument that says something for each of several collections by key, None if it is for all.

    ``workers={x: "alice", (y, z): ["bob"]}``; collections and keys may stand where ``x``, ``y`` and ``z`` do.
    """
    if not isinstance(value, Mapping):
        if name in ("allow_other_workers", "actor") and isinstance(value, (list, tuple, set, frozenset)):
            return {key: True for item in value for key in _keys_of(item)}
        if name == "actor" and not isinstance(value, bool):
            return dict.fromkeys(_keys_of(value), True)
        return None
    if name == "resources" and not any(isinstance(amount, Mapping) for amount in value.values()):
        return None
    return {key: entry for item, entry in value.items() for key in _keys_of(item)}


def _keys_of(item: Any) -> Iterator[Hashable]:
    if is_dask_collection(item):
        yield from nested_keys(item.__dask_keys__())
    elif isinstance(item, tuple) and any(is_dask_collection(part) for part in item):
        for part in item:
            yield from _keys_of(part)
    else:
        yield item


class _Upload:
    """Sends one graph, part by part, while it is being encoded."""

    def __init__(self, client: Connection, graph: LoweredGraph, annotations: Annotations, fifo_timeout: float) -> None:
        self._client = client
        self._graph = graph
        self._annotations = annotations
        self._fifo_timeout = fifo_timeout
        self._graph_id = uuid.uuid4().hex
        self._options: dict[str, TaskOptions | None] = {}
        """Options by what the annotations say, so that equal ones are one object."""
        self._held: list[Digest] = []
        self._futures: dict[str, Future[Any]] = {}
        self._nbytes = 0
        self._sent = False
        """Whether there was a part already."""

    def run(self, wanted: Sequence[Hashable], known: Mapping[str, Future[Any]]) -> dict[Hashable, Future[Any]]:
        """Send the graph and return futures of the wanted keys, in their order."""
        wire_keys = self._graph.wire_keys
        self._futures.update(known)
        if len(self._graph):
            try:
                self._send_all({wire_keys[key] for key in wanted})
            except BaseException:
                for wire_key in self._futures.keys() - known.keys():
                    self._futures[wire_key].release()
                # The scheduler keeps the tasks of a graph until its last part has come.
                self._client._session.send(Part(self._graph_id, last=True))
                raise
            finally:
                self._client._shared.let_go(self._held)
            warn_if_large(self._nbytes, "the graph")
        return {key: self._futures[wire_keys[key]] for key in wanted}

    def _send_all(self, wanted: Collection[str]) -> None:
        part = _GraphPart(self._graph_id, self._fifo_timeout)
        for task in self._graph.encode():
            if part.full:
                if not self._sent:
                    part.groups = self._graph.groups()
                self._send(part)
                part = _GraphPart(self._graph_id, self._fifo_timeout)
            check_size(len(task.run_spec), f"task {task.key!r}")
            position = part.add_options(self._options_of(task.key)) if self._annotations else 0
            part.add_task(task, position, task.wire_key in wanted)
        part.last = True
        self._send(part)

    def _send(self, part: _GraphPart) -> None:
        """Queue a part, with the shared values that it is the first to refer to."""
        self._sent = True
        values = self._graph.encoder.shared
        for position, (digest, _) in enumerate(part.shared):
            if digest in self._held:
                continue
            check_size(len(values[digest]), "a value that several tasks of the graph share")
            self._nbytes += len(values[digest])
            if part.last:
                part.shared[position] = (digest, values[digest])
            else:
                # Held for the parts to come.
                self._client._shared.hold(digest, values[digest])
                self._held.append(digest)
        self._nbytes += sum(excess(task[2]) for task in part.tasks)
        with lock:
            for key, wire_key in part.wanted:
                state, _ = self._client._table.create(key, wire_key)
                self._futures[wire_key] = Future._of(state, self._client)
            self._client._session.send(part)

    def _options_of(self, key: Hashable) -> TaskOptions | None:
        given = {name: values[key] for name, values in self._annotations.items() if key in values}
        if not given:
            return None
        content = repr(given)
        if content not in self._options:
            self._options[content] = task_options(given)
        return self._options[content]


class _GraphPart(Part):
    """A part of a graph in the making."""

    __slots__ = ("_option_positions", "_shared_positions", "wanted")

    def __init__(self, graph_id: str, fifo_timeout: float) -> None:
        super().__init__(graph_id, fifo_timeout)
        self._shared_positions: dict[Digest, int] = {}
        self._option_positions: dict[int, int] = {}
        self.wanted: list[tuple[Hashable, str]] = []
        """Keys of which there are to be futures, as users see them and as on the wire."""

    def add_options(self, options: TaskOptions | None) -> int:
        """Return the position of options plus one, 0 for none."""
        if options is None:
            return 0
        position = self._option_positions.get(id(options), 0)
        if not position:
            self.options.append(options)
            position = self._option_positions[id(options)] = len(self.options)
        return position

    def add_task(self, task: EncodedTask, options: int, wanted: bool) -> None:
        """Add a task."""
        positions = []
        for digest in task.shared:
            position = self._shared_positions.get(digest)
            if position is None:
                position = self._shared_positions[digest] = len(self.shared)
                self.shared.append((digest, b""))
            positions.append(position)
        if wanted:
            self.wanted.append((task.key, task.wire_key))
        self.add((task.wire_key, task.dependencies, task.run_spec, positions, options, task.order, wanted))


# --- collections -------------------------------------------------------------------------------------------------


def _arrange(collections: Sequence[Any], optimize_graph: bool) -> tuple[list[Any], list[int]]:
    """Return collections in an order that dask keeps, and the place of each in the order given.

    dask optimizes collections of one kind together and returns their keys kind by kind.
    """
    expressions = collections_to_expr(list(collections), optimize_graph).operands
    kinds: dict[Any, list[int]] = {}
    for position, expression in enumerate(expressions):
        kind = expression.low_level_optimizer if isinstance(expression, HLGExpr) else None
        kinds.setdefault(kind, []).append(position)
    places = [position for positions in kinds.values() for position in positions]
    return [collections[position] for position in places], places


def compute_collections(
    client: Connection,
    collections: Any,
    *,
    optimize_graph: bool,
    traverse: bool,
    given: Mapping[str, Any],
    fifo_timeout: Any,
) -> Any:
    """Submit collections and return futures of their values in their places: one for one, a list for several."""
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
        futures = graph_to_futures(client, expression, keys, given, fifo_timeout)
        for position, key in zip(order, keys, strict=True):
            items[places[position]] = futures[key]
    return items[0] if single else items


def persist_collections(
    client: Connection, collections: Any, *, optimize_graph: bool, given: Mapping[str, Any], fifo_timeout: Any
) -> Any:
    """Submit collections and return collections that stand for the results on the cluster."""
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
    futures = graph_to_futures(client, expression, nested_keys(keys), given, fifo_timeout)
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


def _rebuild_composite(collection: Any, expression: Any, graph: dict[Hashable, Any]) -> Any:
    """Return a collection that consists of several expressions on top of its results."""
    # dask has one for itself; a public one would be better.
    from dask.base import _rebuild_composite_collection

    return _rebuild_composite_collection(collection, expression, graph, cull_to_child_keys=True)


def results(
    client: Connection, futures: Any, owned: Iterable[Future[Any]], direct: bool | None = None
) -> Operation[Any]:
    """Fetch the results of a computation, and let go of all that belongs to it, whether there are results or not."""
    try:
        return (yield from gather(client, futures, "raise", direct))
    finally:
        release(owned)


def release(futures: Iterable[Future[Any]]) -> None:
    """Let go of futures now: an exception keeps the frames that it came through, and these keep futures."""
    for future in futures:
        future.release()


def nest(keys: Any, values: Mapping[Hashable, Any]) -> Any:
    """Return values in the shape of nested lists of keys."""
    if isinstance(keys, list):
        return [nest(key, values) for key in keys]
    return values[keys]
