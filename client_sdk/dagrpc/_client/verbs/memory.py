"""Where results are kept: replicas, rebalancing, the active memory manager; workers that retire."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from google.protobuf.message import Message

from dagrpc._client.client_core import ClientCore, HasCore, core_of
from dagrpc._client.client_session import ClientSession
from dagrpc._client.find_futures import futures_in, wire_keys_in
from dagrpc._client.key_table import FINISHED
from dagrpc._client.services import scheduler_service
from dagrpc._client.submission_options import Workers, names_nobody, worker_names
from dagrpc._client.verbs.run import call_on_scheduler
from dagrpc._client.waiting import Countdown, Deadline, Operation, RunOnLoop
from dagrpc._codec.calls import result_of
from dagrpc._common.keys import decode_key
from dagrpc.v1 import memory_service_pb2, scaling_service_pb2, scheduler_service_pb2

_MEMORY_SERVICE = memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"]
_SCALING_SERVICE = scaling_service_pb2.DESCRIPTOR.services_by_name["ScalingService"]
_ACTIONS = {
    "running": memory_service_pb2.MEMORY_MANAGER_ACTION_UNSPECIFIED,
    "start": memory_service_pb2.MEMORY_MANAGER_ACTION_START,
    "stop": memory_service_pb2.MEMORY_MANAGER_ACTION_STOP,
    "run_once": memory_service_pb2.MEMORY_MANAGER_ACTION_RUN_ONCE,
}


class AMMClientProxy:
    """Controls the scheduler's active memory manager. ``client.amm`` is one.

    Each method returns an awaitable if the client is asynchronous.

    Parameters
    ----------
    client : Client
        A client of the scheduler.

    Examples
    --------
    >>> client.amm.running()
    True
    >>> client.amm.stop()
    >>> client.amm.running()
    False
    >>> client.amm.start()
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def start(self) -> Any:
        """Start the memory manager, which then runs regularly.

        Examples
        --------
        >>> client.amm.start()
        """
        return self._control("start")

    def stop(self) -> Any:
        """Stop the memory manager.

        Examples
        --------
        >>> client.amm.stop()
        >>> client.amm.start()
        """
        return self._control("stop")

    def run_once(self) -> Any:
        """Run the memory manager immediately, started or not.

        Examples
        --------
        >>> client.amm.run_once()
        """
        return self._control("run_once")

    def running(self) -> Any:
        """Return whether the memory manager is started.

        Examples
        --------
        >>> client.amm.running()
        True
        """
        return self._control("running")

    def _control(self, action: str) -> Any:
        core = core_of(self._client)
        return core.call(_control_memory_manager(core.session, action))


async def _control_memory_manager(session: ClientSession, action: str) -> bool | None:
    request = memory_service_pb2.ControlMemoryManagerRequest(action=_ACTIONS[action])
    answer = await _ask(session, "ControlMemoryManager", request, memory_service_pb2.ControlMemoryManagerResponse, 30.0)
    return bool(answer.running) if action == "running" else None


async def _ask(session: ClientSession, method: str, request: Message, answer: type[Any], limit: float | None) -> Any:
    """Call the scheduler's MemoryService, once the scheduler knows all earlier submissions and releases."""
    await session.ping()
    return await scheduler_service(session, _MEMORY_SERVICE).call(method, request, answer, timeout=limit)


# --- replicas --------------------------------------------------------------------------------------------------------


def replicate(
    self: HasCore, futures: Any, n: int | None = None, workers: Workers = None, branching_factor: int = 2, **kwargs: Any
) -> Any:
    """Copy results to more workers, and return once the copies are there.

    The active memory manager drops copies that no task is about to use: stop it, or configure it without
    ``ReduceReplicas``, to keep the copies.

    Parameters
    ----------
    futures : Future, or collection or nested structure of futures
        The results, which are waited for. Failed tasks and actors are left out.
    n : int, optional
        The number of workers that hold each result; copies beyond this number are dropped. All workers by default.
    workers : str or iterable of str, optional
        Addresses, names or host names of the workers to consider; all workers by default.
    branching_factor : int
        How many workers fetch a result from the same worker at the same time: the copies spread as a tree.

    Raises
    ------
    ValueError
        If `n` is less than 1.
    KeyError
        If a result is lost, or there is no such worker.

    Examples
    --------
    >>> future = client.scatter([1, 2, 3])
    >>> client.amm.stop()
    >>> client.replicate(future)
    >>> [len(workers) for workers in client.who_has(future).values()]
    [2, 2, 2]
    >>> client.replicate(future, n=1)
    >>> [len(workers) for workers in client.who_has(future).values()]
    [1, 1, 1]
    >>> client.amm.start()
    """
    asynchronous = _asynchronous("replicate", kwargs)
    return self._core.run(_replicate(self._core, futures, n, workers, branching_factor), asynchronous)


