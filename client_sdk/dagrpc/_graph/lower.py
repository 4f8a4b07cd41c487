"""Lowers dask graphs to tasks in the order of execution.

The input is an expression, a high-level graph, or a dict of tasks in dask's older or newer form. The output contains
only the tasks that are needed, no avoidable aliases, and the wire key of each task.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from dask._task_spec import Alias, resolve_aliases
from dask.order import order as dask_order

from dagrpc._codec.graphs import GraphEncoder
from dagrpc._codec.references import Digest
from dagrpc._common.keys import encode_key
from dagrpc._graph.materialize import Nodes, materialize
from dagrpc.exceptions import GraphError

_KEY_LIMIT = 16 * 1024
_SHUFFLE_BARRIER = "P2PBarrierTask"
"""Name of the type of barrier tasks, by which P2P shuffles are recognized."""


@dataclass(slots=True)
class EncodedTask:
    """An encoded task."""

    key: Hashable
    wire_key: str
    dependencies: list[str]
    run_spec: bytes
    shared: tuple[Digest, ...]
    order: int


class LoweredGraph:
    """A graph that is ready to be encoded.

    `nodes` are the needed tasks by key, `order` the place of each in the order of execution, `wire_keys` the wire keys
    of tasks and dependencies, `external` the dependencies outside of the graph.
    """

    def __init__(
        self,
        nodes: Nodes,
        order: Mapping[Hashable, int],
        wire_keys: dict[Hashable, str],
        external: Collection[Hashable],
    ) -> None:
        self.nodes = nodes
        self.order = order
        self.wire_keys = wire_keys
        self.external = external
        self.encoder = GraphEncoder()

    def __len__(self) -> int:
        return len(self.nodes)

    def groups(self) -> set[str]:
        """Return the names in tuple keys. Equal names in another graph belong to the same tasks.

        The first item of a tuple key is a name that dask derives from the computation. Other keys may be any names.
        """
        return {key[0] for key in self.nodes if type(key) is tuple and key and type(key[0]) is str}

    def encode(self) -> Iterator[EncodedTask]:
        """Yield the tasks in the order of execution, dependencies first.

        Raises
        ------
        TypeError
            If a task cannot be pickled; the message names the task.
        """
        wire_keys, encoder, order = self.wire_keys, self.encoder, self.order
        for key in sorted(self.nodes, key=order.__getitem__):
            node = self.nodes[key]
            originals = tuple(node.dependencies)
            dependencies = [wire_keys[dependency] for dependency in originals]
            same = all(map(_is, originals, dependencies))
            try:
                run_spec, digests = encoder.encode(node, None if same else originals)
            except Exception as error:
                raise TypeError(f"Could not pickle task {key!r}: {type(error).__name__}: {error}") from error
            if encoder.references:
                self._add_references(originals, dependencies)
                run_spec, digests = encoder.encode(node, originals + tuple(dependencies[len(originals) :]))
            yield EncodedTask(key, wire_keys[key], dependencies, run_spec, digests, order[key])

    def _add_references(self, originals: tuple[Hashable, ...], dependencies: list[str]) -> None:
        """Add the futures inside a task to its dependencies."""
        for wire_key in self.encoder.references:
            if wire_key not in dependencies:
                dependencies.append(wire_key)


def _is(first: object, second: object) -> bool:
    return first is second


def lower(
    graph: Any,
    keys: Iterable[Hashable],
    is_known: Callable[[str], bool] = lambda wire_key: False,
    is_elsewhere: Callable[[str], bool] = lambda wire_key: False,
) -> tuple[LoweredGraph, dict[str, dict[Hashable, Any]]]:
    """Return a graph that is ready to be encoded, and its annotations by name and key.

    `is_known` tells of a wire key whether the client has the key on the cluster: such a task is not sent again.
    `is_elsewhere` tells whether another client has it, and is asked only about keys without a task in the graph.

    Raises
    ------
    GraphError
        If there is a cycle, or if a wanted key or a dependency is missing; the message names the keys.
    """
    nodes, annotations = materialize(graph)
    if any(kind.__name__ == _SHUFFLE_BARRIER for kind in set(map(type, nodes.values()))):
        from dagrpc.shuffle.graph import prepare_shuffles

        nodes = prepare_shuffles(nodes)
    wire_keys: dict[Hashable, str] = {}
    wanted = list(dict.fromkeys(keys))
    nodes, external = _cull(nodes, wanted, wire_keys, is_known, is_elsewhere)
    if any(type(node) is Alias for node in nodes.values()):
        nodes = _without_aliases(nodes, wanted)
        nodes, external = _cull(nodes, wanted, wire_keys, is_known, is_elsewhere)
    return LoweredGraph(nodes, _order(nodes), wire_keys, external), annotations


def checked_key(key: Any) -> str:
    """Return the wire key of a key.

    Raises
    ------
    TypeError
        If the key is not a str, bytes, int, float or a tuple of these.
    ValueError
        If the key is too long, or cannot be written as UTF-8.
    """
    if not isinstance(key, (str, tuple, bytes, int, float)):
        raise TypeError(f"A key must be a str, bytes, int, float or a tuple of these, not {key!r}")
    wire_key = encode_key(key)
    if len(wire_key) > _KEY_LIMIT // 4 and len(wire_key.encode("utf-8", "replace")) > _KEY_LIMIT:
        raise ValueError(f"A key must not be longer than {_KEY_LIMIT:,} bytes: {wire_key[:50]}...")
    if not wire_key.isascii():
        try:
            wire_key.encode()
        except UnicodeEncodeError:
            raise ValueError(f"A key must be text that can be written as UTF-8, not {key!r}") from None
    return wire_key


def _cull(
    nodes: Nodes,
    wanted: Iterable[Hashable],
    wire_keys: dict[Hashable, str],
    is_known: Callable[[str], bool],
    is_elsewhere: Callable[[str], bool],
) -> tuple[Nodes, set[Hashable]]:
    """Return the nodes that the wanted keys depend on, and their dependencies outside of the graph."""
    needed: Nodes = {}
    external: set[Hashable] = set()
    missing: dict[Hashable, Hashable | None] = {}
    stack: list[tuple[Hashable, Hashable | None]] = [(key, None) for key in wanted]
    while stack:
        key, dependent = stack.pop()
        if key in needed or key in external:
            continue
        wire_key = wire_keys.get(key)
        if wire_key is None:
            wire_key = wire_keys[key] = checked_key(key)
        if is_known(wire_key):
            external.add(key)
            continue
        node = nodes.get(key)
        if node is None:
            if is_elsewhere(wire_key):
                external.add(key)
            else:
                missing.setdefault(key, dependent)
            continue
        needed[key] = node
        stack.extend((dependency, key) for dependency in node.dependencies)
    if missing:
        raise GraphError(_missing_message(missing))
    return needed, external


def _missing_message(missing: Mapping[Hashable, Hashable | None]) -> str:
    shown = [
        f"{key!r}" + (f" (needed by {dependent!r})" if dependent is not None else " (asked for)")
        for key, dependent in list(missing.items())[:5]
    ]
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return f"The graph has no task for {', '.join(shown)}{more}, and the cluster holds no such result"


def _without_aliases(nodes: Nodes, wanted: Iterable[Hashable]) -> Nodes:
    """Return the graph with tasks under the keys of their aliases, where the alias is the only dependent."""
    dependents: dict[Hashable, set[Hashable]] = {key: set() for key in nodes}
    for key, node in nodes.items():
        for dependency in node.dependencies:
            dependents.setdefault(dependency, set()).add(key)
    resolved: Nodes = resolve_aliases(nodes, set(wanted), dependents)
    return resolved


def _order(nodes: Nodes) -> Mapping[Hashable, int]:
    """Return the place of each task in the order of execution.

    Raises
    ------
    GraphError
        If there is a cycle.
    """
    if not any(dependency in nodes for node in nodes.values() for dependency in node.dependencies):
        return {key: position for position, key in enumerate(nodes)}
    cycle = _find_cycle(nodes)
    if cycle:
        raise GraphError(f"The graph has a cycle: {' -> '.join(repr(key) for key in cycle)}")
    places: Any = dask_order(cast(Any, nodes))
    return cast(Mapping[Hashable, int], places)


def _find_cycle(nodes: Nodes) -> list[Hashable]:
    """Return the keys of a cycle, with the first key again at the end; empty if there is no cycle."""
    waiting = {key: sum(dependency in nodes for dependency in node.dependencies) for key, node in nodes.items()}
    dependents: dict[Hashable, list[Hashable]] = {}
    for key, node in nodes.items():
        for dependency in node.dependencies:
            dependents.setdefault(dependency, []).append(key)
    ready = [key for key, count in waiting.items() if not count]
    while ready:
        key = ready.pop()
        del waiting[key]
        for dependent in dependents.get(key, ()):
            waiting[dependent] -= 1
            if not waiting[dependent]:
                ready.append(dependent)
    if not waiting:
        return []
    # Every key that is left depends on another one that is left, so that a path along dependencies ends in a cycle.
    path: dict[Hashable, None] = {}
    key = next(iter(waiting))
    while key not in path:
        path[key] = None
        key = next(dependency for dependency in nodes[key].dependencies if dependency in waiting)
    trail = list(path)
    return [*trail[trail.index(key) :], key]


def nested_keys(keys: Any) -> Iterator[Hashable]:
    """Yield the keys of nested lists of keys."""
    if isinstance(keys, list):
        for item in keys:
            yield from nested_keys(item)
    else:
        yield keys
