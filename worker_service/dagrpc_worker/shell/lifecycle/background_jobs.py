"""Runs a worker's optional background jobs; the log tells when a job fails and when it is dropped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from dagrpc_worker.shell.worker_record import WorkerRecord

logger = logging.getLogger("dagrpc.worker")

_PAUSE = 1.0


async def run_with_retry(worker: WorkerRecord, job: Callable[[], Coroutine[Any, Any, None]], retry: bool) -> None:
    """Run a job; with `retry`, run it again a second after an OSError: files or memory may be short for a while."""
    name = getattr(getattr(job, "func", job), "__name__", "a job").strip("_").replace("_", " ")
    logged = ""
    while True:
        try:
            await job()
        except OSError as error:
            if not retry:
                logger.exception("%s has dropped a background job: %s", worker, name)
                return
            if logged != str(error):
                logged = str(error)
                logger.error("%s retries a background job (%s): %s", worker, name, error)
            await asyncio.sleep(_PAUSE)
        except Exception:
            logger.exception("%s has dropped a background job: %s", worker, name)
            return
        else:
            return
