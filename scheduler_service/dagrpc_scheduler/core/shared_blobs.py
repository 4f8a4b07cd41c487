"""Blobs that many tasks refer to, such as functions: kept while they are referenced, sent once to each worker."""

from __future__ import annotations

from dagrpc_scheduler.core.instructions import FreeShared, Instruction
from dagrpc_scheduler.core.model import WorkerState


class SharedBlob:
    """A shared blob, its references and the workers that have it."""

    __slots__ = ("references", "value", "workers")

    def __init__(self, value: bytes) -> None:
        """Make a blob without references."""
        self.value = value
        self.references = 0
        """Number of live tasks, clients and incomplete graphs that refer to the blob."""
        self.workers: dict[WorkerState, None] = {}
        """Workers that the blob was sent to."""


class SharedBlobRegistry:
    """All shared blobs by digest."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        """Make an empty registry."""
        self.values: dict[bytes, SharedBlob] = {}

    def offer(self, digest: bytes, value: bytes) -> None:
        """Add a blob if it is new. Without a reference, `drop_unused` removes it again."""
        if digest not in self.values:
            self.values[digest] = SharedBlob(value)

    def acquire(self, digest: bytes) -> None:
        """Add a reference to a known blob."""
        self.values[digest].references += 1

    def release(self, digest: bytes, instructions: list[Instruction]) -> None:
        """Remove a reference; the blob goes with the last one, here and on the workers."""
        self.values[digest].references -= 1
        self.drop_unused(digest, instructions)

    def drop_unused(self, digest: bytes, instructions: list[Instruction]) -> None:
        """Drop a blob without references."""
        shared = self.values.get(digest)
        if shared is None or shared.references:
            return
        del self.values[digest]
        for worker in shared.workers:
            del worker.known_shared[digest]
            instructions.append(FreeShared(worker.address, [digest]))

    def unsent_for(self, worker: WorkerState, digests: tuple[bytes, ...]) -> tuple[tuple[bytes, bytes], ...]:
        """Return the blobs that the worker was not sent yet, and record that they are sent now."""
        known = worker.known_shared
        news = [digest for digest in dict.fromkeys(digests) if digest not in known]
        for digest in news:
            known[digest] = None
            self.values[digest].workers[worker] = None
        return tuple([(digest, self.values[digest].value) for digest in news])

    def forget_worker(self, worker: WorkerState) -> None:
        """Remove a worker that is gone."""
        for digest in worker.known_shared:
            del self.values[digest].workers[worker]
        worker.known_shared = {}
