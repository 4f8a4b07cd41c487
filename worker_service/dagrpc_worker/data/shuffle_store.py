"""The parcels that one run of a shuffle has received: first in memory, then in one file.

A parcel is written to the file as it was received, and the bounds of its pieces stay in memory. Reading an output maps
the file and takes one piece of each parcel: only requested pieces are decoded, and the number of files does not depend
on the number of outputs.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from dagrpc._common.bytes_like import Buffer
from dagrpc.exceptions import P2POutOfDiskError, ShuffleClosedError
from dagrpc.shuffle.specs import Parcel, Piece
from dagrpc_worker.data.byte_budget import ByteBudget

_ALIGNMENT = 64
"""Arrow needs its buffers at multiples of this."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(slots=True)
class _Stored:
    """A parcel."""

    source: int
    format: str
    body: Buffer | None
    """None once the parcel is in the file."""
    nbytes: int
    offset: int = -1
    opened: list[Any] = field(default_factory=list)
    """See `Piece`."""


class ShuffleStore:
    """The parcels of one run. From any thread.

    Parameters
    ----------
    path : Path or None
        The file, which the first write creates. None: parcels stay in memory.
    budget : ByteBudget
        The memory for the parcels of all runs.
    name : str
        The shuffle's name in errors.
    """

    def __init__(self, path: Path | None, budget: ByteBudget, name: str) -> None:
        self._path = path
        self._budget = budget
        self._name = name
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._sources: set[int] = set()
        self._by_output: dict[int, list[tuple[_Stored, int, int]]] = {}
        self._unwritten: list[_Stored] = []
        self._file: BinaryIO | None = None
        self._error: BaseException | None = None
        self.in_memory = 0
        """Bytes."""
        self.on_disk = 0
        """Bytes."""
        self.closed = False

    def __repr__(self) -> str:
        return f"<ShuffleStore {self._name}: {self.in_memory} bytes in memory, {self.on_disk} on disk>"

    @property
    def movable(self) -> int:
        """Bytes in memory that can be moved to the file or are being moved."""
        return self.in_memory if self._error is None and self._path is not None else 0

    def check(self) -> None:
        """Raise if a parcel was lost or the run is over.

        Raises
        ------
        P2POutOfDiskError, OSError
            If the file cannot be written.
        ShuffleClosedError
            If the run is over.
        """
        if self._error is not None:
            raise self._error
        if self.closed:
            raise ShuffleClosedError(f"This run of shuffle {self._name} is over")

    def add(self, parcel: Parcel) -> bool:
        """Keep a parcel unless its source has sent one before. Return whether it was kept."""
        self.check()
        nbytes = parcel.nbytes
        stored = _Stored(parcel.source, parcel.format, parcel.body, nbytes)
        with self._lock:
            if self.closed:
                raise ShuffleClosedError(f"This run of shuffle {self._name} is over")
            if parcel.source in self._sources:
                return False
            self._sources.add(parcel.source)
            for position, output in enumerate(parcel.outputs):
                entry = (stored, parcel.starts[position], parcel.starts[position + 1])
                self._by_output.setdefault(output, []).append(entry)
            self._unwritten.append(stored)
            self.in_memory += nbytes
            self._budget.take(nbytes)
        return True

    def write(self) -> None:
        """Move the parcels in memory to the file. Blocking.

        Raises
        ------
        P2POutOfDiskError
            If the disk is full.
        """
        if self._path is None:
            return
        with self._writing:
            with self._lock:
                batch, self._unwritten = self._unwritten, []
                if self.closed:
                    return
            try:
                self._write(batch)
            except OSError as error:
                self._error = self._explained(error)
                raise self._error from error

    def _write(self, batch: list[_Stored]) -> None:
        assert self._path is not None
        if self._file is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = open(self._path, "xb", buffering=0)  # noqa: SIM115
        for stored in batch:
            offset = self._file.tell()
            padding = -offset % _ALIGNMENT
            assert stored.body is not None
            _write_all(self._file, bytes(padding))
            _write_all(self._file, memoryview(stored.body).cast("B"))
            with self._lock:
                if self.closed:
                    return
                stored.offset = offset + padding
                stored.body, stored.opened = None, []
                self.in_memory -= stored.nbytes
                self.on_disk += stored.nbytes
                self._budget.give(stored.nbytes)

    def _explained(self, error: OSError) -> OSError:
        if error.errno in _FULL:
            return P2POutOfDiskError(f"There is no room on the disk of {self._path} for shuffle {self._name}: {error}")
        return error

    def read(self, output: int, parcels: int) -> list[Piece]:
        """Return the pieces of an output, in the order of their sources.

        Parameters
        ----------
        parcels : int
            Number of parcels that the run must have received in all.

        Raises
        ------
        ShuffleClosedError
            If the run has received fewer parcels, or is over.
        """
        self.check()
        with self._lock:
            if self.closed:
                raise ShuffleClosedError(f"This run of shuffle {self._name} is over")
            if len(self._sources) < parcels:
                raise ShuffleClosedError(
                    f"The parcels of {len(self._sources)} sources have arrived; {parcels} sources have sent some"
                )
            entries = sorted(self._by_output.get(output, ()), key=lambda entry: entry[0].source)
            bodies = [(stored.body, stored.offset, stored.nbytes, stored.opened) for stored, _, _ in entries]
        mapped = self._map() if any(body is None for body, *_ in bodies) else None
        pieces = []
        for (stored, start, stop), (body, offset, nbytes, opened) in zip(entries, bodies, strict=True):
            if body is None:
                assert mapped is not None
                body, opened = mapped[offset : offset + nbytes], []
            pieces.append(Piece(stored.source, stored.format, body, start, stop, opened))
        return pieces

    def _map(self) -> memoryview:
        """Return the file's content in a new mapping, with which the pages that were read leave memory."""
        assert self._path is not None
        try:
            with open(self._path, "rb") as file:
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except FileNotFoundError:
            self.check()
            raise

    def close(self) -> None:
        """Forget all parcels and remove the file. Blocking."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
            self._by_output.clear()
            self._unwritten.clear()
            self._budget.give(self.in_memory)
            self.in_memory = 0
        with self._writing:
            if self._file is not None:
                self._file.close()
                assert self._path is not None
                with contextlib.suppress(OSError):
                    os.unlink(self._path)


def _write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest.nbytes:
        # A raw file may take only a part.
        rest = rest[file.write(rest) :]
