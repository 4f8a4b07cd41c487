"""Files of results in a worker's local directory."""

from __future__ import annotations

import itertools
import mmap
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dagrpc._codec import payload
from dagrpc._codec.compressions import decompressed, maybe_compress
from dagrpc._common.bytes_like import Buffer


@dataclass(slots=True, frozen=True)
class SpilledValue:
    """A result in a file."""

    path: str
    encoding: str
    kind: str
    """Name of the result's type."""
    lengths: Sequence[int]
    """Lengths of the frames in the file."""
    codecs: Sequence[str | None]
    """The compression of each frame; None: not compressed."""
    nbytes: int
    """Length of the file."""
    reading: threading.Lock = field(default_factory=threading.Lock)
    """Held while the file is decoded, so that only one thread decodes it."""


class SpillFiles:
    """Writes encoded values to files and reads them. From any thread; blocking, except for `remove`.

    Parameters
    ----------
    directory : str or Path
        The directory of the files; the first write creates it.
    compression : str, optional
        The compression of large frames that shrink enough.
    """

    def __init__(self, directory: str | Path, compression: str | None = None) -> None:
        self.directory = Path(directory)
        self._compression = compression
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._remover: ThreadPoolExecutor | None = None
        self._closed = False
        self.written_count = 0
        self.written_bytes = 0
        self.read_count = 0
        self.read_bytes = 0
        self.seconds = 0.0
        """Seconds spent on writing and reading."""

    def pack(self, frames: Sequence[Buffer]) -> tuple[list[Buffer], list[str | None]]:
        """Return the frames to write, and the compression of each."""
        packed = [maybe_compress(frame, compression=self._compression) for frame in frames]
        return [frame for _, frame in packed], [codec for codec, _ in packed]

    def write(self, encoding: str, kind: str, frames: Sequence[Buffer], codecs: Sequence[str | None]) -> SpilledValue:
        """Write frames, which are not copied, to a new file.

        Raises
        ------
        OSError
            If there is no space. No partial file is left.
        """
        begun = time.monotonic()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = str(self.directory / str(next(self._numbers)))
        views = [memoryview(frame).cast("B") for frame in frames]
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                for view in views:
                    _write_all(descriptor, view)
            finally:
                os.close(descriptor)
        except BaseException:
            os.unlink(path)
            raise
        lengths = [view.nbytes for view in views]
        total = sum(lengths)
        with self._lock:
            self.written_count += 1
            self.written_bytes += total
            self.seconds += time.monotonic() - begun
        return SpilledValue(path, encoding, kind, lengths, codecs, total)

    def load(self, stored: SpilledValue) -> Any:
        """Return the value of a file.

        Raises
        ------
        OSError
            If the file cannot be read.
        Exception
            If unpickling the value raises it.
        """
        begun = time.monotonic()
        frames: list[Buffer] = []
        with open(stored.path, "rb", buffering=0) as file:
            for length in stored.lengths:
                # Writable, as the out-of-band buffers of a pickle must be.
                frame = bytearray(length)
                _read_all(file, memoryview(frame), stored.path)
                frames.append(frame)
        self._note_read(stored, begun)
        return payload.decode(stored.encoding, _unpack(frames, stored))

    def frames(self, stored: SpilledValue) -> list[Buffer]:
        """Return the frames of a file, mapped into memory, to send them without decoding.

        Raises
        ------
        OSError
            If the file cannot be read.
        """
        begun = time.monotonic()
        with open(stored.path, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if stored.nbytes else b""
        view = memoryview(mapped)
        starts = [0, *itertools.accumulate(stored.lengths)]
        frames: list[Buffer] = [view[start : start + n] for start, n in zip(starts, stored.lengths, strict=False)]
        self._note_read(stored, begun)
        return _unpack(frames, stored)

    def _note_read(self, stored: SpilledValue, begun: float) -> None:
        with self._lock:
            self.read_count += 1
            self.read_bytes += stored.nbytes
            self.seconds += time.monotonic() - begun

    def remove(self, values: Sequence[SpilledValue]) -> None:
        """Remove files, in a thread: removing a large file takes long."""
        with self._lock:
            if self._closed:
                return
            if self._remover is None:
                self._remover = ThreadPoolExecutor(1, "dagrpc-spill")
            self._remover.submit(_unlink, [stored.path for stored in values])

    def close(self) -> None:
        """Stop removing files: the caller removes the whole directory. Blocking."""
        with self._lock:
            self._closed = True
            remover = self._remover
        if remover is not None:
            remover.shutdown(cancel_futures=True)


def _unpack(frames: list[Buffer], stored: SpilledValue) -> list[Buffer]:
    return [
        frame if codec is None else decompressed(codec, frame)
        for frame, codec in zip(frames, stored.codecs, strict=True)
    ]


def _unlink(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except OSError:
            continue


def _write_all(descriptor: int, view: memoryview) -> None:
    while view.nbytes:
        # The system may take only a part.
        view = view[os.write(descriptor, view) :]


def _read_all(file: Any, view: memoryview, path: str) -> None:
    while view.nbytes:
        count = file.readinto(view)
        if not count:
            raise OSError(f"{path} is shorter than what was written to it")
        view = view[count:]
