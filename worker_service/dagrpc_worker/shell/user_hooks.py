"""Additions of a user to a worker: a mapping for its results, metrics, startup information, and a lifetime."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from dagrpc._codec.plain import encode_plain
from dagrpc_worker.core import events
from dagrpc_worker.execute.custom_executors import by_name, size_of
from dagrpc_worker.options import WorkerOptions
from dagrpc_worker.shell.session.translate_out import Report, ResourcesReport
from dagrpc_worker.shell.worker_record import WorkerRecord

logger = logging.getLogger("dagrpc.worker")


def make_data(data: Any, local_directory: str) -> MutableMapping[str, Any] | None:
    """Return the user's mapping for a worker's results; None if the worker is to use its own.

    Parameters
    ----------
    data : mapping, callable, (callable, kwargs) or None
        The argument `data` of a worker. A callable with a parameter ``worker_local_directory`` gets `local_directory`.

    Raises
    ------
    TypeError
        If `data` is something else.

    Examples
    --------
    >>> make_data(dict, "/tmp")
    {}
    """
    if data is None:
        return None
    kwargs: dict[str, Any] = {}
    if isinstance(data, tuple) and len(data) == 2 and callable(data[0]) and isinstance(data[1], Mapping):
        data, kwargs = data[0], dict(data[1])
    if not isinstance(data, MutableMapping) and callable(data):
        if _takes_directory(data):
            kwargs.setdefault("worker_local_directory", local_directory)
        data = data(**kwargs)
    if not isinstance(data, MutableMapping):
        raise TypeError(
            f"data is a {type(data).__name__}; it must be a mutable mapping, a callable that returns one, or a tuple "
            "of such a callable and its keyword arguments"
        )
    return data


def _takes_directory(make: Any) -> bool:
    try:
        return "worker_local_directory" in inspect.signature(make).parameters
    except (TypeError, ValueError):  # some built-in types have no signature
        return False


def pool_sizes(options: WorkerOptions) -> dict[str, int]:
    """Return the number of tasks that each named pool of a worker runs at once."""
    custom = {name: size_of(executor) for name, executor in by_name(options.executor).items() if name != "default"}
    return {"offload": 1, **options.executors, **custom}


class CustomMetrics:
    """Metrics that a user adds: functions that are called with the worker."""

    def __init__(self, functions: dict[str, Callable[[Any], Any]], owner: Any, worker: WorkerRecord) -> None:
        # The same dict as the user's: functions may be added while the worker runs.
        self._functions = functions
        self._owner = owner
        self._worker = worker

    async def sample(self) -> dict[str, float]:
        """Return the metrics by name. A function that fails is removed."""
        found = {}
        for name, function in list(self._functions.items()):
            try:
                value = function(self._owner)
                found[name] = float(await value if inspect.isawaitable(value) else value)
            except Exception:
                logger.exception("%s has dropped metric %r: it must return a number", self._worker, name)
                self._functions.pop(name, None)
        return found


async def startup_facts(
    functions: Mapping[str, Callable[[Any], Any]], owner: Any, worker: WorkerRecord
) -> dict[str, Any]:
    """Return the user's startup information by name. A function that fails, or returns no plain data, is left out."""
    found = {}
    for name, function in functions.items():
        try:
            value = function(owner)
            value = await value if inspect.isawaitable(value) else value
            encode_plain(value, name)
        except Exception:
            logger.exception("%s has no startup information %r", worker, name)
        else:
            found[name] = value
    return found


def encode_facts(facts: Mapping[str, Any]) -> bytes:
    """Return startup information as bytes; empty if there is none."""
    return encode_plain(dict(facts), "startup_information") if facts else b""


async def end_lifetime(options: WorkerOptions, close_gracefully: Callable[[bool, str], Awaitable[object]]) -> None:
    """Close a worker gracefully at the end of its lifetime, if it has one."""
    if options.lifetime is None:
        return
    stagger = options.lifetime_stagger
    await asyncio.sleep(max(0.0, options.lifetime + random.uniform(-stagger, stagger)))
    leaving = asyncio.ensure_future(close_gracefully(options.lifetime_restart, "its lifetime is over"))
    # Closing cancels this task; the shield keeps it from cancelling itself.
    await asyncio.shield(leaving)


def set_resources(
    worker: WorkerRecord,
    resources: Mapping[str, float],
    take: Callable[[list[events.Event]], object],
    report: Callable[[list[Report]], object],
) -> None:
    """Change the amounts of some resources that a worker offers.

    Raises
    ------
    ValueError
        If an amount is below 0.
    """
    amounts = {name: float(amount) for name, amount in resources.items()}
    for name, amount in amounts.items():
        if not amount >= 0:
            raise ValueError(f"An amount of a resource is at least 0; got {name}={amount}")
    worker.resources.update(amounts)
    take([events.ResourcesSet(amounts)])
    report([ResourcesReport(dict(worker.resources))])
