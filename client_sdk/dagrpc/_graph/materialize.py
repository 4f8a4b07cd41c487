"""Turns graphs of dask into dicts of tasks, with the annotations of their layers.

Annotations that are active around a submission are not included; see `_client.graph_upload`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeAlias

from dask import config
from dask._expr import Expr, HLGExpr
from dask._task_spec import GraphNode, convert_legacy_graph
from dask.delayed import optimize as optimize_delayed
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from dask.utils import ensure_dict

Nodes: TypeAlias = dict[Hashable, GraphNode]
Annotations: TypeAlias = Mapping[str, Mapping[Hashable, Any]]
"""Values of annotations by name of the annotation and key."""

_TOMBSTONE = "_AnnotationsTombstone"
"""Name of the type of values that mark keys without the annotation of their layer."""


def materialize(graph: Any) -> tuple[Nodes, dict[str, dict[Hashable, Any]]]:
    """Return the tasks of a graph, and its annotations by name and key.

    Raises
    ------
    TypeError
        If the object is not an expression, a high-level graph or a mapping.
    """
    if isinstance(graph, Expr):
        layers = _layers_that_need_no_optimizing(graph)
        if layers is None:
            return _nodes(graph.__dask_graph__()), _from_expression(graph)  # type: ignore[no-untyped-call]
        graph = layers
    if isinstance(graph, HighLevelGraph):
        return _nodes(graph), _from_layers(graph.layers.values())
    if not isinstance(graph, Mapping):
        raise TypeError(f"A graph is a mapping or a dask expression, not a {type(graph).__name__}")
    # A plain dict has no layers.
    return _nodes(graph), {}


def _nodes(tasks: Any) -> Nodes:
    nodes: Nodes = convert_legacy_graph(ensure_dict(tasks))
    return nodes


def _layers_that_need_no_optimizing(expression: Any) -> HighLevelGraph | None:
    """Return the layers of delayed objects; None if the expression contains other collections.

    dask would only cull these layers, in a time that grows with the square of their number. `lower` culls them anyway.
    """
    is_sequence = type(expression).__name__ == "_HLGExprSequence"
    if not (is_sequence or isinstance(expression, HLGExpr)) or config.get("optimization.fuse.delayed", False):
        return None
    operands = expression.operands if is_sequence else [expression]
    if not all(isinstance(item, HLGExpr) and item.low_level_optimizer is optimize_delayed for item in operands):
        return None
    graphs = [item.hlg for item in operands]
    if not all(type(layer) is MaterializedLayer for graph in graphs for layer in graph.layers.values()):
        return None
    return HighLevelGraph.merge(*graphs)


def _from_expression(expression: Any) -> dict[str, dict[Hashable, Any]]:
    return {
        name: {key: value for key, value in values.items() if type(value).__name__ != _TOMBSTONE}
        for name, values in expression.__dask_annotations__().items()
    }


def _from_layers(layers: Iterable[Any]) -> dict[str, dict[Hashable, Any]]:
    found: dict[str, dict[Hashable, Any]] = {}
    for layer in layers:
        for name, given in (layer.annotations or {}).items():
            values = found.setdefault(name, {})
            for key in layer:
                value = annotation_for(given, key)
                if type(value).__name__ != _TOMBSTONE:
                    values[key] = value
    return found


def annotation_for(given: Any, key: Hashable) -> Any:
    """Return the value of an annotation for a key."""
    return given(key) if callable(given) else given
