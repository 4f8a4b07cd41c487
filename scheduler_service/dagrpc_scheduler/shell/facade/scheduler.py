"""Scheduler: the scheduler as an object."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from dagrpc import config
from dagrpc._auth.credentials import check_protocol
from dagrpc._common.addresses import interface_ip, is_loopback, listening_place
from dagrpc._common.keys import Key, decode_key, encode_key
from dagrpc._common.server_status import Status
from dagrpc._process.options import converted
from dagrpc._rpc.embedded_server import EmbeddedServer, ServiceHome, refuse_unknown
from dagrpc.security import Security
from dagrpc_scheduler.core import model, views
from dagrpc_scheduler.options import SchedulerOptions
from dagrpc_scheduler.shell.facade import loop_calls
from dagrpc_scheduler.shell.facade.data_methods import MovesData
from dagrpc_scheduler.shell.facade.live_mapping import LiveMapping
from dagrpc_scheduler.shell.facade.memory_views import MemoryState
from dagrpc_scheduler.shell.facade.peer_views import ClientState, WorkerState
from dagrpc_scheduler.shell.facade.plugin_methods import Plugged
from dagrpc_scheduler.shell.facade.query_methods import HANDLERS, Answers
from dagrpc_scheduler.shell.facade.status_methods import Standing
from dagrpc_scheduler.shell.facade.task_views import TaskGroup, TaskPrefix, TaskState
from dagrpc_scheduler.shell.plugins.span_extension import SpanExtension
from dagrpc_scheduler.shell.service import SchedulerService
from dagrpc_scheduler.shell.workers.scaling_facts import adaptive_target, workers_to_close

# What distributed's own servers take and has no meaning here.
_IGNORED = ("loop", "connection_limit", "deserialize", "stream_handlers", "connection_args", "timeout", "name")


class Scheduler(Plugged, MovesData, Answers, Standing, EmbeddedServer):
    """A scheduler as an object: in a program that runs one itself, for plugins, and for `run_on_scheduler`.

    It serves on dagrpc's own event loop, whatever loop it is awaited on. What it shows of tasks, workers and clients is
    the state at the moment of asking.

    Parameters
    ----------
    host : str, optional
        Where to listen; the loopback address by default.
    port : int
        On which port; 0: a free one.
    interface : str, optional
        Network interface to listen on, instead of a host.
    contact_address : str, optional
        ``host:port`` under which others reach it.
    scheduler_file : str, optional
        File to write the address to.
    idle_timeout, worker_ttl : number or str, optional
        Stop after so long without work; drop workers that have not been heard of for so long. As configured by default.
    allowed_failures : int, optional
        How many workers may die of a task.
    validate : bool, optional
        Check all invariants after each event; slow.
    extensions : mapping, optional
        Classes by name; each is called with the scheduler when it starts, the objects are in `extensions`.
    plugins : iterable
        Scheduler plugins to begin with.
    blocked_handlers : list of str, optional
        Methods that it does not carry out, by dagrpc's names or distributed's; by default those that are configured.
    allow_code : bool, optional
        Whether clients may run code on it; by default, if it listens on the loopback address.
    security, protocol, dashboard, dashboard_address, http_prefix, jupyter, preload, preload_argv, services, \
