"""The active memory manager: makes and drops copies of results, as policies suggest."""

from __future__ import annotations

import asyncio
import importlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from dagrpc import config
from dagrpc._loop.io_loop import spawn
from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc_scheduler.core.model import WorkerState as CoreWorker
from dagrpc_scheduler.policies import replica_policies
from dagrpc_scheduler.policies.replica_plan import ReplicaPlan
from dagrpc_scheduler.shell.memory.replica_planner import MEASURE_SETTING, ReplicaPlanner
from dagrpc_scheduler.shell.memory.worker_memory import checked_measure
from dagrpc_scheduler.shell.user_views.state_views import TaskState, ViewSource, WorkerState

logger = logging.getLogger("dagrpc.scheduler")

_DROPS_AT_ONCE = 2_000
"""Copies that one periodic run drops at most; deciding on them takes about 20 ms."""
_NEXT_PART = 0.05
"""Seconds until the next run after one that reached the limit."""
_PUBLIC_MODULES = ("dagrpc.active_memory_manager", "distributed.active_memory_manager")
"""Modules under which the configuration may name the built-in policies."""


class Suggestion(NamedTuple):
    """A policy's suggestion for one copy of a result.

    Examples
    --------
    >>> Suggestion("drop", "a task")
    Suggestion(op='drop', ts='a task', candidates=None)
    """

    op: str
    """``"replicate"`` or ``"drop"``."""
    ts: TaskState
    """The task that has the result."""
    candidates: set[WorkerState] | None = None
    """The workers to choose from; None: all."""


SuggestionGenerator: TypeAlias = Generator[Any, "WorkerState | None", None]


class ActiveMemoryManagerPolicy(ABC):
    """Suggests copies of results to make and to drop. Subclasses define `run`.

    Policies run on the scheduler's event loop: they must be quick, and must not wait or change anything. The
    configuration names them, so they must be importable on the scheduler.

    Examples
    --------
    >>> class KeepEverywhere(ActiveMemoryManagerPolicy):
    ...     def __init__(self, key):
    ...         self.key = key
    ...
    ...     def run(self):
    ...         task = self.manager.scheduler.tasks.get(self.key)
    ...         for _ in self.manager.scheduler.workers if task is not None else ():
    ...             yield "replicate", task
    """

    manager: ActiveMemoryManagerExtension
    """The manager that the policy was added to."""

    @abstractmethod
    def run(self) -> SuggestionGenerator:
        """Yield suggestions: a `Suggestion`, or a tuple of two or three.

        Each yield returns the worker that was chosen, or None if the suggestion cannot be followed. Of the candidates,
        the worker that uses least memory gets a copy, and the one that uses most drops it.
        """

    def __repr__(self) -> str:
        """Show the class."""
        return f"{type(self).__name__}()"


class _BuiltIn(ActiveMemoryManagerPolicy):
    """A policy of dagrpc's own, which works on the core's state without views."""

    @abstractmethod
    def suggestions(self, plan: ReplicaPlan) -> replica_policies.Suggestions:
        """Yield what to copy and to drop."""

    def run(self) -> SuggestionGenerator:
        """Yield suggestions."""
        manager = self.manager
        suggestions = self.suggestions(manager.plan)
        chosen = None
        while True:
            try:
                suggestion = suggestions.send(chosen)
            except StopIteration:
                return
            who = (
                None
                if suggestion.candidates is None
                else {manager.view_of_worker(each) for each in suggestion.candidates}
            )
            answer = yield Suggestion(suggestion.op, manager.view_of_task(suggestion.task), who)
            chosen = None if answer is None else answer._of


class ReduceReplicas(_BuiltIn):
    """Drops the copies that no task is about to use, down to one copy of each result.

    Examples
    --------
    >>> ReduceReplicas()
    ReduceReplicas()
    """

    def suggestions(self, plan: ReplicaPlan) -> replica_policies.Suggestions:
        """Yield what to drop."""
        return replica_policies.reduce_replicas(plan)


