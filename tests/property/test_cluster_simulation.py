"""The real scheduler core and real worker cores together, in histories that no test author would think of.

Safety: all invariants of all cores hold after each batch of events (the cores validate themselves), and no task runs
without its dependencies. Liveness: once the trouble is over, everything that is wanted ends, with the right value or
with an error that there was a reason for. And once nothing is wanted any more, nothing is left anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.core.machine import WorkerCore
from tests.property.simulated_cluster import SimulatedClient, SimulatedCluster, Work, value_of

MAX_TASKS = 14
DATA = ("data-0", "data-1")
ALLOWED_FAILURES = 3
CLIENTS = ("ann", "bob")
RESOURCES = {"GPU": 2.0}

Action = tuple[Any, ...]


@dataclass(frozen=True)
class Task:
    """A task of the graph that the clients take their parts of."""

    work: Work
    options: events.TaskOptions
    order: int

    @property
    def key(self) -> str:
        """Its key."""
        return self.work.key

    @property
    def may_fail(self) -> bool:
        """Whether its function may raise more often than it is tried again."""
        return self.work.failures > self.options.retries


@dataclass(frozen=True)
class Scenario:
    """A graph, and what is done to a cluster while it is computed."""

    graph: tuple[Task, ...]
    actions: tuple[tuple[int, Action], ...]
    """Each with the number of things that happen before it."""
    seed: int
    trouble: float
    saturation: float
    lookahead: float

    @cached_property
    def by_key(self) -> dict[str, Task]:
        """The tasks by key."""
        return {task.key: task for task in self.graph}

    def ancestors(self, keys: Iterable[str]) -> set[str]:
        """Keys of tasks and data, and of all that they depend on."""
        found: set[str] = set()
        stack = list(keys)
        while stack:
            key = stack.pop()
            if key not in found:
                found.add(key)
                if key in self.by_key:
                    stack += self.by_key[key].work.dependencies
        return found

    def value(self, key: str) -> int:
        """The result that a task must have, computed directly."""
        if key not in self.by_key:
            return value_of(key, ())
        return value_of(key, [self.value(name) for name in self.by_key[key].work.dependencies])


@st.composite
def graphs(draw: st.DrawFn, data: Sequence[str]) -> tuple[Task, ...]:
    """Make any small graph, whose tasks may use data that clients put on workers."""
    tasks: list[Task] = []
    for number in range(draw(st.integers(1, MAX_TASKS))):
        # Few prefixes, so that durations are learned.
        key = f"{'fgh'[number % 3]}-{number:02d}"
        known = [*data, *(task.key for task in tasks)]
        some = st.lists(st.sampled_from(known), max_size=4, unique=True) if known else st.just([])
        dependencies = tuple(draw(some))
        kind = draw(st.sampled_from(("plain",) * 12 + ("fails", "secedes", "reschedules", "untransferable")))
        work = Work(
            key,
            dependencies,
            failures=draw(st.sampled_from((1, 2, 10**9))) if kind == "fails" else 0,
            secedes=kind == "secedes",
            reschedules=kind == "reschedules",
            untransferable=kind == "untransferable",
        )
        options = events.TaskOptions(
            retries=draw(st.sampled_from((0, 2))),
            resources=draw(st.sampled_from(({}, {}, {}, {"GPU": 1.0}, {"GPU": 2.0}))),
            priority=float(draw(st.sampled_from((0, 0, 1)))),
            executor=draw(st.sampled_from(("", "", "", "gpu"))),
        )
        tasks.append(Task(work, options, number))
    return tuple(tasks)


def actions(keys: list[str]) -> st.SearchStrategy[Action]:
    """Make any thing that may be done to a cluster."""
    clients = st.sampled_from(CLIENTS)
    some = st.lists(st.sampled_from(keys), min_size=1, max_size=4, unique=True)
    number = st.integers(0, 9)
    return st.one_of(
        st.tuples(st.just("submit"), clients, some, st.booleans()),
        st.tuples(st.just("submit"), clients, some, st.booleans()),
        st.tuples(st.just("release"), clients, some),
        st.tuples(st.just("want"), clients, some),
        st.tuples(st.just("cancel"), clients, some, st.booleans()),
        st.tuples(st.just("retry"), clients, some),
        st.tuples(st.just("leave"), clients),
        st.tuples(st.just("replicate"), some, st.integers(0, 3)),
        st.tuples(st.just("join"), st.integers(1, 3), st.booleans()),
        st.tuples(st.just("kill"), number, st.booleans()),
        st.tuples(st.just("kill"), number, st.booleans()),
        st.tuples(st.just("pause"), number, st.booleans()),
        st.just(("restart",)),
    )


@st.composite
def scenarios(draw: st.DrawFn, data: Sequence[str] = DATA) -> Scenario:
    """Make any scenario."""
    graph = draw(graphs(data))
    keys = [task.key for task in graph]
    first: list[tuple[int, Action]] = [(0, ("join", 2, True)), (0, ("submit", "ann", keys[-3:], False))]
    more = draw(st.lists(st.tuples(st.integers(0, 40), actions(keys)), max_size=16))
    return Scenario(
        graph,
        tuple(first + more),
        seed=draw(st.integers(0, 2**32)),
        trouble=draw(st.sampled_from((0.0, 0.2, 0.8))),
        saturation=draw(st.sampled_from((1.1, float("inf")))),
        lookahead=draw(st.sampled_from((0.0, 0.005, 1.0))),
    )


class Play:
    """Carries out a scenario, and remembers what there would be a reason for."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.cluster = SimulatedCluster(
            scenario.seed,
            CoreConfig(allowed_failures=ALLOWED_FAILURES, worker_saturation=scenario.saturation),
            WorkerCoreConfig(lookahead=scenario.lookahead, executors={"gpu": 1}, gathers=4, gather_attempts=2),
            scenario.trouble,
        )
        self.graphs = 0
        self.may_be_cancelled: set[str] = set()
        self.may_be_rejected: set[str] = set()

    def run(self) -> None:
        """Do all of it, and check what comes of it."""
        for pause, action in self.scenario.actions:
            self.cluster.run(pause)
            getattr(self, f"_{action[0]}")(*action[1:])
        # The trouble is over: from here on everything must go well.
        self.cluster.join(3, RESOURCES)
        for worker in self.cluster.alive():
            self.cluster.set_paused(worker, False)
        self.cluster.run_to_rest()
        self.check_outcome()
        for name in list(self.cluster.clients):
            self._leave(name)
        self.cluster.run_to_rest()
        self.check_nothing_is_left()

    # Actions.

    def _say(self, client: str, event: events.Event) -> SimulatedClient:
        simulated = self.cluster.client(client)
        simulated.messages.append(event)
        return simulated

    def _submit(self, client: str, targets: list[str], in_parts: bool) -> None:
        needed = self.scenario.ancestors(targets)
        self._bring_data(client, [key for key in DATA if key in needed])
        self.graphs += 1
        if not needed.isdisjoint(DATA):
            # The data may be given up before the graph arrives; a graph is taken or refused as a whole.
            self.may_be_rejected.update(targets)
        specs = [
            events.NewTask(
                task.key,
                task.work.dependencies,
                task.work,
                (),
                task.options,
                task.order,
                wanted=task.key in targets,
            )
            for task in self.scenario.graph
            if task.key in needed
        ]
        cut = len(specs) // 2 if in_parts else 0
        if cut:
            self._say(client, events.GraphSubmitted(client, f"graph-{self.graphs}", specs[:cut], last=False))
        self._say(client, events.GraphSubmitted(client, f"graph-{self.graphs}", specs[cut:]))
        self.cluster.client(client).status.update(dict.fromkeys(targets, "pending"))

    def _bring_data(self, client: str, keys: list[str]) -> None:
        """Announce data that the client does not hold already; it is put on a worker once the scheduler knows."""
        simulated = self.cluster.client(client)
        keys = [key for key in keys if simulated.status.get(key) not in ("pending", "finished")]
        if keys:
            self._say(client, events.DataAnnounced(client, dict.fromkeys(keys, 10)))
            simulated.status.update(dict.fromkeys(keys, "pending"))

    def _release(self, client: str, keys: list[str]) -> None:
        status = self._say(client, events.KeysReleased(client, keys)).status
        for key in keys:
            status.pop(key, None)

    def _want(self, client: str, keys: list[str]) -> None:
        self._say(client, events.KeysWanted(client, keys)).status.update(dict.fromkeys(keys, "pending"))
        # Somebody may have released them meanwhile.
        self.may_be_cancelled.update(keys)

    def _cancel(self, client: str, keys: list[str], force: bool) -> None:
        self._say(client, events.KeysCancelled(client, keys, force))
        self.may_be_cancelled.update(keys)

    def _retry(self, client: str, keys: list[str]) -> None:
        self._say(client, events.KeysRetried(client, keys))

    def _leave(self, client: str) -> None:
        # Others may count on data that it was about to put on a worker.
        self.cluster.puts_failed.update(DATA)
        self._say(client, events.ClientRemoved(client)).status.clear()
        self.cluster.client(client).messages.append(events.ClientAdded(client))

    def _replicate(self, keys: list[str], copies: int) -> None:
        queue = self.cluster.client(CLIENTS[0]).messages
        queue.append(events.ReplicationRequested(keys, copies))

    def _join(self, nthreads: int, with_resources: bool) -> None:
        self.cluster.join(nthreads, RESOURCES if with_resources else {})

    def _kill(self, number: int, reconnects: bool) -> None:
        workers = self.cluster.alive()
        if workers:
            self.cluster.kill(workers[number % len(workers)], reconnects=reconnects)

    def _pause(self, number: int, paused: bool) -> None:
        workers = self.cluster.alive()
        if workers:
            self.cluster.set_paused(workers[number % len(workers)], paused)

    def _restart(self) -> None:
        self.cluster.client(CLIENTS[0]).messages.append(events.RestartRequested())
        self.may_be_cancelled.update(self.scenario.by_key, DATA)
        # A graph of which more parts are to come is refused.
        self.may_be_rejected.update(self.scenario.by_key)

    # What must come of it.

    def check_outcome(self) -> None:
        """Check that everything wanted ended as it may, and that results are where they are said to be."""
        for client in self.cluster.clients.values():
            for key, status in client.status.items():
                about = (client.name, key, status)
                assert status in ("finished", "erred", "cancelled", "rejected"), (about, self.cluster.describe())
                reason = getattr(self, f"_why_{status}")(key)
                assert reason, (about, self.cluster.describe())
        for task in self.cluster.core.tasks.values():
            for holder in task.holders:
                worker = self.cluster.sessions[holder.address]
                assert worker.store[task.key] == self.scenario.value(task.key), (task, holder)
        for worker in self.cluster.alive():
            assert set(worker.core.view.stored()) == set(worker.store)
            known = {task.key for task in self.cluster.core.state.workers[worker.address].has_what}
            assert set(worker.store) == known, "a worker holds what the scheduler does not know of"

    def _why_finished(self, key: str) -> bool:
        hopeless = any(
            self.scenario.by_key[name].work.failures >= 10**9
            for name in self.scenario.ancestors([key])
            if name in self.scenario.by_key
        )
        task = self.cluster.core.tasks[key]
        return bool(task.holders) and not hopeless

    def _why_erred(self, key: str) -> bool:
        lineage = self.scenario.ancestors([key])
        tasks = [self.scenario.by_key[name] for name in lineage if name in self.scenario.by_key]
        killed = self.cluster.kills > ALLOWED_FAILURES
        return killed or any(task.may_fail or (task.work.untransferable and task.key != key) for task in tasks)

    def _why_cancelled(self, key: str) -> bool:
        lineage = self.scenario.ancestors([key])
        lost = bool(self.cluster.kills or self.cluster.breaks) and not lineage.isdisjoint(DATA)
        return lost or not lineage.isdisjoint(self.may_be_cancelled | self.cluster.puts_failed)

    def _why_rejected(self, key: str) -> bool:
        return key in self.may_be_rejected

    def check_nothing_is_left(self) -> None:
        """Check that nobody keeps anything."""
        cluster = self.cluster
        assert not cluster.core.tasks, cluster.describe()
        for worker in cluster.alive():
            assert worker.core.view.managed_keys() == [], (worker.address, worker.core.view.counts())
            assert worker.store == {}, (worker.address, worker.store)
            assert set(worker.core.view.resources_used().values()) <= {0.0}
        for state in cluster.core.state.workers.values():
            assert not state.processing
            assert not state.has_what

    def check_replay(self) -> None:
        """Check that the same events lead to the same decisions, whether or not the cores check themselves."""
        scheduler = SchedulerCore(self.cluster.core.state.config)
        for batch, now, result in self.cluster.log:
            assert scheduler.handle_batch(batch, now) == result
        for worker in self.cluster.workers:
            core = WorkerCore(worker.address, worker.nthreads, worker.resources, worker.config)
            for happened, now, orders in worker.log:
                assert core.handle_batch(happened, now) == orders


