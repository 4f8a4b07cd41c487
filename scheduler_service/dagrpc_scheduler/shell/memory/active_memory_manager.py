"""The active memory manager: from time to time it looks where there are too many copies of results, or too few."""

from __future__ import annotations

import asyncio
import importlib
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from dagrpc import config
from dagrpc._loop.io_loop import spawn
from dagrpc._rpc.embedded_server import ServiceHome
from dagrpc_scheduler.policies import replica_policies
from dagrpc_scheduler.policies.replica_plan import ReplicaPlan
from dagrpc_scheduler.shell.memory.worker_memory import checked_measure, measured

if TYPE_CHECKING:
    from dagrpc_scheduler.core.model import WorkerState as CoreWorker
    from dagrpc_scheduler.shell.facade.peer_views import WorkerState
    from dagrpc_scheduler.shell.facade.scheduler import Scheduler
    from dagrpc_scheduler.shell.facade.task_views import TaskState
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

_DROPS_AT_ONCE = 2_000
"""Copies dropped in one go by a manager that runs by itself: to decide on them takes about 20 ms."""
_BREATH = 0.05
"""Seconds after which it goes on."""
# Where users know the policies that come with the manager from.
_HOMES = ("dagrpc.active_memory_manager", "distributed.active_memory_manager")


class Suggestion(NamedTuple):
    """What a policy wants done with one copy of a result.

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
    """The workers that may do it; None: any."""


SuggestionGenerator: TypeAlias = Generator[Any, "WorkerState | None", None]


class ActiveMemoryManagerPolicy(ABC):
    """Suggests copies of results to make and to drop. Subclasses define `run`.

    They run on the scheduler and its event loop: they are to be quick, to wait for nothing and to change nothing. The
    configuration names them: they have to be importable there.

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
    """The manager that it was given to."""

    @abstractmethod
    def run(self) -> SuggestionGenerator:
        """Yield suggestions: a `Suggestion`, or a tuple of two or three.

        Each yield returns the worker that was chosen, or None: a suggestion that cannot be followed is ignored. The
        worker is, of the candidates, the one with least memory in use to get a copy, and the one with most to drop it.
        """

    def __repr__(self) -> str:
        """Show the class."""
        return f"{type(self).__name__}()"


class _BuiltIn(ActiveMemoryManagerPolicy):
    """A policy of the scheduler's own, which looks at its state without any views in between."""

    @abstractmethod
    def wishes(self, plan: ReplicaPlan) -> replica_policies.Wishes:
        """Yield what is to be done."""

    def run(self) -> SuggestionGenerator:
        """Yield suggestions."""
        manager = self.manager
        wishes = self.wishes(manager.plan)
        chosen = None
        while True:
            try:
                wish = wishes.send(chosen)
            except StopIteration:
                return
            who = None if wish.candidates is None else {manager.view_of_worker(each) for each in wish.candidates}
            answer = yield Suggestion(wish.op, manager.view_of_task(wish.task), who)
            chosen = None if answer is None else answer._of


class ReduceReplicas(_BuiltIn):
    """Drops copies that nobody is about to use: of each result one stays.

    Examples
    --------
    >>> ReduceReplicas()
    ReduceReplicas()
    """

    def wishes(self, plan: ReplicaPlan) -> replica_policies.Wishes:
        """Yield what is to be done."""
        return replica_policies.reduce_replicas(plan)


