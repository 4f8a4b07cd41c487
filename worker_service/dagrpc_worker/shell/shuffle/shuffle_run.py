"""One run of a shuffle on a worker: what has arrived, what is being sent, and whether it is over."""

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
        """Whom the outputs belong to, in order. Known once a task here takes part."""
        self.message = pb.ShuffleRun(shuffle_id=shuffle_id, run_id=run_id)
        self.error: Exception | None = None
        """Why something could not be sent."""
        self.sending = 0
        """How many receivers something is being sent to."""
        self._closed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._closed.is_set()

    def check(self) -> None:
        """Raise if it is over or cannot be completed."""
        self.store.check()
        if self.error is not None:
            raise self.error

    def fail(self, error: Exception) -> None:
        """Take note that something could not be sent."""
        self.error = self.error or error

    def sent(self) -> None:
        """Take note that a receiver has got everything."""
        self.sending -= 1
        if not self.sending:
            self._idle.set()

    async def wait_closed(self, seconds: float) -> None:
        """Wait until it is over, so many seconds at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._closed.wait()
        except TimeoutError:
            pass

    async def unless_over(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine returns, unless the run is over before.

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
        """Wait until everything that was to be sent has arrived."""
        while self.sending and not self.closed:
            self._idle.clear()
            await self._idle.wait()
        self.check()

    def close(self) -> None:
        """Be over."""
        self._closed.set()
        self._idle.set()
