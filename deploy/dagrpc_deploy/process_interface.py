"""ProcessInterface: the base of handles of schedulers and workers that run elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dagrpc._common.server_status import Status

if TYPE_CHECKING:
    from typing import Self


class ProcessInterface:
    """The handle of a scheduler or worker that runs elsewhere. A base for `SpecCluster`.

    A subclass starts the server in `start` and ends it in `close`, and calls the methods of this class, too. A
    scheduler sets `address`.

    Parameters
    ----------
    scheduler : str, optional
        The scheduler's address, for workers.
    name : optional
        Name of the server.

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
        # A subclass may set these attributes first, and pass nothing.
        self.scheduler = scheduler if scheduler is not None else getattr(self, "scheduler", None)
        self.name = name if name is not None else getattr(self, "name", None)
        self.address: str | None = getattr(self, "address", None)
        """Address of a scheduler; None before it serves."""
        self.external_address: str | None = None
        """Address for clients elsewhere, if it differs from `address`."""
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
        """Start the server. A subclass calls this at the end of its method."""
        self.status = Status.running

    async def close(self, timeout: float | None = None) -> None:
        """End the server. A subclass calls this at the end of its method."""
        self.status = Status.closed
        self._event_finished.set()

    async def finished(self) -> None:
        """Wait until the server has been closed."""
        await self._event_finished.wait()

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.address or self.name!r}, status: {self.status.name}>"
