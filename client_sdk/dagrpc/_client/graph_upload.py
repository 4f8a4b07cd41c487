"""Uploads dask graphs, part by part while they are being encoded."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from dask.base import is_dask_collection

from dagrpc._client.adopt_futures import adopt_futures
from dagrpc._client.arguments import check_size, excess, warn_if_large
from dagrpc._client.client_core import ClientCore, core_of
from dagrpc._client.commands import Digest, Part
from dagrpc._client.key_table import lock
from dagrpc._client.lifecycle import live_clients
from dagrpc._client.submission_options import active_annotations, fifo_seconds, task_options
from dagrpc._graph.lower import EncodedTask, LoweredGraph, lower, nested_keys
from dagrpc._graph.materialize import Annotations, annotation_for
from dagrpc.future import Future
from dagrpc.v1.graph_pb2 import TaskOptions


def graph_to_futures(
    core: ClientCore, graph: Any, keys: Iterable[Hashable], given: Mapping[str, Any], fifo_timeout: Any
) -> dict[Hashable, Future[Any]]:
    """Submit a graph and return futures of the wanted keys.

    `given` are options of the tasks, for all tasks or by key. Submissions closer together than `fifo_timeout` share a
    priority.
    """
    core.check_open()
    core.session.drop_released()
    wanted = list(dict.fromkeys(keys))
    known: dict[str, Future[Any]] = {}

    def is_known(wire_key: str) -> bool:
        # A future keeps the key until the graph is queued, so that it is not released before.
        if wire_key in known:
            return True
        state = core.table.acquire(wire_key)
        if state is None:
            return False
        known[wire_key] = Future._of(state, core, core.client)
        return True

    foreign: dict[str, Future[Any]] = {}

    def is_elsewhere(wire_key: str) -> bool:
        future = _held_by_others(core, wire_key)
        if future is not None:
            foreign[wire_key] = future
        return future is not None

    try:
        lowered, annotations = lower(graph, wanted, is_known, is_elsewhere)
        adopt_futures(core, [foreign])
    except BaseException:
        release((*known.values(), *foreign.values()))
        raise
    known.update(foreign)
    upload = _Upload(core, lowered, _merge(annotations, given, lowered.nodes), fifo_seconds(fifo_timeout))
    return upload.run(wanted, known)


def _held_by_others(core: ClientCore, wire_key: str) -> Future[Any] | None:
    """Return a future that another client of this process holds of a key on the same cluster; None if none does.

    dask's optimizations replace futures by their keys.
    """
    cluster = core.session.welcome.scheduler_id
    for client in live_clients():
        other = core_of(client)
        if other is not core and other.session.welcome.scheduler_id == cluster:
            state = other.table.acquire(wire_key)
            if state is not None:
                return Future._of(state, other, client)
    return None


def _merge(annotations: Annotations, given: Mapping[str, Any], nodes: Collection[Hashable]) -> Annotations:
    """Return the annotations of each key.

    Active annotations are overridden by the options of the submission, these by annotations of layers, and these by
    options that name keys.
    """
    active = active_annotations()
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
    """Return an option for single collections or keys by key; None if the option is for all tasks.

    An option by collection looks like ``workers={x: "alice", (y, z): ["bob"]}`` with collections or keys ``x``, ``y``
    and ``z``.
    """
    if not isinstance(value, Mapping):
        if name in ("allow_other_workers", "actor") and isinstance(value, (list, tuple, set, frozenset)):
            return {key: True for item in value for key in keys_of(item)}
        if name == "actor" and not isinstance(value, bool):
            return dict.fromkeys(keys_of(value), True)
        return None
    if name == "resources" and not any(isinstance(amount, Mapping) for amount in value.values()):
        return None
    return {key: entry for item, entry in value.items() for key in keys_of(item)}


def keys_of(item: Any) -> Iterator[Hashable]:
    """Yield the keys of a collection or of a tuple of collections; any other object is a key."""
    if is_dask_collection(item):
        yield from nested_keys(item.__dask_keys__())
    elif isinstance(item, tuple) and any(is_dask_collection(part) for part in item):
        for part in item:
            yield from keys_of(part)
    else:
        yield item


class _Upload:
    """Sends one graph, part by part, while it is being encoded."""

    def __init__(self, core: ClientCore, graph: LoweredGraph, annotations: Annotations, fifo_timeout: float) -> None:
        self._core = core
        self._graph = graph
        self._annotations = annotations
        self._fifo_timeout = fifo_timeout
        self._graph_id = uuid.uuid4().hex
        self._options: dict[str, TaskOptions | None] = {}
        """Options by the text of the annotations, so that equal options are one object."""
        self._held: list[Digest] = []
        self._futures: dict[str, Future[Any]] = {}
        self._nbytes = 0
        self._sent = False
        """Whether a part was sent already."""

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
                self._core.session.send(Part(self._graph_id, last=True))
                raise
            finally:
                self._core.shared.release(self._held)
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
        """Queue a part, with the shared values that no earlier part refers to."""
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
                # Held for the following parts.
                self._core.shared.hold(digest, values[digest])
                self._held.append(digest)
        self._nbytes += sum(excess(task[2]) for task in part.tasks)
        client = self._core.client
        with lock:
            for key, wire_key in part.wanted:
                state, _ = self._core.table.create(key, wire_key)
                self._futures[wire_key] = Future._of(state, self._core, client)
            self._core.session.send(part)

    def _options_of(self, key: Hashable) -> TaskOptions | None:
        given = {name: values[key] for name, values in self._annotations.items() if key in values}
        if not given:
            return None
        content = repr(given)
        if content not in self._options:
            self._options[content] = task_options(given)
        return self._options[content]


class _GraphPart(Part):
    """A graph part that is being made."""

    __slots__ = ("_option_positions", "_shared_positions", "wanted")

    def __init__(self, graph_id: str, fifo_timeout: float) -> None:
        super().__init__(graph_id, fifo_timeout)
        self._shared_positions: dict[Digest, int] = {}
        self._option_positions: dict[int, int] = {}
        self.wanted: list[tuple[Hashable, str]] = []
        """Keys and wire keys of the tasks that futures are made for."""

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


def release(futures: Iterable[Future[Any]]) -> None:
    """Release futures now: an exception keeps its frames alive, and these keep futures."""
    for future in futures:
        future.release()