class RetireWorker(_BuiltIn):
    """Copies the results that only one worker holds to others, until the policy is removed. `retire_workers` uses it.

    Parameters
    ----------
    address : str
        The worker's address.

    Examples
    --------
    >>> RetireWorker("127.0.0.1:40331")
    RetireWorker('127.0.0.1:40331')
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.no_recipients = False
        """Whether the last run found no worker that can take the results."""
        self._asked: dict[str, tuple[str, int]] = {}

    def __repr__(self) -> str:
        return f"RetireWorker({self.address!r})"

    def suggestions(self, plan: ReplicaPlan) -> replica_policies.Suggestions:
        """Yield what to copy."""
        worker = plan.state.workers.get(self.address)
        if worker is None:
            return
        self.no_recipients = not self.done() and not replica_policies.has_recipients(plan, worker)
        if not self.no_recipients:
            yield from replica_policies.retire_worker(plan, worker, self._asked)

    def done(self) -> bool:
        """Return whether nothing would be lost with the worker."""
        worker = self.manager.core_worker(self.address)
        return worker is None or not any(True for _ in replica_policies.only_on(worker))


@dataclass(slots=True)
class MemoryManagerHost:
    """The parts of a scheduler that its memory managers work with."""

    planner: ReplicaPlanner
    views: ViewSource
    home: ServiceHome
    """The scheduler's event loop."""
    background: set[asyncio.Task[Any]]
    scheduler: Callable[[], Any]
    """Returns the `Scheduler`."""
    extensions: dict[str, Any]
    """The scheduler's extensions by name."""
    manager: ActiveMemoryManagerExtension | None = field(default=None)
    """The scheduler's registered manager."""

    @classmethod
    def of(cls, scheduler: Any) -> MemoryManagerHost:
        """Return the host that a `Scheduler` has; a host stands for itself."""
        host: MemoryManagerHost = scheduler if isinstance(scheduler, cls) else scheduler._memory_manager_host
        return host

    def registered(self) -> ActiveMemoryManagerExtension:
        """Return the scheduler's registered manager."""
        assert self.manager is not None
        return self.manager


