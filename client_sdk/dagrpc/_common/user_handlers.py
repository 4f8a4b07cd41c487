"""Calls handlers that user code has added to a scheduler."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any


async def call_handler(name: str, arguments: Mapping[str, Any], dask_scheduler: Any) -> Any:
    """Call one of a scheduler's `handlers`, and return what it returns.

    As in distributed, a handler whose first parameter is ``comm`` gets the connection there; here that is None.

    Raises
    ------
    AttributeError
        If there is no handler of that name.
    """
    handler = dask_scheduler.handlers.get(name)
    if handler is None:
        known = ", ".join(sorted(dask_scheduler.handlers))
        raise AttributeError(f"The scheduler has no handler {name!r}; Scheduler.handlers has {known}")
    first = next(iter(inspect.signature(handler).parameters), "")
    outcome = handler(None, **arguments) if first == "comm" else handler(**arguments)
    return await outcome if inspect.isawaitable(outcome) else outcome
