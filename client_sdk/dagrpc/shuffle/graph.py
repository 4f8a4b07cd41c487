"""Shuffles in dask's graphs, and their preparation for the cluster.

In dask's graphs the tasks of a shuffle have only its name, and its barrier, on which all outputs depend, has its
specification. Here each task gets the specification. Graphs that dask has built from the parts of an installed
`distributed` are rebuilt from dagrpc's parts.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NewType

from dask._task_spec import Alias, GraphNode, Task, TaskRef

from dagrpc._common.keys import encode_key
from dagrpc.shuffle import shuffle_tasks

if TYPE_CHECKING:
    from dagrpc.shuffle.specs import ShuffleSpec

ShuffleId = NewType("ShuffleId", str)

BARRIER_TYPE = "P2PBarrierTask"
_BARRIER = "shuffle-barrier-"


def barrier_key(shuffle_id: str) -> str:
    """Return the key of a shuffle's barrier."""
    return _BARRIER + shuffle_id


class P2PBarrierTask(Task):
    """A barrier in dask's graph. `spec` is dask's specification of the shuffle."""

    __slots__ = ("spec",)

    def __init__(self, key: Any, func: Callable[..., Any], /, *args: Any, spec: Any, **kwargs: Any) -> None:
        self.spec = spec
        super().__init__(key, func, *args, **kwargs)

    @property
    def block_fusion(self) -> bool:
        """True: the barrier stays a task of its own."""
        return True

    def copy(self) -> P2PBarrierTask:
        """Return an equal task."""
        return type(self)(self.key, self.func, *self.args, spec=self.spec, **self.kwargs)

    def substitute(self, subs: dict[Any, Any], key: Any = None) -> Any:
        """Return the task with other dependencies."""
        replaced = Task(self.key, self.func, *self.args, **self.kwargs).substitute(subs, key)
        return type(self)(replaced.key, replaced.func, *replaced.args, spec=self.spec, **replaced.kwargs)

    def __reduce__(self) -> Any:
        return _barrier_of, (self.key, self.func, self.args, self.kwargs, self.spec)


def _barrier_of(key: Any, func: Any, args: Any, kwargs: Any, spec: Any) -> P2PBarrierTask:
    return P2PBarrierTask(key, func, *args, spec=spec, **kwargs)


class UnpackTask(Task):
    """A task for an output in dask's graph. It stays a task of its own, so that its worker can be chosen."""

    __slots__ = ()

    @property
    def block_fusion(self) -> bool:
        """True."""
        return True


@dataclass(frozen=True)
class DataFrameShuffleSpec:
    """dask's specification of the shuffle of a dataframe."""

    id: ShuffleId
    npartitions: int
    column: Any
    meta: Any
    parts_out: Any
    disk: bool = True
    drop_column: bool = True


# --- making ready ------------------------------------------------------------------------------------------------


def prepare_shuffles(nodes: Mapping[Hashable, GraphNode]) -> dict[Hashable, GraphNode]:
    """Return a graph with barriers in which the shuffles are ready for the cluster."""
    prepared = dict(nodes)
    barriers = {key: node for key, node in nodes.items() if type(node).__name__ == BARRIER_TYPE}
    specs: dict[Any, ShuffleSpec] = {}
    for key, node in barriers.items():
        spec = _spec_of(key, node.spec)  # type: ignore[attr-defined]
        specs[spec.id] = spec
        for dependency in node.dependencies:
            sender = _resolved(prepared, dependency)
            if sender in prepared:
                prepared[sender] = _with_specs(prepared[sender], specs)
    outputs: dict[Hashable, dict[str, int]] = {key: {} for key in barriers}
    for key, node in nodes.items():
        met = [dependency for dependency in node.dependencies if dependency in barriers]
        if not met or key in barriers:
            continue
        unpack = prepared[key] = _with_specs(node, specs)
        for barrier in met:
            spec = specs[_id_of(barriers[barrier])]
            output = _output_of(unpack, spec)
            if output is not None:
                outputs[barrier][encode_key(key)] = output
    for key, node in barriers.items():
        sources = [TaskRef(dependency) for dependency in node.dependencies]
        prepared[key] = Task(key, shuffle_tasks.p2p_barrier, specs[_id_of(node)], outputs[key], *sources)
    return prepared


def _resolved(nodes: Mapping[Hashable, GraphNode], key: Hashable) -> Hashable:
    """Return the key of the task for a key: fused tasks have the key of their first task."""
    while isinstance(node := nodes.get(key), Alias):
        key = node.target
    return key


def _id_of(barrier: Any) -> str:
    return str(barrier.spec.id)


def _spec_of(key: Hashable, spec: Any) -> ShuffleSpec:
    """Return dagrpc's specification of a shuffle."""
    from dagrpc.shuffle.array_shuffle import ArraySpec

    if isinstance(spec, ArraySpec):
        return spec
    wire_key = encode_key(key)
    if hasattr(spec, "new"):
        return ArraySpec(str(spec.id), wire_key, spec.old, spec.new)
    from dagrpc.shuffle.frames import FrameSpec

    wanted = spec.parts_out
    if not isinstance(wanted, int):
        wanted = tuple(wanted)
        if wanted == tuple(range(spec.npartitions)):
            wanted = spec.npartitions
    return FrameSpec(str(spec.id), wire_key, wanted, spec.column, spec.meta, spec.drop_column)


def _with_specs(node: GraphNode, specs: Mapping[Any, ShuffleSpec]) -> GraphNode:
    """Return a task with the specifications of its shuffles in place of their names."""
    if not isinstance(node, Task):
        return node
    args = [specs.get(argument, argument) if isinstance(argument, str) else argument for argument in node.args]
    if node.has_subgraph():
        # The task was fused with others.
        args[0] = {key: _with_specs(inner, specs) for key, inner in node.args[0].items()}
    return Task(node.key, _ours(node.func), *args, _data_producer=node.data_producer, **node.kwargs)


def _ours(function: Any) -> Any:
    """Return dagrpc's function in place of one of `distributed`, or of one of dask that calls it."""
    module, name = getattr(function, "__module__", None) or "", getattr(function, "__name__", "")
    if module.startswith("distributed.shuffle") or (module.startswith("dask.") and name == "_shuffle_transfer"):
        return getattr(shuffle_tasks, name.removeprefix("_"), function)
    cells = getattr(function, "__closure__", None)
    if not cells or not module.startswith("dask."):
        return function
    contents = [_ours(cell.cell_contents) if callable(cell.cell_contents) else cell.cell_contents for cell in cells]
    if all(new is cell.cell_contents for new, cell in zip(contents, cells, strict=True)):
        return function
    closure = tuple(types.CellType(content) for content in contents)
    return types.FunctionType(function.__code__, function.__globals__, name, function.__defaults__, closure)


def _output_of(node: GraphNode, spec: ShuffleSpec) -> int | None:
    """Return the output of a task; None if it cannot be determined."""
    if not isinstance(node, Task):
        return None
    if node.has_subgraph():
        found = [_output_of(inner, spec) for inner in node.args[0].values()]
        return next((output for output in found if output is not None), None)
    position = {shuffle_tasks.shuffle_unpack: 1, shuffle_tasks.merge_unpack: 2}.get(node.func)
    if position is None:
        return None
    output: int = spec.output_of(node.args[position])  # type: ignore[attr-defined]
    return output
