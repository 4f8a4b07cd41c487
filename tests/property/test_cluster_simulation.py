"""The real scheduler core and real worker cores together, in random histories.

Safety: all invariants of all cores hold after each batch of events (the cores validate themselves), and no task runs
without its dependencies. Liveness: once the faults are over, every wanted key ends, with the correct value or with an
error that has a cause. Once nothing is wanted any more, nothing is left anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from random import Random

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.policies.replica_plan import ReplicaPlan
from dagrpc_scheduler.policies.replica_policies import apply_suggestions, only_on, reduce_replicas, retire_worker
from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.core.machine import WorkerCore
from tests.property.scenarios import (
    CLIENTS,
    DATA,
    HOPELESS,
    RESOURCES,
    Scenario,
    make_moving_scenario,
    make_scenario,
    shrink,
)
from tests.property.simulated_cluster import SimulatedClient, SimulatedCluster

ALLOWED_FAILURES = 3
LOSSES = instructions.ReportLost | instructions.ReportCancelled
Places = Mapping[str, Sequence[str]]


class Play:
    """Plays a scenario, and records the causes of possible errors."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.cluster = SimulatedCluster(
            scenario.seed,
            CoreConfig(
                allowed_failures=ALLOWED_FAILURES,
                worker_saturation=scenario.saturation,
                # Everything that can be stolen is stolen.
                steal_latency=0.0,
                steal_gain=0.0,
            ),
            WorkerCoreConfig(lookahead=scenario.lookahead, executors={"gpu": 1}, gathers=4, gather_attempts=2),
            scenario.trouble,
        )
        self.graphs = 0
        self.may_be_cancelled: set[str] = set()
        self.may_be_rejected: set[str] = set()

    def run(self) -> None:
        """Play the whole scenario and check the outcome."""
        for pause, action in self.scenario.actions:
            self.cluster.run(pause)
            getattr(self, f"_{action[0]}")(*action[1:])
        # The faults are over: from here on, everything must go well.
        for worker in self.cluster.alive():
            if worker.cut:
                self.cluster.come_back(worker)
        self.cluster.join(3, RESOURCES)
        for worker in self.cluster.alive():
            self.cluster.set_paused(worker, False)
        self.cluster.run_to_rest()
        self.check_outcome()
        for name in list(self.cluster.clients):
            self._leave(name)
        self.cluster.run_to_rest()
        self.check_nothing_is_left()

    # --- actions ---

    def _say(self, client: str, event: events.Event) -> SimulatedClient:
        simulated = self.cluster.client(client)
        simulated.messages.append(event)
        return simulated

    def _submit(self, client: str, targets: list[str], in_parts: bool, definition: int) -> None:
        tasks = self.scenario.defined(targets, definition)
        needed = {key for task in tasks for key in task.work.needs}
        self._bring_data(client, [key for key in DATA if key in needed])
        self.graphs += 1
        if not needed.isdisjoint(DATA):
            # The data may be given up before the graph arrives; a graph is taken or refused as a whole.
            self.may_be_rejected.update(targets)
        specs = [
            events.NewTask(
                task.key,
                task.work.needs,
                task.work,
                (),
                task.options,
                task.order,
                wanted=task.key in targets,
            )
            for task in tasks
        ]
        cut = len(specs) // 2 if in_parts else 0
        if cut:
            self._say(client, events.GraphSubmitted(client, f"graph-{self.graphs}", specs[:cut], last=False))
        self._say(client, events.GraphSubmitted(client, f"graph-{self.graphs}", specs[cut:]))
        status = self.cluster.client(client).status
        for key in targets:
            # The client may hear nothing new about keys that it wants already.
            if status.get(key) not in ("finished", "erred"):
                status[key] = "pending"

    def _bring_data(self, client: str, keys: list[str]) -> None:
        """Announce data that the client does not hold already; it is uploaded once the scheduler knows it."""
        simulated = self.cluster.client(client)
        keys = [key for key in keys if simulated.status.get(key) not in ("pending", "finished")]
        if keys:
            self._say(client, events.ScatterAnnounced(client, dict.fromkeys(keys, 10)))
            simulated.status.update(dict.fromkeys(keys, "pending"))

    def _release(self, client: str, keys: list[str]) -> None:
        status = self._say(client, events.KeysReleased(client, keys)).status
        for key in keys:
            status.pop(key, None)

    def _want(self, client: str, keys: list[str]) -> None:
        self._say(client, events.KeysWanted(client, keys)).status.update(dict.fromkeys(keys, "pending"))
        # Another client may have released the keys meanwhile.
        self.may_be_cancelled.update(keys)

    def _cancel(self, client: str, keys: list[str], force: bool) -> None:
        self._say(client, events.KeysCancelled(client, keys, force))
        self.may_be_cancelled.update(keys)
        if force:
            # Nor can the rest of a graph be taken whose first part another client cancelled.
            self.may_be_rejected.update(self.scenario.by_key)

    def _retry(self, client: str, keys: list[str]) -> None:
        self._say(client, events.KeysRetried(client, keys))

    def _leave(self, client: str) -> None:
        # Other clients may count on data that this one was about to upload.
        self.cluster.puts_failed.update(DATA)
        self._say(client, events.ClientRemoved(client)).status.clear()
        self.cluster.client(client).messages.append(events.ClientAdded(client))

    def _discard(self, keys: list[str]) -> None:
        # Actors are not results.
        keys = [key for key in keys if key in DATA or not self.scenario.by_key[key].options.actor]
        self.cluster.client(CLIENTS[0]).messages.append(events.ResultsDiscarded(keys))

    def _replicate(self, keys: list[str], number: int) -> None:
        self._plan(gains=dict.fromkeys(self._some_addresses(number), keys))

    def _drop(self, keys: list[str], number: int) -> None:
        self._plan(drops=dict.fromkeys(self._some_addresses(number), keys))

    def _balance(self, keys: list[str], number: int) -> None:
        some = self._some_addresses(number)
        self._plan(gains=dict.fromkeys(some[:1], keys), drops=dict.fromkeys(some[1:], keys))

    def _reduce(self) -> None:
        """Run the active memory manager. Its decisions are out of date when they are carried out."""
        plan = ReplicaPlan(self.cluster.core.state, lambda: {})
        apply_suggestions(plan, reduce_replicas(plan))
        self._follow(plan)

    def _retire(self, number: int) -> None:
        """Let a worker leave in good order, if it can."""
        workers = [worker for worker in self.cluster.connected() if self.cluster.sessions.get(worker.address) is worker]
        if not workers:
            return
        leaving = workers[number % len(workers)]
        state = self.cluster.core.state
        self.cluster.client(CLIENTS[0]).messages.append(events.WorkerStatusChanged(leaving.address, "retiring"))
        asked: dict[str, tuple[str, int]] = {}
        for _ in range(10):
            self.cluster.run(20)
            known = state.workers.get(leaving.address)
            if known is None:
                return
            if known.actors:
                break
            if not known.processing and not list(only_on(known)) and known.status == "retiring":
                self.cluster.close(leaving)
                return
            plan = ReplicaPlan(state, lambda: {})
            apply_suggestions(plan, retire_worker(plan, known, asked))
            self._follow(plan)
        self.cluster.client(CLIENTS[0]).messages.append(events.WorkerStatusChanged(leaving.address, "running"))

    def _follow(self, plan: ReplicaPlan) -> None:
        event = plan.event("plan")
        if event is not None:
            self._plan(event.gains, event.drops)

    def _plan(self, gains: Places | None = None, drops: Places | None = None) -> None:
        self.cluster.client(CLIENTS[0]).messages.append(events.ReplicasPlanned(gains or {}, drops or {}))

    def _some_addresses(self, number: int) -> list[str]:
        addresses = [worker.address for worker in self.cluster.alive()]
        start = number % max(len(addresses), 1)
        return (addresses[start:] + addresses[:start])[: 1 + number % 3]

    def _join(self, nthreads: int, with_resources: bool) -> None:
        self.cluster.join(nthreads, RESOURCES if with_resources else {})

    def _kill(self, number: int, reconnects: bool) -> None:
        workers = self.cluster.connected()
        if workers:
            self.cluster.kill(workers[number % len(workers)], reconnects=reconnects)

    def _cut(self, number: int) -> None:
        workers = self.cluster.connected()
        if workers:
            self.cluster.cut(workers[number % len(workers)])

    def _come_back(self, number: int) -> None:
        workers = [worker for worker in self.cluster.alive() if worker.cut]
        if workers:
            self.cluster.come_back(workers[number % len(workers)])

    def _pause(self, number: int, paused: bool) -> None:
        workers = self.cluster.alive()
        if workers:
            self.cluster.set_paused(workers[number % len(workers)], paused)

    def _restart(self) -> None:
        self.cluster.client(CLIENTS[0]).messages.append(events.RestartRequested())
        self.may_be_cancelled.update(self.scenario.by_key, DATA)
        # An incomplete graph is refused.
        self.may_be_rejected.update(self.scenario.by_key)

    # --- checks ---

    def check_outcome(self) -> None:
        """Check that all wanted keys ended in an allowed way, and that results are where they are listed."""
        for client in self.cluster.clients.values():
            for key, status in client.status.items():
                about = (client.name, key, status)
                assert status in ("finished", "erred", "cancelled", "rejected"), (about, self.cluster.describe())
                reason = getattr(self, f"_why_{status}")(key)
                assert reason, (about, self.cluster.describe())
        for task in self.cluster.core.tasks.values():
            for holder in task.who_has:
                worker = self.cluster.sessions[holder.address]
                assert worker.store[task.key] == self.scenario.value(task.key), (task, holder)
        for worker in self.cluster.alive():
            assert {*worker.core.view.stored(), *worker.core.view.stale()} == set(worker.store)
            known = {task.key for task in self.cluster.core.state.workers[worker.address].has_what}
            assert set(worker.store) == known, "a worker holds what the scheduler does not know of"

    def _why_finished(self, key: str) -> bool:
        hopeless = any(
            self.scenario.by_key[name].work.failures >= HOPELESS
            for name in self.scenario.ancestors([key])
            if name in self.scenario.by_key
        )
        task = self.cluster.core.tasks[key]
        return bool(task.who_has) and not hopeless

    def _why_erred(self, key: str) -> bool:
        lineage = self.scenario.ancestors([key])
        tasks = [self.scenario.by_key[name] for name in lineage if name in self.scenario.by_key]
        killed = self.cluster.kills > ALLOWED_FAILURES
        if (self.cluster.kills or self.cluster.breaks) and any(task.options.actor for task in tasks):
            # The result is not computed again.
            return True
        return killed or any(task.may_fail or (task.work.untransferable and task.key != key) for task in tasks)

    def _why_cancelled(self, key: str) -> bool:
        lineage = self.scenario.ancestors([key])
        lost = bool(self.cluster.kills or self.cluster.breaks) and not lineage.isdisjoint(DATA)
        return lost or not lineage.isdisjoint(self.may_be_cancelled | self.cluster.puts_failed)

    def _why_rejected(self, key: str) -> bool:
        return key in self.may_be_rejected

    def check_nothing_is_left(self) -> None:
        """Check that no peer keeps anything."""
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
        """Check that the same events lead to the same decisions, with and without validation."""
        scheduler = SchedulerCore(self.cluster.core.state.config)
        for batch, now, result in self.cluster.log:
            assert scheduler.handle_batch(batch, now) == result
        for worker in self.cluster.workers:
            core = WorkerCore(worker.address, worker.nthreads, worker.resources, worker.config)
            for happened, now, orders in worker.log:
                assert core.handle_batch(happened, now) == orders


