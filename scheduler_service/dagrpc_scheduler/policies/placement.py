"""The default placement policy: a task runs on the worker that is expected to start it first."""

from __future__ import annotations

from collections.abc import Iterable

from dagrpc_scheduler.core.events import NO_OPTIONS
from dagrpc_scheduler.core.load_index import SATURATED, wait_of
from dagrpc_scheduler.core.model import RUNNING, TaskState, WorkerState
from dagrpc_scheduler.core.occupancy import size_of
from dagrpc_scheduler.core.policy import PlacementPolicy
from dagrpc_scheduler.core.restrictions import allowed_workers, is_restricted, lacks_resources
from dagrpc_scheduler.core.state import SchedulerState


class LocalityPlacement(PlacementPolicy):
    """Prefers, in this order: the workers that the options allow, workers with dependencies, the least loaded worker.

    Actors go to the worker with the fewest actors.
    """

    def __init__(self, state: SchedulerState) -> None:
        """Make the policy for a scheduler's state."""
        self._state = state

    def choose(self, task: TaskState) -> WorkerState | None:
        """Return the worker for a ready task; None: no running worker may run it."""
        options = task.options
        if options is not NO_OPTIONS:
            if options.actor:
                return self._choose_for_actor(task)
            if is_restricted(self._state, options):
                return self._choose_allowed(task)
        if task.dependencies:
            worker = self._choose_near(task)
            if worker is not None:
                return worker
        state = self._state
        least = state.by_load.least_but(task.avoid, state.now)
        return least[2] if least is not None else None

    def _choose_near(self, task: TaskState) -> WorkerState | None:
        """Return the best worker that holds dependencies, or another worker if that one starts much sooner."""
        state = self._state
        config = state.config
        if len(task.dependencies) == 1 and len(task.dependencies[0].who_has) == 1:
            # The usual case: the worker has just computed the dependency and is idle.
            worker = task.dependencies[0].who_has[0]
            if _is_candidate(worker, task) and not wait_of(worker, state.now):
                return worker
        held: dict[WorkerState, int] = {}
        total = 0
        for dependency in task.dependencies:
            nbytes = size_of(dependency, config)
            total += nbytes
            for worker in dependency.who_has[: config.holders_considered]:
                held[worker] = held.get(worker, 0) + nbytes
        best: WorkerState | None = None
        best_cost = (0.0, 0.0, 0)
        for worker, nbytes in held.items():
            if not _is_candidate(worker, task):
                continue
            wait = wait_of(worker, state.now)
            cost = ((total - nbytes) / config.bandwidth + wait, wait, worker.nbytes)
            if best is None or cost < best_cost:
                best, best_cost = worker, cost
        if best is None or best_cost[1] <= config.locality_patience:
            return best
        least = state.by_load.least_but(task.avoid, state.now)
        if least is None or least[0] >= SATURATED:
            return best
        other = least[2]
        missing = sum(size_of(each, config) for each in task.dependencies if each not in other.has_what)
        if missing / config.bandwidth + config.locality_patience < best_cost[0]:
            return other
        return best

    def _choose_for_actor(self, task: TaskState) -> WorkerState | None:
        """Return the worker with the fewest actors: an actor stays on its worker, however busy the worker becomes."""
        state, config = self._state, self._state.config
        best: WorkerState | None = None
        best_cost = (True, True, 0, 0.0)
        for worker in self._candidates(task):
            missing = sum(size_of(each, config) for each in task.dependencies if worker not in each.who_has)
            start = missing / config.bandwidth + wait_of(worker, state.now)
            cost = (worker is task.avoid, lacks_resources(worker, task.options), worker.actors, start)
            if best is None or cost < best_cost:
                best, best_cost = worker, cost
        return best

    def _choose_allowed(self, task: TaskState) -> WorkerState | None:
        """Return the worker that starts a restricted task first."""
        state, config = self._state, self._state.config
        best: WorkerState | None = None
        best_cost = (True, True, 0.0, 0)
        for worker in self._candidates(task):
            missing = 0
            for dependency in task.dependencies:
                if dependency not in worker.has_what:
                    missing += size_of(dependency, config)
            start = missing / config.bandwidth + wait_of(worker, state.now)
            cost = (worker is task.avoid, lacks_resources(worker, task.options), start, len(worker.processing))
            if best is None or cost < best_cost:
                best, best_cost = worker, cost
        return best

    def _candidates(self, task: TaskState) -> Iterable[WorkerState]:
        """Return the allowed workers to compare: all of them, unless they are many."""
        state, config = self._state, self._state.config
        allowed = allowed_workers(state, task.options)
        count, considered = len(allowed.workers), config.candidates_considered
        if count <= considered:
            return allowed.workers
        # The workers with dependencies, and a window that advances with each assignment, stand for all.
        first = state.run_id * considered % count
        window = allowed.workers[first : first + considered] + allowed.workers[: max(0, first + considered - count)]
        near = [
            worker
            for dependency in task.dependencies
            for worker in dependency.who_has[: config.holders_considered]
            if worker in allowed.members
        ]
        return dict.fromkeys(near + window)


def _is_candidate(worker: WorkerState, task: TaskState) -> bool:
    """Tell whether a holder of dependencies may be given an unrestricted task."""
    return worker.status == RUNNING and worker is not task.avoid and worker.abilities.takes_code
