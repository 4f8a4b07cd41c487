"""What users add to a worker: a place for its results, measurements of their own, an end that is set beforehand."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from dagrpc._codec.plain import encode_plain
from dagrpc_worker.core import events
from dagrpc_worker.execute.custom_executors import by_name, size_of
from dagrpc_worker.shell.session.translate_out import Report, ResourcesReport

if TYPE_CHECKING:
    from dagrpc_worker.options import WorkerOptions
    from dagrpc_worker.shell.service import WorkerService

logger = logging.getLogger("dagrpc.worker")


def make_data(data: Any, local_directory: str) -> MutableMapping[str, Any] | None:
    """Return the mapping that a worker is to keep its results in; None for its own.

    Parameters
    ----------
    data : mapping, callable, (callable, kwargs) or None
        As users give it to a worker. A callable that has a parameter ``worker_local_directory`` gets that.

    Raises
    ------
    TypeError
        If it is something else.

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
            f"data is a {type(data).__name__}; it must be a mutable mapping, what makes one, or (what, its kwargs)"
        )
    return data


def _takes_directory(make: Any) -> bool:
    try:
        return "worker_local_directory" in inspect.signature(make).parameters
    except (TypeError, ValueError):  # some built-in types have none
        return False


def pool_sizes(options: WorkerOptions) -> dict[str, int]:
    """Return how many tasks each named pool of a worker runs at once."""
    brought = {name: size_of(executor) for name, executor in by_name(options.executor).items() if name != "default"}
    return {"offload": 1, **options.executors, **brought}


class OwnMetrics:
    """Measurements that a user adds.

    Parameters
    ----------
    worker : WorkerService
        The worker.
    """

    def __init__(self, worker: WorkerService) -> None:
        self._worker = worker
        # Users may add to it.
        self._functions = worker.options.metrics

    async def sample(self) -> dict[str, float]:
        """Return them by name. One that cannot be had is left out from then on."""
        found = {}
        for name, function in list(self._functions.items()):
            try:
                value = function(self._worker.facade)
                found[name] = float(await value if inspect.isawaitable(value) else value)
            except Exception:
                logger.exception("Metric %r of worker %s is left out: it must give a number", name, self._worker.name)
                self._functions.pop(name, None)
        return found


async def startup_information(worker: WorkerService) -> bytes:
    """Return what a user wants the scheduler to be told of a worker; empty if nothing."""
    found = await startup_facts(worker)
    return encode_plain(found, "startup_information") if found else b""


async def startup_facts(worker: WorkerService) -> dict[str, Any]:
    """Return the same as it was given. What cannot be had, or sent, is left out: the worker works without it."""
    found = {}
    for name, function in worker.options.startup_information.items():
        try:
            value = function(worker.facade)
            value = await value if inspect.isawaitable(value) else value
            encode_plain(value, name)
        except Exception:
            logger.exception("Startup information %r of worker %s is left out", name, worker.name)
        else:
            found[name] = value
    return found


async def live_out(worker: WorkerService) -> None:
    """Have a worker leave in good order when its life is over."""
    options = worker.options
    if options.lifetime is None:
        return
    stagger = options.lifetime_stagger
    await asyncio.sleep(max(0.0, options.lifetime + random.uniform(-stagger, stagger)))
    leaving = asyncio.ensure_future(worker.close_gracefully(options.lifetime_restart, "its lifetime is over"))
    # Closing cancels this task, and must not cancel itself.
    await asyncio.shield(leaving)


def set_resources(
    worker: WorkerService,
    resources: Mapping[str, float],
    take: Callable[[list[events.Event]], object],
    report: Callable[[list[Report]], object],
) -> None:
    """Have a worker offer other amounts of resources; those that are not named stay as they are.

    Parameters
    ----------
    take, report : callable
        Give an event to the worker's core, and reports to the scheduler.

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
