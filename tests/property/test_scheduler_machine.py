"""The scheduler's core under any events in any order, against a small model of its environment.

The model records how workers and clients understand their instructions: the runs and results of a worker, and the state
in which a client believes a key to be. After each step, the core validates itself and the clients' beliefs are compared
with it. At the end, everything is answered and all wanted keys must come to an end; then all is released, and nothing
may be left. The same events must give the same instructions.
"""

from __future__ import annotations

import math
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.core.config import CoreConfig
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import ERRED, MEMORY
from dagrpc_scheduler.policies.choice import QUEUE_POLICIES
from dagrpc_scheduler.policies.replica_plan import ReplicaPlan
from dagrpc_scheduler.policies.replica_policies import apply_suggestions, reduce_replicas
from tests.property import scheduler_world as world
from tests.property.scheduler_world import CLIENTS, DATA, KEYS, WORKERS, FakeWorker, Report

keys, clients, workers = st.sampled_from((*KEYS, *DATA)), st.sampled_from(CLIENTS), st.sampled_from(WORKERS)
some_keys = st.lists(keys, min_size=1, max_size=6, unique=True)
many_keys = st.lists(keys, min_size=1, max_size=12, unique=True)


class SchedulerMachine(RuleBasedStateMachine):
    """Feeds a core with random events."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.workers: dict[str, FakeWorker] = {}
        self.beliefs: dict[str, dict[str, str]] = {}
        self.open_graphs: dict[str, str] = {}
        self.graphs = 0
        self.broken = True
        self.old_reports: list[events.Event] = []
        self.answers: list[events.Event] = []
        self.gone: dict[str, FakeWorker] = {}
        self.identities = 0
        self.asked: list[instructions.RequestSteal] = []
        self.journal: list[tuple[float, list[events.Event], list[instructions.Instruction]]] = []

    @initialize(
        worker_saturation=st.sampled_from((1.1, 2.0, math.inf)),
        allowed_failures=st.integers(0, 2),
        no_workers_timeout=st.sampled_from((None, 5.0)),
        locality_patience=st.sampled_from((0.0, 0.1)),
        unknown_key_patience=st.sampled_from((0.0, 3.0)),
        queue_policy=st.sampled_from(sorted(QUEUE_POLICIES)),
    )
    def begin(self, **chosen: Any) -> None:
        self.config = CoreConfig(**chosen, holders_listed=2, candidates_considered=2, idle_prefixes=1)
        self.core = SchedulerCore(self.config, validate=True)
        self.add_client("c")
        self.add_client("d")
        self.add_worker("a:1", nthreads=1)

    # --- the world's half of the conversation ---

    def send(self, *batch: events.Event) -> None:
        """Let the core handle events, and carry out the instructions."""
        self.now += 0.01
        self.broken = True
        result = self.core.handle_batch(batch, self.now)
        self.journal.append((self.now, list(batch), result))
        for instruction in result:
            if isinstance(instruction, instructions.WorkerInstruction):
                self.obey(instruction)
            else:
                assert isinstance(instruction, Report)
                self.believe(instruction)
        self.compare_beliefs()
        self.broken = False
        answers, self.answers = self.answers, []
        if answers:
            self.send(*answers)

    def obey(self, instruction: instructions.WorkerInstruction) -> None:
        """Carry out an instruction as a worker does."""
        worker = self.workers[instruction.worker]
        if isinstance(instruction, instructions.ComputeTask):
            worker.take(instruction)
            for key, nbytes, holders in instruction.dependencies:
                assert holders, f"{key} is to be used, and nobody holds it"
                assert all(key in self.workers[holder].data for holder in holders)
                assert nbytes >= 0
        elif isinstance(instruction, instructions.FreeKeys):
            for key in instruction.keys:
                worker.runs.pop(key, None)
                worker.data.pop(key, None)
        elif isinstance(instruction, instructions.RemoveReplicas):
            for key in instruction.keys:
                del worker.data[key]
            answer = events.ReplicasRemoved(instruction.worker, instruction.keys, "dropped as told")
            (worker.unsent if worker.away else self.answers).append(answer)
        elif isinstance(instruction, instructions.RequestSteal):
            assert worker.runs[instruction.key] == instruction.run_id, "a worker was asked for what it was not given"
            self.asked.append(instruction)
        elif isinstance(instruction, instructions.FreeShared):
            worker.shared.difference_update(instruction.digests)
        elif isinstance(instruction, instructions.AcquireReplicas | instructions.RefreshWhoHas):
            for key, _, holders in instruction.data:
                assert all(key in self.workers[holder].data for holder in holders)
        else:
            raise AssertionError(f"unexpected {instruction}")

    def believe(self, instruction: Report) -> None:
        """Record a report about a key as a client does."""
        beliefs = self.beliefs[instruction.client]
        if isinstance(instruction, instructions.RejectGraph):
            for key in instruction.keys:
                assert beliefs.pop(key) == "pending"
        elif isinstance(instruction, instructions.ReportFinished):
            beliefs[instruction.key] = "finished"
        elif isinstance(instruction, instructions.ReportErred):
            beliefs[instruction.key] = "erred"
        elif isinstance(instruction, instructions.ReportCancelled):
            beliefs[instruction.key] = "cancelled"
        else:
            assert isinstance(instruction, instructions.ReportLost | instructions.ReportRetried)
            expected = "finished" if isinstance(instruction, instructions.ReportLost) else "erred"
            assert beliefs[instruction.key] == expected
            beliefs[instruction.key] = "pending"

    def compare_beliefs(self) -> None:
        """Check that clients know the state of their keys, and that the scheduler knows the results on workers."""
        for name, client in self.core.state.clients.items():
            for task in client.wants:
                expected = {MEMORY: "finished", ERRED: "erred"}.get(task.state, "pending")
                assert self.beliefs[name].get(task.key, "pending") == expected, (name, task)
            for key, belief in self.beliefs[name].items():
                if belief == "pending":
                    known = self.core.tasks.get(key)
                    told = known in client.wants or client in self.core.state.unknown_keys.get(key, ())
                    assert told, f"{name} waits for {key}, which nobody will tell it of"
        for address, worker in self.core.state.workers.items():
            fake = self.workers[address]
            assert {task.key for task in worker.has_what} == set(fake.data)
            assert {task.key: task.run_id for task in worker.processing} == fake.runs
            assert set(worker.known_shared) == fake.shared

    # --- clients ---

    @rule(client=clients)
    def add_client(self, client: str) -> None:
        self.beliefs.setdefault(client, {})
        self.send(events.ClientAdded(client))

    @rule(client=clients)
    def remove_client(self, client: str) -> None:
        if client in self.beliefs:
            self.send_removal(client)

    def send_removal(self, client: str) -> None:
        self.beliefs[client] = {}
        self.open_graphs.pop(client, None)
        self.send(events.ClientRemoved(client))
        del self.beliefs[client]

    @rule(
        client=clients,
        named=many_keys,
        definition=st.integers(0, world.DEFINITIONS - 1),
        wanted=st.sets(keys),
        option=st.sampled_from(world.OPTIONS),
        last=st.booleans(),
        shared=st.sampled_from(((), (b"one",), world.DIGESTS)),
        wrong=st.sampled_from((None,) * 8 + ("order", "dependency")),
        timeout=st.sampled_from((0.0, 0.05)),
    )
    def submit(
        self,
        client: str,
        named: list[str],
        definition: int,
        wanted: set[str],
        option: events.TaskOptions,
        last: bool,
        shared: tuple[bytes, ...],
        wrong: str | None,
        timeout: float,
    ) -> None:
        if client not in self.beliefs:
            return
        # All dependencies are in the graph, as for a collection; data only where the graph computes it.
        tasks = world.graph_of(named, definition, wanted, shared, option)
        if wrong == "order":
            tasks.reverse()
        elif wrong == "dependency" and tasks:
            tasks[-1].dependencies = ["nothing"]
        graph_id = self.open_graphs.get(client)
        if graph_id is None:
            self.graphs += 1
            graph_id = self.open_graphs[client] = f"graph {self.graphs}"
        if last:
            del self.open_graphs[client]
        for task in tasks:
            if task.wanted:
                self.expect(client, task.key)
        values = {digest: b"value of " + digest for digest in shared}
        known = world.definitions(self.core)
        self.send(events.GraphSubmitted(client, graph_id, tasks, last, values, timeout, "submit"))
        now = world.definitions(self.core)
        assert all(now[task] == definition for task, definition in known.items() if task in now)

    def expect(self, client: str, key: str) -> None:
        """Let a client want existing keys."""
        if self.core.tasks.get(key) not in self.core.state.clients[client].wants:
            self.beliefs[client][key] = "pending"

    @rule(client=clients, names=some_keys)
    def want(self, client: str, names: list[str]) -> None:
        if client in self.beliefs:
            for key in names:
                self.expect(client, key)
            self.send(events.KeysWanted(client, names, "want"))

    @rule(client=clients, names=some_keys)
    def release(self, client: str, names: list[str]) -> None:
        if client in self.beliefs:
            for key in names:
                self.beliefs[client].pop(key, None)
            self.send(events.KeysReleased(client, names, "release"))

    @rule(client=clients, names=some_keys, force=st.booleans())
    def cancel(self, client: str, names: list[str], force: bool) -> None:
        self.send(events.KeysCancelled(client, names, force, "user", "enough", "cancel"))
        for key in names if client in self.beliefs else ():
            for name in self.beliefs:
                if force or name == client:
                    task = self.core.tasks.get(key)
                    assert task is None or task not in self.core.state.clients[name].wants

    @rule(client=clients, names=some_keys)
    def retry(self, client: str, names: list[str]) -> None:
        self.send(events.KeysRetried(client, names, "retry"))

    @rule(client=clients, key=st.sampled_from(DATA))
    def announce(self, client: str, key: str) -> None:
        if client in self.beliefs:
            self.expect(client, key)
            self.send(events.ScatterAnnounced(client, {key: 5}, "scatter"))

    @rule(client=clients, digests=st.sets(st.sampled_from(world.DIGESTS)).map(sorted), held=st.booleans())
    def hold_shared(self, client: str, digests: list[bytes], held: bool) -> None:
        if held:
            self.send(events.SharedHeld(client, {digest: b"value of " + digest for digest in digests}))
        else:
            self.send(events.SharedReleased(client, digests))

    @rule()
    def restart(self) -> None:
        self.send(events.RestartRequested("restart"))
        assert not self.core.tasks

    # --- workers ---

    @rule(address=workers, nthreads=st.integers(1, 2))
    def add_worker(self, address: str, nthreads: int) -> None:
        if address not in self.workers:
            self.identities += 1
            worker = self.workers[address] = FakeWorker(b"identity %d" % self.identities)
            self.send(world.introduction(address, nthreads, worker.identity))

    @rule(address=workers)
    def disconnect(self, address: str) -> None:
        worker = self.workers.get(address)
        if worker is not None and not worker.away:
            worker.away = True
            self.send(events.WorkerDisconnected(address, "away"))

    @rule(address=workers)
    def resume(self, address: str) -> None:
        """A worker reconnects in time, and sends its delayed reports."""
        worker = self.workers.get(address)
        if worker is not None and worker.away:
            worker.away = False
            unsent, worker.unsent = worker.unsent, []
            self.send(events.WorkerResumed(address, "back"))
            if unsent:
                self.send(*unsent)

    @rule(address=workers, data=st.data())
    def return_late(self, address: str, data: st.DataObject) -> None:
        """A removed worker reconnects with its results, among them those that it has computed since."""
        if address in self.workers or address not in self.gone:
            return
        before = self.gone.pop(address)
        done = data.draw(st.sets(st.sampled_from(sorted(before.runs)))) if before.runs else set()
        worker = self.workers[address] = before.returned(done)
        self.send(world.introduction(address, 1, worker.identity, worker.holdings()))

    @rule(started=st.booleans())
    def answer_for_a_task(self, started: bool) -> None:
        """A worker answers a steal request later, when much has changed."""
        if not self.asked:
            return
        asked = self.asked.pop(0)
        worker = self.workers.get(asked.worker)
        if worker is None or worker.away:
            self.asked += [asked] if worker is not None else []
            return
        state = "released"
        if worker.runs.get(asked.key) == asked.run_id:
            known = self.core.state.workers[asked.worker]
            started |= self.core.tasks[asked.key] in known.long_running
            state = "executing" if started else "ready"
            if not started:
                del worker.runs[asked.key]
        self.send(events.StealAnswered(asked.worker, asked.key, asked.run_id, state, "answer"))

    @rule()
    def balance(self) -> None:
        self.send(events.BalanceDue("balance"))

    @rule(address=workers, expected=st.booleans())
    def remove_worker(self, address: str, expected: bool) -> None:
        worker = self.workers.pop(address, None)
        if worker is not None:
            self.gone[address] = worker
            for key, run_id in worker.runs.items():
                self.old_reports.append(self.finished(address, key, run_id))
            self.send(events.WorkerRemoved(address, expected, "", "leave"))

    @rule(address=workers)
    def explain(self, address: str) -> None:
        self.send(events.WorkerExplained(address, "killed by SIGKILL", "explain"))

    @rule(address=workers, status=st.sampled_from(("running", "running", "paused", "retiring")))
    def change_status(self, address: str, status: str) -> None:
        if address in self.workers:
            self.workers[address].status = status
            self.send(events.WorkerStatusChanged(address, status, "status"))

    def finished(self, address: str, key: str, run_id: int, seconds: float = 0.1) -> events.TaskFinished:
        return events.TaskFinished(address, key, run_id, 5, "int", 1.0, 1.0 + seconds, None, "finished")

    @rule(data=st.data(), seconds=st.sampled_from((0.00005, 0.001, 1.0)), count=st.integers(1, 5))
    @precondition(lambda self: any(worker.runs for worker in self.workers.values()))
    def finish(self, data: st.DataObject, seconds: float, count: int) -> None:
        batch: list[events.Event] = []
        for _ in range(count):
            runs = [(a, key, run_id) for a, worker in self.workers.items() for key, run_id in worker.runs.items()]
            if runs:
                address, key, run_id = data.draw(st.sampled_from(runs))
                del self.workers[address].runs[key]
                self.workers[address].data[key] = 5
                self.workers[address].made[key] = run_id
                batch.append(self.finished(address, key, run_id, seconds))
        self.old_reports += batch
        self.send(*batch)

    @rule(data=st.data(), how=st.sampled_from(("err", "reschedule", "long")))
    @precondition(lambda self: any(worker.runs for worker in self.workers.values()))
    def end_otherwise(self, data: st.DataObject, how: str) -> None:
        runs = [(a, key, run_id) for a, worker in self.workers.items() for key, run_id in worker.runs.items()]
        address, key, run_id = data.draw(st.sampled_from(runs))
        event: events.Event
        if how == "long":
            event = events.TaskLongRunning(address, key, run_id, 0.1, "long")
        else:
            del self.workers[address].runs[key]
            if how == "err":
                event = events.TaskErred(address, key, run_id, f"failure of {key}", 1.0, 1.1, "erred")
            else:
                event = events.TaskRescheduled(address, key, run_id, "reschedule")
        self.old_reports.append(event)
        self.send(event)

    @rule(data=st.data())
    @precondition(lambda self: self.old_reports)
    def repeat_an_old_report(self, data: st.DataObject) -> None:
        self.send(data.draw(st.sampled_from(self.old_reports[-20:])))

    @rule(address=workers, names=some_keys)
    def replicas_turn_up(self, address: str, names: list[str]) -> None:
        worker = self.workers.get(address)
        if worker is not None:
            names = [key for key in names if key not in worker.runs]
            worker.data |= dict.fromkeys(names, 5)
            for key in names:
                worker.made.pop(key, None)
            self.send(events.ReplicasAdded(address, dict.fromkeys(names, 5), "replicas"))

    @rule(address=workers, names=some_keys)
    def replicas_vanish(self, address: str, names: list[str]) -> None:
        worker = self.workers.get(address)
        if worker is not None:
            for key in names:
                worker.data.pop(key, None)
            self.send(events.ReplicasRemoved(address, names, "dropped"))

    @rule(address=workers, key=keys, holder=workers)
    def data_is_missing(self, address: str, key: str, holder: str) -> None:
        # The holder may have the result all the same: it is just unreachable.
        self.send(events.DataMissing(address, key, holder, "missing"))

    @rule(names=some_keys, to=st.lists(workers, max_size=2), at=st.lists(workers, max_size=3))
    def move_replicas(self, names: list[str], to: list[str], at: list[str]) -> None:
        held = {key: self.core.tasks[key].who_has for key in names if key in self.core.tasks}
        self.send(events.ReplicasPlanned(dict.fromkeys(to, names), dict.fromkeys(at, names), "plan"))
        for key, holders in held.items():
            assert bool(self.core.tasks[key].who_has) == bool(holders), "the last copy was to be dropped"

    @rule()
    def reduce_replicas(self) -> None:
        plan = ReplicaPlan(self.core.state, dict)
        apply_suggestions(plan, reduce_replicas(plan))
        event = plan.event("reduce")
        if event is not None:
            self.send(event)
            for address, dropped in event.drops.items():
                assert not any(task.key in dropped for task in self.core.state.workers[address].has_what)

    @rule(names=some_keys)
    def discard_results(self, names: list[str]) -> None:
        self.send(events.ResultsDiscarded(names))

    @rule(names=some_keys, address=workers)
    def advise_a_place(self, names: list[str], address: str) -> None:
        self.send(events.PlacesAdvised(dict.fromkeys(names, address)))

    @rule(seconds=st.sampled_from((0.0, 5.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.send(events.TimePassed())

    # --- the end ---

    def teardown(self) -> None:
        if self.broken:
            return
        for client, graph_id in list(self.open_graphs.items()):
            self.send(events.GraphSubmitted(client, graph_id, [], True))
        for address in WORKERS:
            self.add_worker(address, nthreads=1)
            self.resume(address)
            self.change_status(address, "running")
        for key in DATA:
            if key in self.core.tasks and self.core.tasks[key].state == "waiting":
                self.replicas_turn_up("a:1", [key])
        self.answer_everything()
        for state in self.core.state.clients.values():
            for task in state.wants:
                assert task.state in (MEMORY, ERRED), f"{task} is wanted and will never come to an end"
        self.release_everything()
        self.replay()

    def answer_everything(self) -> None:
        for _ in range(1000):
            batch: list[events.Event] = []
            for address, worker in self.workers.items():
                batch += [self.finished(address, key, run_id) for key, run_id in worker.runs.items()]
                worker.data |= dict.fromkeys(worker.runs, 5)
                worker.runs = {}
            if not batch:
                return
            self.send(*batch)
        raise AssertionError("the work never ends")

    def release_everything(self) -> None:
        for name in list(self.beliefs):
            self.send_removal(name)
        state = self.core.state
        left = (
            state.tasks,
            state.groups,
            state.shared_blobs.values,
            state.unrunnable,
            state.pending_scatters,
            state.queue.size,
        )
        assert not any(left), f"something is left: {left}"
        assert all(not worker.data and not worker.runs for worker in self.workers.values())

    def replay(self) -> None:
        core = SchedulerCore(self.config)
        for now, batch, result in self.journal:
            assert core.handle_batch(batch, now) == result


# For a long search: DAGRPC_PROPERTY_EXAMPLES=5000.
EXAMPLES = int(os.environ.get("DAGRPC_PROPERTY_EXAMPLES", "150"))

TestSchedulerMachine = SchedulerMachine.TestCase
TestSchedulerMachine.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
