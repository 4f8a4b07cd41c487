"""What the tasks of shuffles do. They run on workers, and the worker has the run of the shuffle that they belong to."""

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
    """Result of a task that sends: what it had is on its way to those whom it belongs to."""

    run_id: int
    """Of the run of the shuffle that it was part of."""
    owners: tuple[int, ...]
    """For whom there was something: their positions among the run's workers."""
    template: bytes | None = None
    """What an output without pieces is to be like: see `ShuffleSpec`."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Result of a barrier: all that there is to one run of a shuffle has arrived where it is to be."""

    run_id: int
    workers: tuple[str, ...]
    """To whom the outputs belong, in order."""
    parcels: tuple[int, ...]
    """How many sources had something for each of them."""
    template: bytes | None = None
    """The first that a source gave."""


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
    """Say of an error in which shuffle it occurred. Those of the cluster say it themselves."""
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
    """Send what a partition has to those whom it belongs to."""
    return _transfer(id, input_partition, input)


merge_transfer = shuffle_transfer


def rechunk_transfer(input: Any, id: ShuffleSpec, input_chunk: Sequence[int]) -> Sent:
    """Do the same for a chunk of an array."""
    return _transfer(id, id.source_of(input_chunk), input)  # type: ignore[attr-defined]


def p2p_barrier(id: ShuffleSpec, outputs: Mapping[str, int], *sent: Sent) -> Passed:
    """Wait until all has arrived.

    Parameters
    ----------
    outputs : mapping
        Key of the task for each output, as on the wire.
    sent : tuple of Sent
        Results of the tasks that sent.
    """
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
