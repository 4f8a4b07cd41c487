"""What a shuffle is about, and the pieces in which its data travels.

The same for dataframes and arrays: a shuffle takes its sources one by one, splits each by output, and puts each output
together from the pieces of all sources. Outputs are numbered from 0, and belong to the workers in contiguous ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dagrpc._common.bytes_like import Buffer


@dataclass(slots=True)
class Parcel:
    """What one source has for the outputs of one worker. It arrives as a whole or not at all."""

    source: int
    """Number of the source."""
    outputs: Sequence[int]
    """The outputs that it has something for, in order."""
    starts: Sequence[int]
    """Where the piece for each of them begins, and where the last one ends, in units of the format."""
    format: str
    """How the body is to be read."""
    body: Buffer

    @property
    def nbytes(self) -> int:
        """Size of the body."""
        return memoryview(self.body).nbytes


@dataclass(slots=True)
class Piece:
    """What one source has for one output."""

    source: int
    format: str
    body: Buffer
    """Of the parcel."""
    start: int
    stop: int
    opened: list[Any] = field(default_factory=list)
    """What the body was read as, if it was: shared by all pieces of a parcel in memory."""


class ShuffleSpec(Protocol):
    """What a shuffle is about."""

    @property
    def id(self) -> str:
        """Names the shuffle; equal work has equal names."""

    @property
    def barrier(self) -> str:
        """Key of the task that waits for all sources, as on the wire."""

    @property
    def count(self) -> int:
        """How many outputs there are."""

    def split(self, data: Any, source: int, workers: int) -> Iterable[tuple[int, Parcel]]:
        """Yield what a source has for each of so many workers, by their numbers; nothing for those without."""

    def template(self, data: Any) -> bytes | None:
        """Return what an output without pieces is to be like, as far as one source knows.

        None: it does not know. Empty: like what was announced.
        """

    def assemble(self, output: int, pieces: Sequence[Piece], template: bytes | None = None) -> Any:
        """Return an output, put together from pieces in the order of their sources; without pieces, like a template."""


def owner_of(output: int, count: int, workers: int) -> int:
    """Return the number of the worker that an output belongs to."""
    return output * workers // count


def first_output(worker: int, count: int, workers: int) -> int:
    """Return the first output that belongs to a worker, or to one after it."""
    return -(-worker * count // workers)
