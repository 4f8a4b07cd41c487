"""Methods of `Worker` that show its tasks and its measurements, under the names of distributed.

The class binds these functions as methods and attributes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable
from concurrent.futures import Executor
from typing import Any, Protocol

from dagrpc import config
from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc_worker.shell.facade.state_view import Held, told_as
from dagrpc_worker.shell.memory.memory_options import MemoryManager
from dagrpc_worker.shell.service import WorkerService


class WorkerFacade(Protocol):
    """The part of a `Worker` that the functions use."""

    _home: ServiceHome
    _service: WorkerService


# --- measurements ------------------------------------------------------------------------------------------------


def memory_manager(self: WorkerFacade) -> MemoryManager:
    """The memory thresholds of the worker."""
    service = self._service
    return MemoryManager.of(service.record.memory_limit, service.options.memory_fractions(), Held(service.data))


def bandwidth(self: WorkerFacade) -> float:
    """Bytes per second that transfers between workers are assumed to bring, as configured."""
    return float(config.get_bytes("scheduler.bandwidth"))


def latency(self: WorkerFacade) -> float:
    """Seconds that the scheduler took to answer the last heartbeat."""
    heartbeat = self._service.heartbeat
    return heartbeat.latency if heartbeat is not None else 0.0


def transfer_outgoing_count(self: WorkerFacade) -> int:
    """Number of transfers to other workers that are under way."""
    return int(self._service.counts()["transfers_outgoing"])


def transfer_outgoing_bytes(self: WorkerFacade) -> int:
    """Bytes of the transfers to other workers that are under way."""
    return int(self._service.counts()["transfers_outgoing_bytes"])


async def get_metrics(self: WorkerFacade) -> dict[str, Any]:
    """Measure the worker, and return the metrics that the scheduler shows.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     (await worker.get_metrics())["spilled_bytes"]
    {'memory': 0, 'disk': 0}
    """
    return await self._home.awaiting(_measure(self._service))


async def _measure(service: WorkerService) -> dict[str, Any]:
    from dagrpc._common.nested_metrics import nested_metrics

    found = {**service.metrics().sample(), **await service.custom_metrics().sample()}
    lag = service.heartbeat.lag if service.heartbeat is not None else 0.0
    return {**nested_metrics(found), "event_loop_interval": lag, "time": time.time()}


async def get_startup_information(self: WorkerFacade) -> dict[str, Any]:
    """Return the results of the functions of `startup_information`.

    Examples
    --------
    >>> told = {"answer": lambda worker: 42}
    >>> async with Scheduler() as scheduler, Worker(scheduler.address, startup_information=told) as worker:
    ...     await worker.get_startup_information()
    {'answer': 42}
    """
    from dagrpc_worker.shell.user_hooks import startup_facts

    service = self._service
    facts = startup_facts(service.options.startup_information, service.facade, service.record)
    return await self._home.awaiting(facts)


async def get_profile(
    self: WorkerFacade,
    start: float | None = None,
    stop: float | None = None,
    key: str | None = None,
    server: bool = False,
) -> dict[str, Any]:
    """Return a statistical profile of the worker's tasks, or with `server` of its event loop; see `Client.profile`.

    Parameters
    ----------
    start, stop : float, optional
        The time, in seconds since the epoch.
    key : str, optional
        A prefix of keys; by default all tasks count.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     (await worker.get_profile())["count"]
    0
    """
    profile = self._service.profile
    if profile is None:
        from dagrpc._profiling.trees import new_profile

        return new_profile()
    if server:
        return await asyncio.to_thread(profile.loop, start or 0.0, stop or 0.0)
    return await asyncio.to_thread(profile.tasks, key or "", start or 0.0, stop or 0.0)


# --- tasks -------------------------------------------------------------------------------------------------------


def keys(self: WorkerFacade) -> list[Key]:
    """Return the keys of the results that the worker holds.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address, name="alice") as worker:
    ...     async with Client(scheduler.address, asynchronous=True) as client:
    ...         await client.submit(sum, [1, 2], key="total")
    ...         worker.keys()
    3
    ['total']
    """
    return list(Held(self._service.data))


def active_keys(self: WorkerFacade) -> set[Key]:
    """Keys of the running tasks."""
    return {decode_key(context.key) for context in self._service.runner.contexts()}


def active_threads(self: WorkerFacade) -> dict[int, Key]:
    """Keys of the running tasks, by the thread of each. Coroutines have no thread."""
    contexts = self._service.runner.contexts()
    return {context.thread: decode_key(context.key) for context in contexts if not context.on_loop}


def threads(self: WorkerFacade) -> dict[Key, int]:
    """The threads of the running tasks, by key. Coroutines have no thread."""
    return {key: thread for thread, key in active_threads(self).items()}


def executor(self: WorkerFacade) -> Executor:
    """The pool of threads that runs tasks. Functions that are submitted to it take their turn among the tasks."""
    executor: Executor = self._service.executors["default"]
    return executor


def get_call_stack(self: WorkerFacade, keys: Collection[Key] | None = None) -> dict[Key, tuple[str, ...]]:
    """Return the call stacks of running tasks, by key; by default of all.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
    ...     worker.get_call_stack()
    {}
    """
    from dagrpc_worker.execute.call_stacks import call_stacks

    if keys is not None and not keys:
        return {}
    wanted = frozenset(map(encode_key, keys or ()))
    service = self._service
    found = call_stacks(service.runner.contexts(), wanted, service.options.low_level_profiler)
    return {decode_key(key): tuple(lines) for key, lines in found.items()}


async def get_story(self: WorkerFacade, keys_or_stimuli: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Return the transitions of tasks, or those that stimuli have caused.

    Returns
    -------
    list of tuple
        Key, state before, state wanted, state reached, ``{}``, stimulus and time of each transition.

    Examples
    --------
    >>> async with Scheduler() as scheduler, Worker(scheduler.address, name="alice") as worker:
    ...     async with Client(scheduler.address, asynchronous=True) as client:
    ...         await client.submit(sum, [1, 2], key="total")
    ...         (await worker.get_story(["total"]))[0][:3]
    3
    ('total', 'released', ...)
    """
    wanted = [encode_key(each) for each in keys_or_stimuli]
    found = self._home.call(self._service.state.story_of, wanted)
    return [told_as(entry) for entry in found]
