"""ProcessInterface: base of what stands for a scheduler or worker somewhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dagrpc._common.server_status import Status

if TYPE_CHECKING:
    from typing import Self


class ProcessInterface:
    """Stands for a scheduler or worker that is started somewhere else. Base for `SpecCluster` of your own.

    Subclasses start it in `start` and end it in `close`, and call these here, too; a scheduler sets `address`.

    Parameters
    ----------
    scheduler : str, optional
        The scheduler's address, for workers.
    name : optional
        Its name.

    Examples
    --------
    >>> class BatchJob(ProcessInterface):
    ...     async def start(self):
    ...         self.command = f"dagrpc worker {self.scheduler}"  # to be given to the batch system
    ...         await super().start()
    ...
    ...     async def close(self, timeout=None):
    ...         self.command = None  # to be taken back from it
    ...         await super().close()
    >>> async with BatchJob("127.0.0.1:8786") as job:
    ...     job.command
    'dagrpc worker 127.0.0.1:8786'
    >>> await job.finished()
    """

    def __init__(self, scheduler: str | None = None, name: Any | None = None) -> None:
        # Subclasses may have set theirs before this is called, and call it without.
        self.scheduler = scheduler if scheduler is not None else getattr(self, "scheduler", None)
        self.name = name if name is not None else getattr(self, "name", None)
        self.address: str | None = getattr(self, "address", None)
        """Where a scheduler serves; None before it does."""
        self.external_address: str | None = None
        """Where clients elsewhere reach it, if not under `address`."""
        self.lock = asyncio.Lock()
        self.status = Status.created
        self._event_finished = asyncio.Event()

    def __await__(self) -> Generator[Any, None, Self]:
        return self._started().__await__()

    async def _started(self) -> Self:
        async with self.lock:
            if self.status is Status.created:
                try:
                    await self.start()
                except BaseException:
                    self.status = Status.failed
                    raise
                self.status = Status.running
        return self

    async def start(self) -> None:
        """Start it. Subclasses call this at the end of theirs."""
        self.status = Status.running

    async def close(self, timeout: float | None = None) -> None:
        """End it. Subclasses call this at the end of theirs."""
        self.status = Status.closed
        self._event_finished.set()

    async def finished(self) -> None:
        """Wait until it has been closed."""
        await self._event_finished.wait()

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.address or self.name!r}, status: {self.status.name}>"
