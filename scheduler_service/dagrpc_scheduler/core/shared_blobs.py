"""Values that many tasks refer to, such as functions: kept while somebody refers to them, sent once to each worker."""

from __future__ import annotations

from dagrpc_scheduler.core.instructions import FreeShared, Instruction
from dagrpc_scheduler.core.model import WorkerState


class SharedBlob:
    """A shared value and who knows it."""

    __slots__ = ("references", "value", "workers")

    def __init__(self, value: bytes) -> None:
        """Make a value that nobody refers to yet."""
        self.value = value
        self.references = 0
        """How many live tasks, clients and graphs on their way refer to it."""
        self.workers: dict[WorkerState, None] = {}
        """Workers that it was sent to."""


class SharedBlobRegistry:
    """All shared values, by digest."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        """Make an empty registry."""
        self.values: dict[bytes, SharedBlob] = {}

    def offer(self, digest: bytes, value: bytes) -> None:
        """Take a value in, if it is new. Without a reference it goes again with `drop_unused`."""
        if digest not in self.values:
            self.values[digest] = SharedBlob(value)

    def acquire(self, digest: bytes) -> None:
        """Add a reference to a known value."""
        self.values[digest].references += 1

    def release(self, digest: bytes, instructions: list[Instruction]) -> None:
        """Take a reference away; the last one takes the value with it, here and on the workers."""
        self.values[digest].references -= 1
        self.drop_unused(digest, instructions)

    def drop_unused(self, digest: bytes, instructions: list[Instruction]) -> None:
        """Drop a value if nobody refers to it."""
        shared = self.values.get(digest)
        if shared is None or shared.references:
            return
        del self.values[digest]
        for worker in shared.workers:
            del worker.known_shared[digest]
            instructions.append(FreeShared(worker.address, [digest]))

    def unsent_for(self, worker: WorkerState, digests: tuple[bytes, ...]) -> tuple[tuple[bytes, bytes], ...]:
        """Return those of the values that the worker was not sent yet, and take note that it is sent them now."""
        known = worker.known_shared
        news = [digest for digest in dict.fromkeys(digests) if digest not in known]
        for digest in news:
            known[digest] = None
            self.values[digest].workers[worker] = None
        return tuple([(digest, self.values[digest].value) for digest in news])

    def forget_worker(self, worker: WorkerState) -> None:
        """Take note that a worker is gone."""
        for digest in worker.known_shared:
            del self.values[digest].workers[worker]
        worker.known_shared = {}
