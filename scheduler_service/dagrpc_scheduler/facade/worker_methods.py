"""Methods and properties of `Scheduler` that tell about workers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from dagrpc import config
from dagrpc._common.keys import Key, decode_key
from dagrpc_scheduler.core import views
from dagrpc_scheduler.facade.parts import SchedulerParts
from dagrpc_scheduler.shell.user_views.state_views import WorkerState
from dagrpc_scheduler.shell.workers.named_workers import named_workers


def workers_list(self: SchedulerParts, workers: Iterable[str] | None) -> list[str]:
    """Return the addresses of workers given by address, name or host; of all workers for None.

    Examples
    --------
    >>> cluster.scheduler.workers_list(["127.0.0.1"])
    ['127.0.0.1:...', '127.0.0.1:...']
    """
    return named_workers(self._core, workers or ())


def get_has_what(self: SchedulerParts, workers: Iterable[str] | None = None) -> dict[str, list[Key]]:
    """Return the keys of the results that workers hold, by address; all workers by default.

    Examples
    --------
    >>> len(cluster.scheduler.get_has_what())
    2
    """
    found = self._home.call(views.has_what, self._core, workers)
    return {address: list(map(decode_key, keys)) for address, keys in found.items()}


def get_processing(self: SchedulerParts, workers: Iterable[str] | None = None) -> dict[str, list[Key]]:
    """Return the keys of the tasks that are assigned to workers, by address; all workers by default.

    Examples
    --------
    >>> cluster.scheduler.get_processing()
    {'127.0.0.1:...': [], '127.0.0.1:...': []}
    """
    found = self._home.call(views.processing, self._core, workers)
    return {address: list(map(decode_key, keys)) for address, keys in found.items()}


def get_ncores(self: SchedulerParts, workers: Iterable[str] | None = None) -> dict[str, int]:
    """Return how many tasks workers run at a time, by address; all workers by default.

    Examples
    --------
    >>> sum(cluster.scheduler.get_ncores().values())
    4
    """
    known = self._core.state.workers
    chosen = list(known) if workers is None else [address for address in workers if address in known]
    return {address: known[address].nthreads for address in chosen}


def get_ncores_running(self: SchedulerParts, workers: Iterable[str] | None = None) -> dict[str, int]:
    """Return how many tasks the workers that get tasks run at a time, by address.

    Examples
    --------
    >>> sum(cluster.scheduler.get_ncores_running().values())
    4
    """
    running = {worker.address for worker in list(self._core.state.running)}
    return {address: count for address, count in get_ncores(self, workers).items() if address in running}


def resources(self: SchedulerParts) -> dict[str, dict[str, float]]:
    """Amounts of abstract resources, by name and by the address of the worker that offers them."""
    found: dict[str, dict[str, float]] = {}
    for worker in list(self._core.state.workers.values()):
        for name, amount in worker.resources.items():
            found.setdefault(name, {})[worker.address] = amount
    return found


def host_info(self: SchedulerParts) -> dict[str, dict[str, Any]]:
    """Addresses of workers and number of threads, by host."""
    found: dict[str, dict[str, Any]] = {}
    for worker in list(self._core.state.workers.values()):
        host = found.setdefault(worker.host, {"addresses": set(), "nthreads": 0})
        host["addresses"].add(worker.address)
        host["nthreads"] += worker.nthreads
    return found


def coerce_address(self: SchedulerParts, addr: Any, resolve: bool = True) -> str:
    """Return the address of a worker given by address or name.

    Raises
    ------
    TypeError
        If `addr` is neither text nor the name of a worker.

    Examples
    --------
    >>> cluster.scheduler.coerce_address(0)
    '127.0.0.1:...'
    """
    worker = self._core.state.aliases.get(str(addr))
    if worker is not None:
        return worker.address
    if not isinstance(addr, str):
        raise TypeError(f"An address is text, or the name of a worker; got {addr!r}")
    return addr


def get_worker_service_addr(self: SchedulerParts, worker: str, service_name: str, protocol: bool = False) -> Any:
    """Return host and port of another service of a worker; None if the worker has none of that name.

    Examples
    --------
    >>> cluster.scheduler.get_worker_service_addr(cluster.scheduler.coerce_address(0), "dashboard")
    ('127.0.0.1', ...)
    """
    found = self.workers[worker]
    port = found.services.get(service_name)
    if port is None:
        return None
    return f"{service_name}://{found.host}:{port}" if protocol else (found.host, port)


def adaptive_target(self: SchedulerParts, target_duration: float | str | None = None) -> int:
    """Return how many workers the current work needs."""
    return self._home.call(self._service.scaling.adaptive_target, config.seconds(target_duration))


def workers_to_close(
    self: SchedulerParts,
    memory_ratio: float | None = None,
    n: int | None = None,
    key: Callable[[WorkerState], Hashable] | None = None,
    minimum: int | None = None,
    target: int | None = None,
    attribute: str = "address",
) -> list[Any]:
    """Return workers that may be closed: idle workers first, and of these the ones with least data.

    Parameters
    ----------
    memory_ratio : float, optional
        How many times the size of all results must be left as memory; 2 by default.
    n : int, optional
        How many workers to close, idle or not.
    key : callable, optional
        Returns the group of a worker; the workers of a group are closed together.
    minimum : int, optional
        How many workers must stay at least.
    target : int, optional
        How many workers should stay, as far as the others are idle.
    attribute : str
        The attribute to return of each worker: ``address``, ``name``, ...
    """
    workers = self.workers

    def choose() -> list[str]:
        groups = {address: key(worker) for address, worker in workers.items()} if key is not None else None
        return self._service.scaling.workers_to_close(n, minimum, target, memory_ratio, groups)

    chosen = self._home.call(choose)
    if attribute == "address":
        return chosen
    return [getattr(workers[address], attribute) for address in chosen if address in workers]
