"""Builds the graph of `x.rechunk(chunks, method="p2p")`.

Borders that old and new chunks have in common divide the array into parts that are rechunked independently. The first
results are therefore available while later input chunks are still to be computed.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from dagrpc._common.keys import encode_key
from dagrpc.shuffle import shuffle_tasks
from dagrpc.shuffle.array_shuffle import ArraySpec, Chunks, check_shape, is_unchanged
from dagrpc.shuffle.blocks import join_blocks
from dagrpc.shuffle.graph import P2PBarrierTask, UnpackTask, barrier_key
from dagrpc.shuffle.hooks import PREFERRED

Segment: TypeAlias = tuple[range, range]
"""Old and new chunks that cover the same range of an axis."""


def rechunk_p2p(
    x: Any, chunks: Any, *, threshold: int | None = None, block_size_limit: int | None = None, balance: bool = False
) -> Any:
    """Return an array with other chunks.

    Parameters
    ----------
    x : dask.array.Array
        The array.
    chunks : tuple of tuple of int
        The new sizes of the chunks, along each axis.
    threshold, block_size_limit : int, optional
        Arguments of dask's method "tasks", which is used instead if it needs few tasks.
    balance : bool
        Ignored; dask has balanced `chunks` already.

    Examples
    --------
    >>> import dask.array as da
    >>> x = da.ones((4, 4), chunks=(1, 4))
    >>> rechunk_p2p(x, ((4,), (1, 1, 1, 1))).compute().shape
    (4, 4)
    """
    from dask.array import Array
    from dask.base import tokenize
    from dask.highlevelgraph import HighLevelGraph

    # Compared by identity: dask passes the object from the configuration, and a user's argument is another object.
    chosen = sys._getframe(1).f_locals.get("method") is PREFERRED
    if chosen and _needs_few_tasks(x.chunks, chunks, threshold):
        return x.rechunk(chunks, method="tasks", threshold=threshold, block_size_limit=block_size_limit)
    token = tokenize(x, chunks)
    name = f"rechunk-p2p-{token}"
    graph: dict[Any, Any] = {}
    axes = [list(_segments(old, new)) for old, new in zip(x.chunks, chunks, strict=True)]
    for number, part in enumerate(itertools.product(*axes)):
        _add_part(graph, x, chunks, name, f"{token}-{number}", part)
    layers = HighLevelGraph.from_collections(name, graph, dependencies=[x])
    return Array(layers, name, chunks, meta=x)  # type: ignore[no-untyped-call]


def _needs_few_tasks(old: Chunks, new: Chunks, threshold: int | None) -> bool:
    """Return whether dask would choose the method "tasks" by itself."""
    from dask import config
    from dask.array.rechunk import old_to_new

    # The old chunks that each new chunk consists of, along each axis.
    origins: list[list[list[Any]]] = old_to_new(old, new)  # type: ignore[no-untyped-call]
    pieces = math.prod([sum([len(chunk) for chunk in axis]) for axis in origins])
    chunks = math.prod(map(len, old)) + math.prod(map(len, new))
    return bool(pieces < (threshold or config.get("array.rechunk.threshold")) * chunks)


def _segments(old: Sequence[int], new: Sequence[int]) -> Iterator[Segment]:
    """Yield the smallest runs of chunks that begin and end at common borders.

    Empty chunks belong to the run before them, or to the first run. Along an unchanged axis each chunk is a run, even
    if it is empty.
    """
    if is_unchanged(old, new):
        yield from ((range(place, place + 1), range(place, place + 1)) for place in range(len(old)))
        return
    first_old = first_new = position_old = position_new = 0
    end_old = end_new = 0
    while position_old < len(old):
        end_old += old[position_old]
        position_old += 1
        while position_new < len(new) and end_new < end_old:
            end_new += new[position_new]
            position_new += 1
        if end_old != end_new or position_new == first_new:
            continue
        position_old, position_new = _after_empty(old, position_old), _after_empty(new, position_new)
        yield range(first_old, position_old), range(first_new, position_new)
        first_old, first_new = position_old, position_new
    if first_old < len(old):
        # All chunks are empty.
        yield range(first_old, len(old)), range(first_new, len(new))


def _after_empty(sizes: Sequence[int], position: int) -> int:
    while position < len(sizes) and not sizes[position]:
        position += 1
    return position


def _add_part(graph: dict[Any, Any], x: Any, chunks: Chunks, name: str, token: str, part: Sequence[Segment]) -> None:
    """Add the tasks that rechunk an independent part of the array."""
    sources = list(itertools.product(*(old for old, _ in part)))
    outputs = list(itertools.product(*(new for _, new in part)))
    old = tuple(tuple(axis[i] for i in segment) for axis, (segment, _) in zip(x.chunks, part, strict=True))
    new = tuple(tuple(axis[i] for i in segment) for axis, (_, segment) in zip(chunks, part, strict=True))
    if len(sources) == 1:
        _add_slices(graph, (x.name, *sources[0]), [(name, *output) for output in outputs], old, new)
        return
    if len(outputs) == 1:
        _add_concatenation(graph, x.name, [segment for segment, _ in part], (name, *outputs[0]))
        return
    from dask._task_spec import Task, TaskRef

    barrier = barrier_key(token)
    spec = ArraySpec(token, encode_key(barrier), old, new)
    transfers = []
    for source in sources:
        transfer = Task(
            (f"rechunk-transfer-{token}", *source),
            shuffle_tasks.rechunk_transfer,
            TaskRef((x.name, *source)),
            spec,
            _within(source, [segment for segment, _ in part]),
        )
        graph[transfer.key] = transfer
        transfers.append(TaskRef(transfer.key))
    graph[barrier] = P2PBarrierTask(barrier, shuffle_tasks.p2p_barrier, token, *transfers, spec=spec)
    for output in outputs:
        where = _within(output, [segment for _, segment in part])
        key = (name, *output)
        graph[key] = UnpackTask(key, shuffle_tasks.rechunk_unpack, spec, where, TaskRef(barrier))


def _within(position: Sequence[int], part: Sequence[range]) -> tuple[int, ...]:
    return tuple(index - segment.start for index, segment in zip(position, part, strict=True))


def _add_slices(graph: dict[Any, Any], source: Any, outputs: Sequence[Any], old: Chunks, new: Chunks) -> None:
    """Add tasks that cut one chunk into several, or an alias if there is one output."""
    from dask._task_spec import Alias, Task, TaskRef

    if len(outputs) == 1:
        graph[outputs[0]] = Alias(outputs[0], source)
        return
    cuts = [
        [slice(end - size, end) for size, end in zip(axis, itertools.accumulate(axis), strict=True)]
        if len(axis) > 1
        else [slice(None)]
        for axis in new
    ]
    announced = tuple(axis[0] for axis in old)
    for output, where in zip(outputs, itertools.product(*cuts), strict=True):
        graph[output] = Task(output, _cut, TaskRef(source), where, announced)


def _cut(chunk: Any, where: tuple[slice, ...], announced: Sequence[int]) -> Any:
    """Return a part of a chunk, after a check of the chunk's shape."""
    check_shape(chunk.shape, announced, [part != slice(None) for part in where], "A chunk")
    return chunk[where]


def _add_concatenation(graph: dict[Any, Any], source: str, part: Sequence[range], output: Any) -> None:
    """Add a task that joins all chunks of a part."""
    from dask._task_spec import Task, TaskRef, parse_input

    def nested(position: tuple[int, ...]) -> Any:
        if len(position) == len(part):
            return TaskRef((source, *position))
        return [nested((*position, index)) for index in part[len(position)]]

    graph[output] = Task(output, join_blocks, parse_input(nested(())))
