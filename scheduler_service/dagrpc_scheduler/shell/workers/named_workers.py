"""Finds workers by what users call them."""

from __future__ import annotations

from collections.abc import Iterable

from dagrpc.exceptions import UnknownWorkerError
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore


def named_workers(core: SchedulerCore, workers: Iterable[str] = ()) -> list[str]:
    """Return the addresses of workers given by address, name or host; of all workers if none are given.

    Raises
    ------
    UnknownWorkerError
        If no worker has an address, a name or a host that is given.
    """
    texts = list(workers)
    if not texts:
        return list(core.state.workers)
    try:
        return views.resolve_workers(core, texts)
    except views.UnknownWorkerError as error:
        raise UnknownWorkerError(str(error)) from None