class RetireWorker(_BuiltIn):
    """Copies what only one worker holds to others, until it is taken from the manager. `retire_workers` uses it.

    Parameters
    ----------
    address : str
        The worker's.

    Examples
    --------
    >>> RetireWorker("127.0.0.1:40331")
    RetireWorker('127.0.0.1:40331')
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.no_recipients = False
        """Whether, at the last look, there was no worker to take what has to be moved."""
        self._asked: dict[str, tuple[str, int]] = {}

    def __repr__(self) -> str:
        return f"RetireWorker({self.address!r})"

    def wishes(self, plan: ReplicaPlan) -> replica_policies.Wishes:
        """Yield what is to be done."""
        worker = plan.state.workers.get(self.address)
        if worker is None:
            return
        self.no_recipients = not self.done() and not replica_policies.has_recipients(plan, worker)
        if not self.no_recipients:
            yield from replica_policies.retire_worker(plan, worker, self._asked)

    def done(self) -> bool:
        """Return whether nothing would be lost with the worker."""
        worker = self.manager.service.core.state.workers.get(self.address)
        return worker is None or not any(True for _ in replica_policies.only_on(worker))


class ActiveMemoryManagerExtension:
    """Asks policies for suggestions, from time to time, and follows them.

    The scheduler has one in ``extensions["amm"]``.

    Parameters
    ----------
    scheduler : Scheduler
        Whose.
    policies : set of ActiveMemoryManagerPolicy, optional
        As configured by default.
    measure : str, optional
        What counts as a worker's memory: a name of an attribute of `MemoryState`. As configured by default.
    register : bool
        Whether to be the one of the scheduler.
    start : bool, optional
        Whether to start at once. As configured by default.
    interval : float, optional
        Seconds between two runs. As configured by default.

    Raises
    ------
    ValueError
        If `measure` is no such name, or the configuration names a policy that cannot be made.

    Examples
    --------
    >>> manager = cluster.scheduler.extensions["amm"]
    >>> manager.running, manager.interval, manager.policies
    (True, 2.0, {ReduceReplicas()})
    >>> manager.run_once()
    """

    def __init__(
        self,
        scheduler: Scheduler | SchedulerService,
        policies: Iterable[ActiveMemoryManagerPolicy] | None = None,
        *,
        measure: str | None = None,
        register: bool = True,
        start: bool | None = None,
        interval: float | str | None = None,
    ) -> None:
        # The facade stands for the service, which has one of these before anybody has asked for a facade.
        self.service: SchedulerService = vars(scheduler).get("_service", scheduler)
        self.measure = checked_measure(
            config.get("scheduler.active-memory-manager.measure", measure), "scheduler.active-memory-manager.measure"
        )
        self.interval = float(config.get_seconds("scheduler.active-memory-manager.interval", interval) or 2.0)
        self.policies: set[ActiveMemoryManagerPolicy] = set()
        self._task: asyncio.Task[None] | None = None
        self._plan: ReplicaPlan | None = None
        self._held: Counter[str] = Counter()
        for policy in _configured_policies() if policies is None else policies:
            self.add_policy(policy)
        if register:
            previous = getattr(self.service, "memory_manager", None)
            if previous is not None:
                previous.stop()
            self.service.memory_manager = self
            facade = getattr(self.service, "facade", None)
            if facade is not None:
                facade.extensions["amm"] = self
        self._wanted = bool(config.get("scheduler.active-memory-manager.start", start))
        if self._wanted and self.service.loop is not None:
            self.start()

    def begin(self) -> None:
        """Start, now that the scheduler runs, unless it was configured not to."""
        if self._wanted:
            self.start()

    @property
    def _home(self) -> ServiceHome:
        return ServiceHome(self.service.loop)

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler, as its plugins see it."""
        from dagrpc_scheduler.shell.facade.scheduler import Scheduler

        return Scheduler.of(self.service)

    # --- life ---

    @property
    def running(self) -> bool:
        """Whether it is started."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Run from time to time, from now on."""
        self._home.call(self._start)

    def _start(self) -> None:
        if not self.running:
            self._task = spawn(self._run_on(), self.service.tasks)

    def stop(self) -> None:
        """Do not run any more by itself."""
        self._home.call(self._stop)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run_on(self) -> None:
        pause = self.interval
        while True:
            await asyncio.sleep(pause)
            pause = self.interval
            try:
                if self.run(self.policies, _DROPS_AT_ONCE):
                    pause = min(self.interval, _BREATH)
            except Exception:
                logger.exception("A policy of the active memory manager failed")

    def run_once(self) -> None:
        """Run at once, started or not.

        Raises
        ------
        Exception
            What a policy raised. The others have run all the same.
        """
        self._home.call(self.run, self.policies)

    def add_policy(self, policy: ActiveMemoryManagerPolicy) -> None:
        """Ask one more policy from now on.

        Raises
        ------
        TypeError
            If it is none.
        """
        if not isinstance(policy, ActiveMemoryManagerPolicy):
            raise TypeError(f"Expected an ActiveMemoryManagerPolicy; got {policy!r}")
        self.policies.add(policy)
        policy.manager = self

    # --- one run ---

    def run(self, policies: Iterable[ActiveMemoryManagerPolicy], limit: int | None = None) -> bool:
        """Ask policies, and have done what they suggest. On the scheduler's event loop.

        Returns whether as many copies are dropped as `limit` allows: there may be more to do.
        """
        plan = self._plan = self.new_plan(limit=limit)
        failure: Exception | None = None
        try:
            for policy in list(policies):
                try:
                    self._ask(policy, plan)
                except Exception as error:
                    failure = failure or error
        finally:
            self._plan = None
        self.follow(plan, "active-memory-manager")
        if failure is not None:
            raise failure
        return plan.is_full

    def new_plan(self, limit: int | None = None) -> ReplicaPlan:
        """Return a plan in which nothing is decided yet. It drops no copy of what somebody is copying."""
        return ReplicaPlan(self.service.core.state, lambda: measured(self.service, self.measure), self._held, limit)

    def follow(self, plan: ReplicaPlan, word: str) -> None:
        """Have done what was decided."""
        if plan.pending:
            event = plan.event(self.service.stimulus(word))
            if event is not None:
                self.service.handle(event)

    @contextmanager
    def holding(self, keys: Iterable[str]) -> Iterator[None]:
        """Have no copies of these results dropped meanwhile: somebody is about to make some."""
        held = list(keys)
        self._held.update(held)
        try:
            yield
        finally:
            for key in held:
                self._held[key] -= 1
                if self._held[key] <= 0:
                    del self._held[key]

    def _ask(self, policy: ActiveMemoryManagerPolicy, plan: ReplicaPlan) -> None:
        if isinstance(policy, _BuiltIn) and type(policy).run is _BuiltIn.run:
            replica_policies.carry_out(plan, policy.wishes(plan))
        else:
            replica_policies.carry_out(plan, self._wishes_of(policy))

    def _wishes_of(self, policy: ActiveMemoryManagerPolicy) -> replica_policies.Wishes:
        """Yield what a user's policy suggests in the core's own terms."""
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
            chosen = yield replica_policies.Wish(op, task._of, who)
            answer = None if chosen is None else self.view_of_worker(chosen)

    # --- what policies look at ---

    @property
    def plan(self) -> ReplicaPlan:
        """What was decided so far in this run; nothing between two runs."""
        return self._plan if self._plan is not None else self.new_plan()

    @property
    def pending(self) -> dict[TaskState, tuple[set[WorkerState], set[WorkerState]]]:
        """What was decided so far in this run: by task, who is to get a copy and who is to drop one."""
        view = self.view_of_worker
        return {
            self.view_of_task(task): ({view(each) for each in gains}, {view(each) for each in drops})
            for task, (gains, drops) in self.plan.pending.items()
        }

    @property
    def workers_memory(self) -> Mapping[WorkerState, int]:
        """Bytes that each worker uses, or will once all that was decided is done."""
        return {self.view_of_worker(worker): used for worker, used in self.plan.memory.items()}

    def view_of_task(self, task: Any) -> TaskState:
        """Return a task as policies see it."""
        from dagrpc_scheduler.shell.facade.task_views import TaskState

        return TaskState(self.scheduler, task)

    def view_of_worker(self, worker: CoreWorker) -> WorkerState:
        """Return a worker as policies see it."""
        from dagrpc_scheduler.shell.facade.peer_views import WorkerState

        return WorkerState(self.scheduler, worker)


def _configured_policies() -> list[ActiveMemoryManagerPolicy]:
    return [_make_policy(dict(entry)) for entry in config.get("scheduler.active-memory-manager.policies") or ()]


def _make_policy(options: dict[str, Any]) -> ActiveMemoryManagerPolicy:
    """Make a policy as it is configured: ``{"class": "package.module.Name", **arguments}``."""
    path = str(options.pop("class", ""))
    module, _, name = path.rpartition(".")
    own = {"ReduceReplicas": ReduceReplicas, "RetireWorker": RetireWorker}
    try:
        # Its own are not looked up by way of the client's package.
        made = own[name] if module in _HOMES and name in own else getattr(importlib.import_module(module), name)
        if not issubclass(made, ActiveMemoryManagerPolicy):
            raise TypeError("it is no ActiveMemoryManagerPolicy")
        policy: ActiveMemoryManagerPolicy = made(**options)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ValueError(
            f"scheduler.active-memory-manager.policies names {path!r}, which cannot be made here: {error}"
        ) from error
    return policy
