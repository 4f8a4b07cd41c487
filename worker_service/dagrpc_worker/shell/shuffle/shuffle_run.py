"""One run of a shuffle on a worker: its received parcels, the parcels being sent, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from dagrpc.exceptions import ShuffleClosedError
from dagrpc.v1 import shuffle_service_pb2 as pb
from dagrpc_worker.data.shuffle_store import ShuffleStore

T = TypeVar("T")


class Run:
    """One run of a shuffle on this worker."""

    def __init__(self, shuffle_id: str, run_id: int, store: ShuffleStore) -> None:
        self.id = shuffle_id
        self.run_id = run_id
        self.store = store
        self.workers: tuple[str, ...] = ()
        """The workers that the outputs belong to, in order; known once a task of this worker takes part."""
        self.message = pb.ShuffleRun(shuffle_id=shuffle_id, run_id=run_id)
        self.error: Exception | None = None
        """Why a parcel could not be sent."""
        self.sending = 0
        """Number of receivers that parcels are being sent to."""
        self._closed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def closed(self) -> bool:
        """Whether the run is over."""
        return self._closed.is_set()

    def check(self) -> None:
        """Raise if the run is over or cannot be completed."""
        self.store.check()
        if self.error is not None:
            raise self.error

    def fail(self, error: Exception) -> None:
        """Note that a parcel could not be sent."""
        self.error = self.error or error

    def sent(self) -> None:
        """Note that a receiver has all its parcels."""
        self.sending -= 1
        if not self.sending:
            self._idle.set()

    async def wait_closed(self, seconds: float) -> None:
        """Wait until the run is over, for at most `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            pass

    async def unless_over(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine, unless the run is over first.

        Raises
        ------
        ShuffleClosedError
            If the run is over.
        """
        work, closed = asyncio.ensure_future(coroutine), asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait((work, closed), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ShuffleClosedError(f"Run {self.run_id} of shuffle {self.id} is over")
            return work.result()
        finally:
            closed.cancel()
            work.cancel()

    async def flush(self) -> None:
        """Wait until all queued parcels have arrived."""
        while self.sending and not self.closed:
            self._idle.clear()
            await self._idle.wait()
        self.check()

    def close(self) -> None:
        """End the run."""
        self._closed.set()
        self._idle.set()