def _replicate(core: ClientCore, futures: Any, n: int | None, workers: Workers, branching: int) -> Operation[None]:
    core.check_open()
    if n is not None and n < 1:
        raise ValueError("Can not use replicate to delete data")
    if branching < 1:
        raise ValueError(f"branching_factor is {branching}; it must be at least 1")
    if names_nobody(workers):
        raise ValueError("Can not use replicate to delete data: workers= names no worker")
    wire_keys = yield from _awaited_wire_keys(futures, only_finished=True)
    if not wire_keys:
        return
    request = memory_service_pb2.ReplicateRequest(
        keys=wire_keys, copies=n or 0, workers=worker_names(workers), branching_factor=branching
    )
    asking = _ask(core.session, "Replicate", request, memory_service_pb2.ReplicateResponse, None)
    answer = yield RunOnLoop(core.loop, asking)
    if answer.missing:
        raise KeyError(f"Could not replicate keys: {tuple(decode_key(key) for key in answer.missing)}")


def rebalance(self: HasCore, futures: Any = None, workers: Workers = None, **kwargs: Any) -> Any:
    """Move results between workers until all use about the same amount of memory, and return once that is done.

    Workers that use less than ``worker.memory.rebalance.sender-min`` of their limit keep their results.

    Parameters
    ----------
    futures : Future, or collection or nested structure of futures, optional
        The results that may be moved, which are waited for. All results by default.
    workers : str or iterable of str, optional
        Addresses, names or host names of the workers to consider; all workers by default.

    Raises
    ------
    KeyError
        If a result is lost or could not be moved, or there is no such worker.

    Examples
    --------
    >>> futures = client.scatter([1, 2, 3])
    >>> client.rebalance(futures)
    """
    asynchronous = _asynchronous("rebalance", kwargs)
    return self._core.run(_rebalance(self._core, futures, workers), asynchronous)


def _rebalance(core: ClientCore, futures: Any, workers: Workers) -> Operation[None]:
    core.check_open()
    if names_nobody(workers):
        return
    wire_keys = None
    if futures is not None:
        wire_keys = yield from _awaited_wire_keys(futures, only_finished=False)
        if not wire_keys:
            return
    request = memory_service_pb2.RebalanceRequest(keys=wire_keys, workers=worker_names(workers))
    asking = _ask(core.session, "Rebalance", request, memory_service_pb2.RebalanceResponse, None)
    answer = yield RunOnLoop(core.loop, asking)
    if answer.failed:
        raise KeyError(f"Could not rebalance keys: {tuple(decode_key(key) for key in answer.failed)}")


def _awaited_wire_keys(futures: Any, *, only_finished: bool) -> Operation[list[str]]:
    """Wait for futures and return their wire keys."""
    found = futures_in(futures)
    yield Countdown([future.bound_state() for future in found], Deadline(None))
    wire_keys = wire_keys_in(found)
    if not only_finished:
        return wire_keys
    return [wire_key for wire_key, future in zip(wire_keys, found, strict=True) if future.status == FINISHED]


# --- workers that retire ---------------------------------------------------------------------------------------------


