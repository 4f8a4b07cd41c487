"""The functions of the tasks of shuffles. They run on workers, where the worker keeps the run of each shuffle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dagrpc._common import running_task
from dagrpc.exceptions import (
    P2PConsistencyError,
    P2PIllegalStateError,
    P2POutOfDiskError,
    Reschedule,
    ShuffleClosedError,
)
from dagrpc.shuffle.specs import ShuffleSpec

__all__ = [
    "Passed",
    "Sent",
    "merge_transfer",
    "merge_unpack",
    "p2p_barrier",
    "rechunk_transfer",
    "rechunk_unpack",
    "shuffle_transfer",
    "shuffle_unpack",
]


@dataclass(frozen=True, slots=True)
class Sent:
    """Result of a task that sends: its data is on the way to the target workers."""

    run_id: int
    """Number of the run of the shuffle."""
    owners: tuple[int, ...]
    """Positions of the target workers among the run's workers."""
    template: bytes | None = None
    """The form of an output without pieces; see `ShuffleSpec`."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Result of a barrier: all data of one run of a shuffle has arrived at its target."""

    run_id: int
    workers: tuple[str, ...]
    """The workers of the outputs, in order."""
    parcels: tuple[int, ...]
    """Number of sources with data for each of the workers."""
    template: bytes | None = None
    """The first form of an empty output that a source has given."""


def _shuffles(spec: Any) -> Any:
    """Return the shuffles of the worker that runs the calling task."""
    if isinstance(spec, str):
        raise P2PIllegalStateError(
            f"The tasks of shuffle {spec!r} were not submitted by a dagrpc client: p2p works on a cluster only; "
            "choose another shuffle method"
        )
    task = running_task.current.get()
    if task is None:
        raise P2PIllegalStateError("p2p works on a cluster only: compute this with a client, or choose another method")
    return task.worker.shuffles


@contextmanager
def _phase(shuffle: ShuffleSpec, name: str) -> Iterator[None]:
    """Add the shuffle to errors that occur within a block; errors of the cluster name it already."""
    try:
        yield
    except (Reschedule, ShuffleClosedError, P2PIllegalStateError, P2PConsistencyError, P2POutOfDiskError):
        raise
    except Exception as error:
        raise RuntimeError(f"P2P {shuffle.id} failed during {name} phase: {error}") from error


def _transfer(spec: ShuffleSpec, source: int, data: Any) -> Sent:
    with _phase(spec, "transfer"):
        sent: Sent = _shuffles(spec).transfer(spec, source, data)
        return sent


def shuffle_transfer(input: Any, id: ShuffleSpec, input_partition: int) -> Sent:
    """Send the rows of a partition to the workers of their outputs."""
    return _transfer(id, input_partition, input)


merge_transfer = shuffle_transfer


def rechunk_transfer(input: Any, id: ShuffleSpec, input_chunk: Sequence[int]) -> Sent:
    """Send the parts of a chunk of an array to the workers of their outputs."""
    return _transfer(id, id.source_of(input_chunk), input)  # type: ignore[attr-defined]


def p2p_barrier(id: ShuffleSpec, outputs: Mapping[str, int], *sent: Sent) -> Passed:
    """Wait until all data has arrived. `outputs` has the wire key of the task for each output."""
    passed: Passed = _shuffles(id).pass_barrier(id, outputs, sent)
    return passed


def shuffle_unpack(id: ShuffleSpec, output_partition: int, barrier: Passed) -> Any:
    """Return a partition."""
    with _phase(id, "unpack"):
        output = id.output_of(output_partition)  # type: ignore[attr-defined]
        return id.assemble(output, _shuffles(id).collect(id, output, barrier), barrier.template)


rechunk_unpack = shuffle_unpack


def merge_unpack(
    shuffle_id_left: ShuffleSpec,
    shuffle_id_right: ShuffleSpec,
    output_partition: int,
    barrier_left: Passed,
    barrier_right: Passed,
    how: Any,
    left_on: Any,
    right_on: Any,
    result_meta: Any,
    suffixes: Any,
    left_index: bool,
    right_index: bool,
    indicator: bool = False,
) -> Any:
    """Return a partition of two dataframes merged."""
    from dask.dataframe.multi import merge_chunk

    return merge_chunk(  # type: ignore[no-untyped-call]
        shuffle_unpack(shuffle_id_left, output_partition, barrier_left),
        shuffle_unpack(shuffle_id_right, output_partition, barrier_right),
        how=how,
        left_on=left_on,
        right_on=right_on,
        suffixes=suffixes,
        left_index=left_index,
        right_index=right_index,
        indicator=indicator,
        result_meta=result_meta,
    )