class ActiveMemoryManagerExtension:
    """Asks policies for suggestions at intervals, and follows them.

    The scheduler's own manager is ``extensions["amm"]``.

    Parameters
    ----------
    scheduler : Scheduler
        The scheduler.
    policies : set of ActiveMemoryManagerPolicy, optional
        The policies; the configured ones by default.
    measure : str, optional
        The figure that counts as a worker's memory: the name of an attribute of `MemoryState`. As configured by
        default.
    register : bool
        Whether the manager replaces the scheduler's own.
    start : bool, optional
        Whether to start at once. As configured by default.
    interval : float, optional
        Seconds between two runs. As configured by default.

    Raises
    ------
    ValueError
        If there is no such measure, or the configuration names a policy that cannot be made.

    Examples
    --------
    >>> manager = cluster.scheduler.extensions["amm"]
    >>> manager.running, manager.interval, manager.policies
    (True, 2.0, {ReduceReplicas()})
    >>> manager.run_once()
    """

    def __init__(
        self,
        scheduler: Any,
        policies: Iterable[ActiveMemoryManagerPolicy] | None = None,
        *,
        measure: str | None = None,
        register: bool = True,
        start: bool | None = None,
        interval: float | str | None = None,
    ) -> None:
        self._host = MemoryManagerHost.of(scheduler)
        self.measure = checked_measure(config.get(MEASURE_SETTING, measure), MEASURE_SETTING)
        self.interval = float(config.get_seconds("scheduler.active-memory-manager.interval", interval) or 2.0)
        self.policies: set[ActiveMemoryManagerPolicy] = set()
        self._task: asyncio.Task[None] | None = None
        self._plan: ReplicaPlan | None = None
        for policy in _configured_policies() if policies is None else policies:
            self.add_policy(policy)
        if register:
            self._register()
        self._wanted = bool(config.get("scheduler.active-memory-manager.start", start))
        if self._host.home.bound:
            self.begin()

    def _register(self) -> None:
        if self._host.manager is not None:
            self._host.manager.stop()
        self._host.manager = self._host.extensions["amm"] = self

    def begin(self) -> None:
        """Start, unless the manager was configured not to."""
        if self._wanted:
            self.start()

    @property
    def scheduler(self) -> Any:
        """The `Scheduler`."""
        return self._host.scheduler()

    # --- start and stop ------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the manager runs at intervals."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Run at intervals from now on."""
        self._host.home.call(self._start)

    def _start(self) -> None:
        if not self.running:
            self._task = spawn(self._run_at_intervals(), self._host.background)

    def stop(self) -> None:
        """Stop running at intervals."""
        self._host.home.call(self._stop)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run_at_intervals(self) -> None:
        pause = self.interval
        while True:
            await asyncio.sleep(pause)
            pause = self.interval
            try:
                if self.run(self.policies, _DROPS_AT_ONCE):
                    pause = min(self.interval, _NEXT_PART)
            except Exception:
                logger.exception("A policy of the active memory manager failed")

    def run_once(self) -> None:
        """Run now, started or not.

        Raises
        ------
        Exception
            The exception of a policy; the other policies have run all the same.
        """
        self._host.home.call(self.run, self.policies)

    def add_policy(self, policy: ActiveMemoryManagerPolicy) -> None:
        """Ask one more policy from now on.

        Raises
        ------
        TypeError
            If `policy` is not a policy.
        """
        if not isinstance(policy, ActiveMemoryManagerPolicy):
            raise TypeError(f"Expected an ActiveMemoryManagerPolicy; got {policy!r}")
        self.policies.add(policy)
        policy.manager = self

    # --- one run -------------------------------------------------------------------------------------------------

    def run(self, policies: Iterable[ActiveMemoryManagerPolicy], limit: int | None = None) -> bool:
        """Ask policies and follow their suggestions; on the scheduler's event loop.

        Returns whether the run dropped as many copies as `limit` allows, so that there may be more to drop.
        """
        plan = self._plan = self._new_plan(limit)
        failure: Exception | None = None
        try:
            for policy in list(policies):
                try:
                    self._ask(policy, plan)
                except Exception as error:
                    failure = failure or error
        finally:
            self._plan = None
        self._host.planner.carry_out(plan, "active-memory-manager")
        if failure is not None:
            raise failure
        return plan.is_full

    def _new_plan(self, limit: int | None = None) -> ReplicaPlan:
        return self._host.planner.new_plan(self.measure, limit)

    def _ask(self, policy: ActiveMemoryManagerPolicy, plan: ReplicaPlan) -> None:
        if isinstance(policy, _BuiltIn) and type(policy).run is _BuiltIn.run:
            replica_policies.apply_suggestions(plan, policy.suggestions(plan))
        else:
            replica_policies.apply_suggestions(plan, self._suggestions_of(policy))

    def _suggestions_of(self, policy: ActiveMemoryManagerPolicy) -> replica_policies.Suggestions:
        """Yield the suggestions of a user's policy in the core's terms."""
        suggestions = policy.run()
        answer: Any = None
        while True:
            try:
                suggested = suggestions.send(answer)
            except StopIteration:
                return
            op, task, *rest = suggested
            if op not in ("replicate", "drop"):
                raise ValueError(f"{policy!r} suggests {op!r}; it must be 'replicate' or 'drop'")
            candidates = rest[0] if rest else None
            who = None if candidates is None else {each._of for each in candidates}
            chosen = yield replica_policies.Suggestion(op, task._of, who)
            answer = None if chosen is None else self.view_of_worker(chosen)

    # --- the state that policies look at -------------------------------------------------------------------------

    @property
    def plan(self) -> ReplicaPlan:
        """The decisions of the current run; empty between two runs."""
        return self._plan if self._plan is not None else self._new_plan()

    @property
    def pending(self) -> dict[TaskState, tuple[set[WorkerState], set[WorkerState]]]:
        """The decisions of the current run: for each task, the workers that get a copy and those that drop one."""
        view = self.view_of_worker
        return {
            self.view_of_task(task): ({view(each) for each in gains}, {view(each) for each in drops})
            for task, (gains, drops) in self.plan.pending.items()
        }

    @property
    def workers_memory(self) -> Mapping[WorkerState, int]:
        """Bytes that each worker will use once the decisions of the current run are carried out."""
        return {self.view_of_worker(worker): used for worker, used in self.plan.memory.items()}

    def core_worker(self, address: str) -> CoreWorker | None:
        """Return the core's record of a worker; None if there is no such worker."""
        return self._host.planner.core.state.workers.get(address)

    def view_of_task(self, task: Any) -> TaskState:
        """Return a task as policies see it."""
        return TaskState(self._host.views, task)

    def view_of_worker(self, worker: CoreWorker) -> WorkerState:
        """Return a worker as policies see it."""
        return WorkerState(self._host.views, worker)


def _configured_policies() -> list[ActiveMemoryManagerPolicy]:
    return [_make_policy(dict(entry)) for entry in config.get("scheduler.active-memory-manager.policies") or ()]


def _make_policy(options: dict[str, Any]) -> ActiveMemoryManagerPolicy:
    """Make a policy from its configuration, ``{"class": "package.module.Name", **arguments}``."""
    path = str(options.pop("class", ""))
    module, _, name = path.rpartition(".")
    own = {"ReduceReplicas": ReduceReplicas, "RetireWorker": RetireWorker}
    try:
        # The built-in policies are not looked up in the client's package, which need not be imported here.
        made = (
            own[name] if module in _PUBLIC_MODULES and name in own else getattr(importlib.import_module(module), name)
        )
        if not issubclass(made, ActiveMemoryManagerPolicy):
            raise TypeError("it is not an ActiveMemoryManagerPolicy")
        policy: ActiveMemoryManagerPolicy = made(**options)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ValueError(
            f"scheduler.active-memory-manager.policies names {path!r}, which cannot be made here: {error}"
        ) from error
    return policy