def retire_workers(self: HasCore, workers: Workers = None, close_workers: bool = True, **kwargs: Any) -> Any:
    """Retire workers: move the results that only they hold to other workers, then close them.

    Parameters
    ----------
    workers : str or iterable of str, optional
        Addresses, names or host names. By default idle workers, as many as the memory of the other workers allows,
        workers with the least data first.
    close_workers : bool
        As in distributed, workers close in any case, unless ``remove=False`` is given, too: then they only get no more
        tasks, and other workers hold copies of their results.
    **kwargs
        ``names``: names of workers, instead of addresses. Without `workers` and ``names``: ``n``, how many workers
        retire, idle or not; ``minimum`` and ``target``, how many workers have to stay at least; ``memory_ratio``, how
        many times the size of all results must be left as memory; ``key``, a function of a worker: workers with equal
        return values retire together. The scheduler calls ``key`` if it runs code of clients. ``remove``: see
        `close_workers`.

    Returns
    -------
    dict
        The `scheduler_info` of the retired workers by address. A worker stays, and is missing here, if it holds an
        actor or a result that no other worker can take.

    Examples
    --------
    >>> with LocalCluster(n_workers=2, processes=False) as cluster, Client(cluster) as client:
    ...     retired = client.retire_workers(n=1)
    ...     len(retired), len(client.nthreads())
    (1, 1)
    """
    options = dict(kwargs)
    names = options.pop("names", None)
    close = close_workers or bool(options.pop("remove", True))
    asynchronous = options.pop("asynchronous", None)
    for ignored in ("stimulus_id", "attribute", "remove"):
        options.pop(ignored, None)
    unknown = options.keys() - {"n", "minimum", "target", "memory_ratio", "key"}
    if unknown:
        raise TypeError(f"retire_workers has no parameter {', '.join(sorted(unknown))}")
    if workers is not None and names is not None:
        raise TypeError("Both workers and names choose the workers to retire; give one of them")
    chosen = None if workers is None and names is None else worker_names(workers if workers is not None else names)
    return self._core.run(_retire(self._core, chosen, close, **options), asynchronous)


def _retire(
    core: ClientCore,
    names: list[str] | None,
    close: bool,
    *,
    n: int | None = None,
    minimum: int | None = None,
    target: int | None = None,
    memory_ratio: float | None = None,
    key: Callable[[Any], Hashable] | None = None,
) -> Operation[dict[str, dict[str, Any]]]:
    core.check_open()
    for what, number in (("n", n), ("minimum", minimum), ("target", target), ("memory_ratio", memory_ratio)):
        if number is not None and number < 0:
            raise ValueError(f"{what} is {number}; it must be at least 0")
    if names is None:
        stay = max(minimum or 0, target or 0)
        choosing = _workers_to_close(core.session, n, stay, memory_ratio or 0.0, key)
        names = yield RunOnLoop(core.loop, choosing)
    if not names:
        return {}
    retired: dict[str, dict[str, Any]] = yield RunOnLoop(core.loop, _retire_on_scheduler(core, names, close=close))
    return retired


async def _workers_to_close(
    session: ClientSession, count: int | None, stay: int, memory_ratio: float, key: Callable[[Any], Hashable] | None
) -> list[str]:
    """Return the addresses of workers that the scheduler can do without."""
    groups = await _groups(session, key) if key is not None else {}
    request = scaling_service_pb2.ChooseWorkersToCloseRequest(
        count=count, minimum=stay, memory_ratio=memory_ratio, groups=groups
    )
    answer = await scheduler_service(session, _SCALING_SERVICE).call(
        "ChooseWorkersToClose", request, scaling_service_pb2.ChooseWorkersToCloseResponse, timeout=30.0
    )
    return [worker.address for worker in answer.workers]


async def _groups(session: ClientSession, key: Callable[[Any], Hashable]) -> dict[str, str]:
    """Return the group of each worker, as a user's function sorts the scheduler's workers."""

    def sort(dask_scheduler: Any) -> dict[str, str]:
        return {address: repr(key(worker)) for address, worker in dask_scheduler.workers.items()}

    found: dict[str, str] = result_of(await call_on_scheduler(session, sort, (), {}), session.families)
    return found


async def _retire_on_scheduler(core: ClientCore, names: Sequence[str], *, close: bool) -> dict[str, dict[str, Any]]:
    """Retire workers and return their descriptions by address."""
    known = (await core.cluster_info.fetch())["workers"]
    request = scheduler_service_pb2.RetireWorkersRequest(workers=names, keep_open=not close)
    service = scheduler_service(core.session)
    answer = await service.call("RetireWorkers", request, scheduler_service_pb2.RetireWorkersResponse, timeout=None)
    return {address: known.get(address, {}) for address in answer.workers}


def _asynchronous(method: str, kwargs: dict[str, Any]) -> bool | None:
    """Return the option ``asynchronous``; raise if there are other options."""
    unknown = kwargs.keys() - {"asynchronous"}
    if unknown:
        raise TypeError(f"{method} has no parameter {', '.join(sorted(unknown))}")
    asynchronous: bool | None = kwargs.get("asynchronous")
    return asynchronous
