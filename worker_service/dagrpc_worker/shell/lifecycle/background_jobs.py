"""What goes on beside a worker's session: it can do without, but not without a word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService

logger = logging.getLogger("dagrpc.worker")

_PAUSE = 1.0


async def carry_on(worker: WorkerService, work: Callable[[], Coroutine[Any, Any, None]], again: bool) -> None:
    """Do something; if the system does not let it, again after a pause: it may just be out of files or memory.

    Parameters
    ----------
    work : callable
        Returns what is to be done.
    again : bool
        Whether to do so.
    """
    what = getattr(getattr(work, "func", work), "__name__", "something").strip("_").replace("_", " ")
    told = ""
    while True:
        try:
            await work()
        except OSError as error:
            if not again:
                logger.exception("Worker %s at %s goes on without: %s", worker.name, worker.address, what)
                return
            if told != str(error):
                told = str(error)
                logger.error("Worker %s at %s is interrupted (%s): %s", worker.name, worker.address, what, error)
            await asyncio.sleep(_PAUSE)
        except Exception:
            logger.exception("Worker %s at %s goes on without: %s", worker.name, worker.address, what)
            return
        else:
            return