service_kwargs, transition_counter_max
        As in distributed, as far as dagrpc has what they are about.

    Raises
    ------
    ValueError, TypeError
        If an argument has an impossible value, or is not known.
    OSError
        When it starts: if the port cannot be had.

    Examples
    --------
    >>> scheduler = cluster.scheduler  # a cluster in this process has one
    >>> scheduler.status, len(scheduler.workers), scheduler.total_nthreads, scheduler.identity()["type"]
    (<Status.running: 'running'>, 2, 4, 'Scheduler')
    >>> future = client.submit(inc, 1, key="x")
    >>> future.result(), scheduler.tasks["x"].state, len(scheduler.story("x")) > 0
    (2, 'memory', True)
    >>> scheduler.log_event("notes", "hello")
    >>> scheduler.get_events("notes")
    ((..., 'hello'),)

    One of its own:

    >>> async with Scheduler() as scheduler, Worker(scheduler.address, name="alice", nthreads=1) as worker:
    ...     async with Client(scheduler.address, asynchronous=True) as client:
    ...         future = client.submit(sum, [1, 2, 3], key="x")
    ...         await future, scheduler.tasks["x"].state, scheduler.check_idle() is None
    ...         scheduler.adaptive_target(), scheduler.workers_to_close(n=1, attribute="name")
    ...         scheduler.transition("x", "forgotten")
    ...         [each["name"] for each in (await scheduler.broadcast(msg={"op": "identity"})).values()]
    ...         retired = await scheduler.retire_workers(names=["alice"])
    (6, 'memory', False)
    (1, ['alice'])
    ['alice']
    """

    # Those of a service that ran before its object was made have been seen to.
    _extension_classes: Mapping[str, Callable[[Scheduler], Any]] = MappingProxyType({})
    _first_plugins: Sequence[Any] = ()

    def __init__(
        self,
        *,
        services: Any = None,
        service_kwargs: Any = None,
        allowed_failures: int | None = None,
        extensions: Mapping[str, Callable[[Scheduler], Any]] | None = None,
        validate: bool | None = None,
        scheduler_file: str | None = None,
        security: Any = None,
        worker_ttl: float | str | None = None,
        idle_timeout: float | str | None = None,
        interface: str | None = None,
        host: str | None = None,
        port: int = 0,
        protocol: str | None = None,
        dashboard_address: Any = None,
        dashboard: bool | None = None,
        http_prefix: str = "/",
        preload: Any = None,
        preload_argv: Any = (),
        plugins: Iterable[Any] = (),
        contact_address: str | None = None,
        transition_counter_max: Any = False,
        jupyter: bool = False,
        allow_code: bool | None = None,
        blocked_handlers: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        refuse_unknown("Scheduler", kwargs, _IGNORED)
        security = Security.of(security)
        check_protocol(protocol, security, "scheduler")
        if jupyter:
            raise NotImplementedError("jupyter=True is not there: start Jupyter by itself")
        if host and interface:
            raise ValueError("host and interface both say where to listen; give one of them")
        listen, named = listening_place(interface_ip(interface) if interface else host or "127.0.0.1", port or None)
        given = {
            "host": listen,
            "port": named or 0,
            "contact_address": contact_address,
            "scheduler_file": scheduler_file,
            "allow_code": is_loopback(listen) if allow_code is None else allow_code,
            "idle_timeout": idle_timeout,
            "worker_ttl": worker_ttl,
            "allowed_failures": allowed_failures,
            "validate": validate,
            "preload": preload,
            "preload_argv": preload_argv or None,
            "security": security,
            "blocked_handlers": blocked_handlers,
        }
        options = SchedulerOptions(**converted(SchedulerOptions, given))
        super().__init__()
        self._attach(SchedulerService(options))
        self._service.facade = self
        self._extension_classes = dict(extensions or {})
        self._first_plugins = list(plugins)

    @classmethod
    def of(cls, service: SchedulerService) -> Scheduler:
        """Return the object that stands for a service that runs already."""
        if service.facade is None:
            made = cls.__new__(cls)
            EmbeddedServer.__init__(made, ServiceHome(service.loop))
            made._attach(service)
            made._own_status = Status.running
            service.facade = made
        facade: Scheduler = service.facade
        return facade

    def _attach(self, service: SchedulerService) -> None:
        self._service = service
        self._host = service.options.host
        self.extensions: dict[str, Any] = {"spans": SpanExtension(service), "amm": service.memory_manager}
        """Objects that belong to the scheduler, by name."""
        self.handlers: dict[str, Callable[..., Any]] = {
            name: getattr(self, method) for name, method in HANDLERS.items()
        }
        """What clients can call as methods of `Client.scheduler`, by name; plugins may put their own here."""

    def __getattr__(self, name: str) -> Any:
        # What other parts of the service offer by a name of their own: events, plugins, ...
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._service, name)

    # --- life ----------------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where it serves, ``host:port``; empty before it has started."""
        return self._service.address

    @property
    def status(self) -> Status:
        """What it is doing."""
        if self._service.over and self._own_status in (Status.running, Status.closing):
            return Status.closed
        if self._service.closing and self._own_status is Status.running:
            return Status.closing
        return self._own_status

    async def _start_service(self) -> None:
        await self._service.start()
        for name, make in self._extension_classes.items():
            self.extensions[name] = make(self)
        for plugin in self._first_plugins:
            await self._service.scheduler_plugins.begin(plugin)

    async def _close_service(self, reason: str) -> None:
        await self._service.close(reason)

    async def _service_finished(self) -> None:
        await self._service.finished()

    # --- what it knows -------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Its own, unlike that of any other scheduler."""
        return self._service.id

    def _worker(self, worker: model.WorkerState) -> WorkerState:
        return WorkerState(self, worker)

    def _client(self, client: model.ClientState) -> ClientState:
        return ClientState(self, client)

    @property
    def tasks(self) -> Mapping[Key, TaskState]:
        """Tasks by key."""
        return LiveMapping(self._core.state.tasks, lambda task: TaskState(self, task), encode_key, decode_key)

    @property
    def workers(self) -> Mapping[str, WorkerState]:
        """Workers by address."""
        return LiveMapping(self._core.state.workers, self._worker)

    @property
    def clients(self) -> Mapping[str, ClientState]:
        """Clients by id; ``fire-and-forget`` is the one that wants what nobody waits for."""
        return LiveMapping(self._core.state.clients, self._client)

    @property
    def task_groups(self) -> Mapping[str, TaskGroup]:
        """Groups of tasks by name."""
        return LiveMapping(self._core.state.groups, lambda group: TaskGroup(self, group))

    @property
    def task_prefixes(self) -> Mapping[str, TaskPrefix]:
        """Prefixes of tasks by name."""
        return LiveMapping(self._core.state.prefixes, lambda prefix: TaskPrefix(self, prefix))

    @property
    def aliases(self) -> dict[str, str]:
        """Addresses of workers by name."""
        return {name: worker.address for name, worker in list(self._core.state.aliases.items())}

    @property
    def running(self) -> set[WorkerState]:
        """Workers that are given tasks."""
        return {self._worker(worker) for worker in list(self._core.state.running)}

    @property
    def idle(self) -> dict[str, WorkerState]:
        """Workers with nothing to do, by address."""
        return {address: worker for address, worker in self.workers.items() if not worker._of.processing}

    @property
    def unrunnable(self) -> dict[TaskState, float]:
        """Tasks that no worker may run, and since when."""
        return {TaskState(self, task): since for task, since in list(self._core.state.unrunnable.items())}

    @property
    def total_nthreads(self) -> int:
        """Threads of all workers that are given tasks."""
        return self._core.state.total_nthreads

    @property
    def total_memory(self) -> int:
        """Memory limits of all workers together, in bytes."""
        return sum(worker.memory_limit for worker in list(self._core.state.workers.values()))

    @property
    def total_occupancy(self) -> float:
        """Seconds for which all that is assigned and queued is expected to keep one thread busy."""
        return self._home.call(views.total_occupancy, self._core)

    @property
    def memory(self) -> MemoryState:
        """What the workers' memory is used for, all together."""
        return MemoryState.sum(worker.memory for worker in self.workers.values())

    def identity(self, n_workers: int = -1) -> dict[str, Any]:
        """Return what the scheduler and its workers are, as a plain dict."""
        workers = list(self.workers.items())
        return {
            "type": "Scheduler",
            "id": self.id,
            "address": self.address,
            "services": {},
            "started": self._service.started,
            "n_workers": len(workers),
            "total_threads": self.total_nthreads,
            "total_memory": self.total_memory,
            "workers": {
                address: worker.identity() for address, worker in (workers if n_workers < 0 else workers[:n_workers])
            },
        }

    # --- events --------------------------------------------------------------------------------------------------

    @property
    def events(self) -> Mapping[str, Sequence[tuple[float, Any]]]:
        """What was logged under each topic: times and messages, oldest first."""
        return self._service.events

    def log_event(self, topic: str | Collection[str], msg: Any) -> None:
        """Log an event under one topic or several, and tell those who subscribed."""
        self._service.events.log_event(topic, msg)

    def get_events(self, topic: str | None = None) -> Any:
        """Return the events of a topic; of all topics, by topic, if none is given."""
        if topic is not None:
            return tuple(self.events.get(topic, ()))
        return {name: tuple(found) for name, found in self.events.items()}

    # --- idleness and size ---------------------------------------------------------------------------------------

    @property
    def idle_since(self) -> float | None:
        """Since when there has been nothing to do, in seconds since the epoch; None while there is something."""
        return self._service.idle_since

    def check_idle(self) -> float | None:
        """Look whether there is something to do; return `idle_since`."""
        return self._home.call(self._service.check_idle, time.time())

    def adaptive_target(self, target_duration: float | str | None = None) -> int:
        """Return how many workers there should be for what there is to do."""
        return self._home.call(adaptive_target, self._service, config.seconds(target_duration))

    def workers_to_close(
        self,
        memory_ratio: float | None = None,
        n: int | None = None,
        key: Callable[[WorkerState], Hashable] | None = None,
        minimum: int | None = None,
        target: int | None = None,
        attribute: str = "address",
    ) -> list[Any]:
        """Return workers that may go: the idle first, of these the ones with least data.

        Parameters
        ----------
        memory_ratio : float, optional
            How many times the size of all results must be left as memory; 2 by default.
        n : int, optional
            How many shall go, idle or not.
        key : callable, optional
            Takes a worker; those for which it returns the same go together.
        minimum : int, optional
            How many have to stay at least.
        target : int, optional
            How many shall stay, as far as there are idle ones.
        attribute : str
            What to return of each worker: ``address``, ``name``, ...
        """

        def choose() -> list[str]:
            groups = {address: key(worker) for address, worker in self.workers.items()} if key is not None else None
            return workers_to_close(self._service, n, minimum, target, memory_ratio, groups)

        workers = self.workers
        chosen = self._home.call(choose)
        if attribute == "address":
            return chosen
        return [getattr(workers[address], attribute) for address in chosen if address in workers]

    # --- orders --------------------------------------------------------------------------------------------------

    async def broadcast(
        self,
        *,
        msg: Mapping[str, Any],
        workers: Iterable[str] | None = None,
        hosts: Iterable[str] | None = None,
        nanny: bool = False,
        on_error: str = "raise",
    ) -> dict[str, Any]:
        """Have workers, or their nannies, do something, all at once.

        Parameters
        ----------
        msg : mapping
            ``{"op": "run", "function": f, "args": (), "kwargs": {}}``, ``{"op": "identity"}`` or
            ``{"op": "terminate"}``.
        workers, hosts : iterable of str, optional
            Addresses or names, and hosts; all workers by default.
        on_error : str
            What to do if one cannot be asked: ``"raise"``, ``"return"`` the exception, or ``"ignore"`` it.

        Returns
        -------
        dict
            Answers by address.
        """
        chosen = [*(workers or ()), *(hosts or ())] or None
        return await self._home.awaiting(loop_calls.broadcast(self, msg, chosen, nanny, on_error))

    async def close_worker(self, worker: str) -> None:
        """Have a worker close; its nanny closes with it.

        Examples
        --------
        >>> async with Scheduler() as scheduler, Worker(scheduler.address) as worker:
        ...     await scheduler.close_worker(worker.address)
        ...     await worker.finished()
        """
        await self._home.awaiting(loop_calls.close_worker(self, worker))

    def transition(self, key: Key, finish: str, stimulus_id: str = "", **kwargs: Any) -> None:
        """Have a task change its state, as far as the scheduler's law has a way for it.

        Parameters
        ----------
        key : key
            The task.
        finish : str
            ``"released"``: a task that is processing is assigned anew, one that failed is run again.
            ``"forgotten"``: the task and all that depend on it are cancelled.

        Raises
        ------
        KeyError
            If there is no such task.
        ValueError
            If it cannot be brought into that state from outside.
        """
        self._home.call(loop_calls.transition, self, encode_key(key), finish, stimulus_id)

    def __repr__(self) -> str:
        state = self._core.state
        return (
            f"<Scheduler {self.address or self.status.name!r}, workers: {len(state.workers)}, "
            f"cores: {state.total_nthreads}, tasks: {len(state.tasks)}>"
        )