def tell(play: Play) -> str:
    """Write down what happened, newest last."""
    moments: list[tuple[float, str]] = []
    for batch, now, result in play.cluster.log:
        moments.append((now, "\n".join([f"{now:.3f} scheduler", *map(_in, batch), *map(_out, result)])))
    for worker in play.cluster.workers:
        for events_in, now, orders in worker.log:
            lines = [f"{now:.3f} {worker.address}", *map(_in, events_in), *map(_out, orders)]
            moments.append((now, "\n".join(lines)))
    return "\n".join(text for _, text in sorted(moments)[-60:])


def _in(event: object) -> str:
    return f"    <- {event}"


def _out(result: object) -> str:
    return f"    -> {result}"


def play(scenario: Scenario, check: Callable[[Play], None]) -> None:
    """Run a scenario; if it fails, tell what happened."""
    played = Play(scenario)
    try:
        check(played)
    except Exception:
        note(tell(played))
        raise


# For a long search: DAGRPC_PROPERTY_EXAMPLES=5000.
EXAMPLES = int(os.environ.get("DAGRPC_PROPERTY_EXAMPLES", "200"))
SETTINGS = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@given(scenarios(data=()))
@SETTINGS
def test_what_is_wanted_ends_and_nothing_is_left(scenario: Scenario) -> None:
    play(scenario, Play.run)


@given(scenarios())
@SETTINGS
def test_the_same_with_data_that_cannot_be_computed_again(scenario: Scenario) -> None:
    play(scenario, Play.run)


def _run_and_replay(played: Play) -> None:
    played.run()
    played.check_replay()


@given(scenarios(data=()))
@settings(SETTINGS, max_examples=max(20, EXAMPLES // 10))
def test_the_same_events_lead_to_the_same_decisions(scenario: Scenario) -> None:
    play(scenario, _run_and_replay)
