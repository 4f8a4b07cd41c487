"""The specification of a shuffle, and the pieces in which its data travels.

Dataframes and arrays are shuffled alike: each source is split by output, and each output is joined from the pieces of
all sources. Outputs are numbered from 0; each worker has a contiguous range of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dagrpc._common.bytes_like import Buffer


@dataclass(slots=True)
class Parcel:
    """The data of one source for the outputs of one worker. It arrives as a whole or not at all."""

    source: int
    """Number of the source."""
    outputs: Sequence[int]
    """The outputs with data in the parcel, in order."""
    starts: Sequence[int]
    """Starts of the pieces, and the end of the last one, in units of the format."""
    format: str
    """Format of the body."""
    body: Buffer

    @property
    def nbytes(self) -> int:
        """Size of the body."""
        return memoryview(self.body).nbytes


@dataclass(slots=True)
class Piece:
    """The data of one source for one output."""

    source: int
    format: str
    body: Buffer
    """The format of the parcel."""
    start: int
    stop: int
    opened: list[Any] = field(default_factory=list)
    """The decoded body, if it has been decoded; all pieces of a parcel in memory share it."""


class ShuffleSpec(Protocol):
    """The specification of a shuffle."""

    @property
    def id(self) -> str:
        """Name of the shuffle; equal work has equal names."""

    @property
    def barrier(self) -> str:
        """Wire key of the task that waits for all sources."""

    @property
    def count(self) -> int:
        """Number of outputs."""

    def split(self, data: Any, source: int, workers: int) -> Iterable[tuple[int, Parcel]]:
        """Yield the parcels of a source with the numbers of their workers; nothing for workers without data."""

    def template(self, data: Any) -> bytes | None:
        """Return the form of an output without pieces, as far as one source knows it.

        None: the source does not know it. Empty: the announced form.
        """

    def assemble(self, output: int, pieces: Sequence[Piece], template: bytes | None = None) -> Any:
        """Return an output, joined from pieces in the order of their sources; without pieces, from a template."""


def owner_of(output: int, count: int, workers: int) -> int:
    """Return the number of the worker of an output."""
    return output * workers // count


def first_output(worker: int, count: int, workers: int) -> int:
    """Return the first output of a worker, or of a worker after it."""
    return -(-worker * count // workers)