def tell(play: Play) -> str:
    """Describe the history, newest last."""
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


# For a long search: DAGRPC_PROPERTY_EXAMPLES=5000.
EXAMPLES = int(os.environ.get("DAGRPC_PROPERTY_EXAMPLES", "200"))
SEARCHING = "DAGRPC_PROPERTY_EXAMPLES" in os.environ

choices = st.randoms(use_true_random=False)
kinds_of_data = pytest.mark.parametrize("data", [(), DATA], ids=["tasks only", "data that cannot be computed again"])


@kinds_of_data
@given(choose=choices)
@settings(max_examples=EXAMPLES // 2, deadline=None, derandomize=not SEARCHING, suppress_health_check=list(HealthCheck))
def test_small_histories(choose: Random, data: Sequence[str]) -> None:
    played = Play(make_scenario(choose, tasks=8, actions=8, data=data))
    try:
        played.run()
        played.check_replay()
    except Exception:
        note(tell(played))
        raise


@kinds_of_data
def test_long_histories(data: Sequence[str]) -> None:
    """Search deeper than hypothesis does, which prefers small cases."""
    for seed in range(EXAMPLES):
        scenario = make_scenario(Random(seed), tasks=20, actions=30, data=data)
        problem = _problem(scenario)
        if problem:
            kind = problem[0]
            smallest = shrink(scenario, lambda each, kind=kind: _problem(each)[:1] == (kind,))  # type: ignore[misc]
            pytest.fail(f"seed {seed}: {_problem(smallest)}\n{smallest}\n{told(smallest)}")


def test_nothing_is_lost_by_moving_it() -> None:
    for seed in range(EXAMPLES):
        played = Play(make_moving_scenario(Random(seed)))
        try:
            played.run()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {tell(played)}") from error
        lost = [
            instruction
            for _, _, result in played.cluster.log
            for instruction in result
            if isinstance(instruction, LOSSES)
        ]
        assert not lost, f"seed {seed}: {lost}\n{tell(played)}"


def _problem(scenario: Scenario) -> tuple[str, ...]:
    """Return the failure of a scenario, its kind first; empty: it passes."""
    try:
        Play(scenario).run()
    except Exception as error:
        return type(error).__name__, str(error)
    return ()


def told(scenario: Scenario) -> str:
    """Play a scenario that fails, and describe the history."""
    played = Play(scenario)
    try:
        played.run()
    except Exception:
        return tell(played)
    raise AssertionError("the scenario does not fail")
