"""The part of the scheduler as an object that answers what clients ask, and says how it is set up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from dagrpc import config
from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.model import ERRED
from dagrpc_scheduler.shell.facade.task_views import TaskState
from dagrpc_scheduler.shell.workers import worker_calls

if TYPE_CHECKING:
    from dagrpc._rpc.embedded_server import ServiceHome
    from dagrpc_scheduler.core.machine import SchedulerCore
    from dagrpc_scheduler.shell.facade.scheduler import Scheduler
    from dagrpc_scheduler.shell.service import SchedulerService

_RESTART_TIMEOUT = 120.0


class Answers:
    """Answers questions about tasks and workers by key and address. See `Scheduler`."""

    _service: SchedulerService
    _home: ServiceHome

    @property
    def _core(self) -> SchedulerCore:
        return self._service.core

    # --- results -------------------------------------------------------------------------------------------------

    def get_who_has(self, keys: Iterable[Key] | None = None) -> dict[Key, list[str]]:
        """Return the addresses of those who hold results, by key: of some, or of all that somebody holds.

        Examples
        --------
        >>> future = client.submit(inc, 1, key="x")
        >>> future.result()
        2
        >>> cluster.scheduler.get_who_has(["x", "nobody"])
        {'x': ['127.0.0.1:...'], 'nobody': []}
        """
        found = self._home.call(views.who_has, self._core, _wires(keys))
        return {decode_key(key): list(holders) for key, _, holders in found}

    def get_has_what(self, workers: Iterable[str] | None = None) -> dict[str, list[Key]]:
        """Return the keys of the results that workers hold, by address; all workers by default.

        Examples
        --------
        >>> len(cluster.scheduler.get_has_what())
        2
        """
        found = self._home.call(views.has_what, self._core, workers)
        return {address: list(map(decode_key, keys)) for address, keys in found.items()}

    def get_nbytes(self, keys: Iterable[Key] | None = None, summary: bool = True) -> dict[Key, int]:
        """Return the sizes of results in bytes, by key; together by the kind of work if `summary`.

        Examples
        --------
        >>> futures = client.map(inc, range(2), key="y")
        >>> client.gather(futures)
        [1, 2]
        >>> cluster.scheduler.get_nbytes([future.key for future in futures])
        {'y': 56}
        """
        sizes = self._home.call(views.nbytes, self._core, _wires(keys))
        if not summary:
            return {decode_key(key): size for key, size in sizes.items()}
        tasks = self._core.state.tasks
        together: Counter[Key] = Counter()
        for key, size in sizes.items():
            together[tasks[key].group.prefix.name] += size
        return dict(together)

    # --- tasks ---------------------------------------------------------------------------------------------------

    @property
    def n_tasks(self) -> int:
        """How many tasks there are."""
        return len(self._core.state.tasks)

    @property
    def erred_tasks(self) -> list[TaskState]:
        """Tasks that failed and are still wanted."""
        scheduler = cast("Scheduler", self)
        return [TaskState(scheduler, task) for task in list(self._core.state.tasks.values()) if task.state == ERRED]

    def get_processing(self, workers: Iterable[str] | None = None) -> dict[str, list[Key]]:
        """Return the keys of the tasks that are assigned to workers, by address; all workers by default.

        Examples
        --------
        >>> cluster.scheduler.get_processing()
        {'127.0.0.1:...': [], '127.0.0.1:...': []}
        """
        found = self._home.call(views.processing, self._core, workers)
        return {address: list(map(decode_key, keys)) for address, keys in found.items()}

    def get_task_status(self, keys: Iterable[Key]) -> dict[Key, str | None]:
        """Return the states of tasks by key; None for those that are not known.

        Examples
        --------
        >>> future = client.submit(inc, 1, key="x")
        >>> future.result()
        2
        >>> cluster.scheduler.get_task_status(["x", "nobody"])
        {'x': 'memory', 'nobody': None}
        """
        tasks = self._core.state.tasks
        found = {key: tasks.get(encode_key(key)) for key in keys}
        return {key: None if task is None else task.state for key, task in found.items()}

    def get_task_prefix_states(self) -> dict[str, dict[str, int]]:
        """Return how many tasks are in each state, by the kind of work.

        Examples
        --------
        >>> future = client.submit(inc, 1, key="z-1")
        >>> future.result()
        2
        >>> cluster.scheduler.get_task_prefix_states()["z"]["memory"]
        1
        """
        return self._home.call(views.prefix_counts, self._core)

    # --- workers -------------------------------------------------------------------------------------------------

    def workers_list(self, workers: Iterable[str] | None) -> list[str]:
        """Return the addresses of workers that are given by address, name or host; of all for None.

        Examples
        --------
        >>> cluster.scheduler.workers_list(["127.0.0.1"])
        ['127.0.0.1:...', '127.0.0.1:...']
        """
        return list(self._core.state.workers) if workers is None else self._service.resolve_workers(workers)

    def get_ncores(self, workers: Iterable[str] | None = None) -> dict[str, int]:
        """Return how many tasks workers run at once, by address.

        Examples
        --------
        >>> sum(cluster.scheduler.get_ncores().values())
        4
        """
        known = self._core.state.workers
        chosen = list(known) if workers is None else [address for address in workers if address in known]
        return {address: known[address].nthreads for address in chosen}

    def get_ncores_running(self, workers: Iterable[str] | None = None) -> dict[str, int]:
        """Return the same of the workers that are given tasks.

        Examples
        --------
        >>> sum(cluster.scheduler.get_ncores_running().values())
        4
        """
        running = {worker.address for worker in list(self._core.state.running)}
        return {address: count for address, count in self.get_ncores(workers).items() if address in running}

    @property
    def host_info(self) -> dict[str, dict[str, Any]]:
        """What workers and threads there are on each host."""
        found: dict[str, dict[str, Any]] = {}
        for worker in list(self._core.state.workers.values()):
            host = found.setdefault(worker.host, {"addresses": set(), "nthreads": 0})
            host["addresses"].add(worker.address)
            host["nthreads"] += worker.nthreads
        return found

    @property
    def total_nthreads_history(self) -> list[tuple[float, int]]:
        """Since when the cluster has had how many threads."""
        return list(self._core.state.spans.threads)

    async def restart(
        self, *, timeout: float | str | None = None, wait_for_workers: bool = True, **kwargs: Any
    ) -> dict[str, str]:
        """Give up all tasks and restart all workers. Returns what became of each.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Nanny(scheduler.address, name="alice") as nanny:
        ...     await scheduler.restart(timeout="30 s")
        {'127.0.0.1:...': 'OK'}
        """
        seconds = config.seconds(timeout) or _RESTART_TIMEOUT
        return await self._home.awaiting(
            worker_calls.restart_workers(
                self._service,
                self._service.resolve_workers(()),
                forget_tasks=True,
                timeout=seconds,
                wait=wait_for_workers,
            )
        )

    async def restart_workers(
        self,
        workers: Iterable[str],
        *,
        timeout: float | str | None = None,
        wait_for_workers: bool = True,
        **kwargs: Any,
    ) -> dict[str, str]:
        """Restart some workers, given by address or name; their tasks run elsewhere. Returns what became of each.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Nanny(scheduler.address, name="alice") as nanny:
        ...     await scheduler.restart_workers(["alice"], timeout="30 s")
        {'127.0.0.1:...': 'OK'}
        """
        seconds = config.seconds(timeout) or _RESTART_TIMEOUT
        return await self._home.awaiting(
            worker_calls.restart_workers(
                self._service,
                self._service.resolve_workers(list(workers)),
                forget_tasks=False,
                timeout=seconds,
                wait=wait_for_workers,
            )
        )

    # --- metadata ------------------------------------------------------------------------------------------------

    def get_metadata(self, keys: Sequence[Hashable], default: Any = None) -> Any:
        """Return what clients and tasks noted under a path, `default` if nobody did.

        Examples
        --------
        >>> cluster.scheduler.get_metadata(["nothing", "here"], default=0)
        0
        """
        try:
            return self._service.metadata.get(list(keys))
        except LookupError:
            return default

    def set_metadata(self, keys: Sequence[Hashable], value: Any = None) -> None:
        """Note plain data under a path, for all clients and tasks to read.

        Examples
        --------
        >>> cluster.scheduler.set_metadata(["runs", "first"], 3)
        >>> client.get_metadata("runs")
        {'first': 3}
        """
        self._service.metadata.set(list(keys), value)

    @property
    def task_metadata(self) -> Mapping[Hashable, Any]:
        """All that clients and tasks noted."""
        noted: Mapping[Hashable, Any] = self._service.metadata.get([])
        return noted

    # --- how it is set up ----------------------------------------------------------------------------------------

    @property
    def time_started(self) -> float:
        """When it started, in seconds since the epoch."""
        return self._service.started

    @property
    def allowed_failures(self) -> int:
        """How many workers may die of a task."""
        return self._core.state.config.allowed_failures

    @property
    def bandwidth(self) -> float:
        """Bytes per second that a transfer between workers is assumed to make."""
        return float(self._core.state.config.bandwidth)

    @property
    def contact_address(self) -> str | None:
        """The address that others were to be told, if one was given."""
        return self._service.options.contact_address


def _wires(keys: Iterable[Key] | None) -> list[str] | None:
    return None if keys is None else [encode_key(key) for key in keys]


HANDLERS = {
    "who_has": "get_who_has",
    "has_what": "get_has_what",
    "nbytes": "get_nbytes",
    "processing": "get_processing",
    "get_task_status": "get_task_status",
    "get_task_prefix_states": "get_task_prefix_states",
    "ncores": "get_ncores",
    "ncores_running": "get_ncores_running",
    "get_metadata": "get_metadata",
    "set_metadata": "set_metadata",
    "restart": "restart",
    "restart_workers": "restart_workers",
    "retire_workers": "retire_workers",
    "rebalance": "rebalance",
    "replicate": "replicate",
    "identity": "identity",
    "broadcast": "broadcast",
    "adaptive_target": "adaptive_target",
    "workers_to_close": "workers_to_close",
    "check_idle": "check_idle",
    "log_event": "log_event",
    "events": "get_events",
}
"""Methods of the scheduler by the names under which clients call them."""
