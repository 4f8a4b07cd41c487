"""The worker's core under any events in any order, against a small model of the world around it.

The model keeps what a shell keeps (a store, executions and transfers under way, an inbox) and what the scheduler
believes (which runs it asked for, which results are there). Safety is checked after each step, liveness at the end.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dagrpc_worker.core import events, instructions
from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.core.machine import WorkerCore

HERE = "here:1"
PEERS = ("a:1", "b:1", "here:2")
# Dependencies point from later letters to earlier ones, so that there are no cycles.
KEYS = tuple("abcdefgh")
NTHREADS = 2
EXECUTORS = {"": NTHREADS, "gpu": 2}

keys = st.sampled_from(KEYS)
some_keys = st.lists(keys, min_size=1, max_size=4, unique=True)
holders = st.lists(st.sampled_from((*PEERS, HERE)), max_size=3, unique=True).map(tuple)
sizes = st.integers(0, 120)


class WorkerMachine(RuleBasedStateMachine):
    """Feeds a core with anything that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.last_run = 0
        # The shell.
        self.inbox: list[events.Event] = []
        self.lag = 0
        self.store: set[str] = set()
        self.executions: dict[str, instructions.Execute] = {}
        self.ended: set[str] = set()
        self.cancelled: set[str] = set()
        self.reclaims: list[instructions.Reclaim] = []
        self.seceded: set[str] = set()
        self.told: set[str] = set()
        """Executions that were told to stop."""
        self.timed_out: list[tuple[str, int]] = []
        self.alarmed = False
        self.gathers: list[instructions.GatherData] = []
        self.resting: list[str] = []
        # The scheduler, as far as events were handled.
        self.wanted_runs: dict[str, int] = {}
        self.believed_here: set[str] = set()
        # What was true at any moment of the batch at hand: its reports come after all of its events.
        self.reportable: set[tuple[str, int]] = set()
        self.freed: set[str] = set()

    @initialize(
        gathers=st.integers(1, 3),
        gathers_per_peer=st.integers(1, 2),
        holders_considered=st.integers(1, 3),
        lookahead=st.sampled_from((0.0, 1.0)),
        gather_attempts=st.integers(1, 2),
        lag=st.integers(0, 3),
    )
    def create(
        self,
        gathers: int,
        gathers_per_peer: int,
        holders_considered: int,
        lookahead: float,
        gather_attempts: int,
        lag: int,
    ) -> None:
        self.lag = lag
        config = WorkerCoreConfig(
            gathers=gathers,
            gathers_per_peer=gathers_per_peer,
            holders_considered=holders_considered,
            gather_nbytes=200,
            gathers_nbytes=300,
            lookahead=lookahead,
            gather_attempts=gather_attempts,
            lookahead_tasks=3,
            executors=EXECUTORS,
            timed_out_limit=2,
        )
        self.core = WorkerCore(HERE, NTHREADS, {"GPU": 2.0, "DISK": 1.0}, config, validate=True)

    # What the scheduler asks for.

    @rule(
        key=keys,
        needs=st.lists(st.tuples(st.integers(0, 99), sizes, holders), max_size=3),
        priority=st.integers(0, 3),
        resources=st.sampled_from(({}, {}, {"GPU": 1.0}, {"GPU": 2.0}, {"DISK": 0.5}, {"GPU": 1.0, "DISK": 1.0})),
        executor=st.sampled_from(("", "", "gpu")),
        duration=st.sampled_from((-1.0, 0.1, 5.0)),
        timeout=st.sampled_from((0.0, 2.0)),
    )
    def request(
        self,
        key: str,
        needs: list[tuple[int, int, tuple[str, ...]]],
        priority: int,
        resources: dict[str, float],
        executor: str,
        duration: float,
        timeout: float,
    ) -> None:
        self.last_run += 1
        earlier = KEYS[: KEYS.index(key)]
        dependencies = {earlier[pick % len(earlier)]: (size, workers) for pick, size, workers in needs if earlier}
        self._happen(
            events.ComputeRequested(
                key,
                self.last_run,
                (float(priority),),
                dependencies=[(name, *rest) for name, rest in dependencies.items()],
                resources=resources,
                executor=executor,
                duration=duration,
                timeout=timeout,
            )
        )

    @rule(freed=some_keys, interrupt=st.booleans(), discard=st.booleans())
    def free(self, freed: list[str], interrupt: bool, discard: bool) -> None:
        self._happen(events.KeysFreed(freed, interrupt, discard=discard))

    @rule(key=keys, age=st.integers(0, 2))
    def steal(self, key: str, age: int) -> None:
        run_id = self.wanted_runs.get(key, self.last_run)
        self._happen(events.StealRequested(key, run_id - age))

    @rule(data=st.lists(st.tuples(keys, sizes, holders), min_size=1, max_size=3, unique_by=lambda each: each[0]))
    def want_replicas(self, data: list[tuple[str, int, tuple[str, ...]]]) -> None:
        self._happen(events.ReplicasRequested(data))

    @rule(unwanted=some_keys)
    def unwant_replicas(self, unwanted: list[str]) -> None:
        self._happen(events.ReplicasUnwanted(unwanted))

    @rule(data=st.lists(st.tuples(keys, sizes, holders), min_size=1, max_size=3, unique_by=lambda each: each[0]))
    def refresh(self, data: list[tuple[str, int, tuple[str, ...]]]) -> None:
        self._happen(events.WhoHasRefreshed(data))

    # What happens on the worker.

    @rule(put=some_keys)
    def put(self, put: list[str]) -> None:
        self._happen(events.DataPut(dict.fromkeys(put, 10)))

    @rule(paused=st.booleans())
    def pause_or_resume(self, paused: bool) -> None:
        self._happen(events.Paused() if paused else events.Resumed())

    @rule(chance=st.integers(0, 19))
    def leave(self, chance: int) -> None:
        if not chance:
            self._happen(events.Leaving())

    @precondition(lambda self: set(self.executions) - self.ended)
    @rule(pick=st.integers(0, 99), outcome=st.sampled_from(("succeed", "succeed", "fail", "reschedule", "skip")))
    def end_execution(self, pick: int, outcome: str) -> None:
        going_on = [key for key in self.executions if key not in self.ended]
        key = going_on[pick % len(going_on)]
        if outcome == "skip" and key not in self.cancelled and key not in self.told:
            outcome = "succeed"
        self._end_execution(key, outcome)

    @precondition(lambda self: self.executions)
    @rule(pick=st.integers(0, 99))
    def start_execution(self, pick: int) -> None:
        going_on = list(self.executions)
        key = going_on[pick % len(going_on)]
        self._happen(events.ExecuteStarted(key, self.executions[key].run_id, self.now))

    @precondition(lambda self: self.alarmed)
    @rule()
    def pass_time(self) -> None:
        self.alarmed = False
        self._happen(events.DeadlineReached())

    @precondition(lambda self: self.timed_out)
    @rule()
    def end_timed_out(self) -> None:
        self._happen(events.ExecuteFailed(*self.timed_out.pop(), "failure", 1.0, 2.0))

    def _end_execution(self, key: str, outcome: str) -> None:
        run_id = self.executions[key].run_id
        self.ended.add(key)
        if key in self.told and outcome == "succeed":
            # Nothing is kept of what was broken off.
            outcome = "fail"
        if outcome == "succeed":
            # The thread puts the result into the store; the core hears of it later.
            self.store.add(key)
            self._happen(events.ExecuteSucceeded(key, run_id, 10, "int", 1.0, 1.25))
        elif outcome == "fail":
            self._happen(events.ExecuteFailed(key, run_id, "failure", 1.0, 2.0))
        elif outcome == "reschedule":
            self._happen(events.ExecuteRescheduled(key, run_id))
        else:
            self._happen(events.ExecuteSkipped(key, run_id))

    @precondition(lambda self: self.reclaims)
    @rule(pick=st.integers(0, 99), begun=st.booleans())
    def answer_reclaim(self, pick: int, begun: bool) -> None:
        order = self.reclaims.pop(pick % len(self.reclaims))
        key = order.key
        execution = self.executions.get(key)
        over = execution is None or execution.run_id != order.run_id or key in self.ended
        if begun or over or key in self.seceded or key in self.told:
            self._happen(events.ExecuteKept(key, order.run_id))
        else:
            self._end_execution(key, "skip")

    @precondition(lambda self: set(self.executions) - self.ended - self.seceded)
    @rule(pick=st.integers(0, 99))
    def secede(self, pick: int) -> None:
        going_on = [key for key in self.executions if key not in self.ended and key not in self.seceded]
        key = going_on[pick % len(going_on)]
        self.seceded.add(key)
        self._happen(events.TaskSeceded(key, self.executions[key].run_id, 0.5))

    @precondition(lambda self: self.gathers)
    @rule(
        pick=st.integers(0, 99),
        outcome=st.sampled_from(("answer", "answer", "answer", "refuse", "break", "end")),
        fates=st.lists(
            st.sampled_from(("come", "come", "come", "missing", "deferred", "failed", "silence")),
            min_size=8,
            max_size=8,
        ),
    )
    def end_gather(self, pick: int, outcome: str, fates: list[str]) -> None:
        call = self.gathers.pop(pick % len(self.gathers))
        if outcome == "refuse":
            self._happen(events.GatherRefused(call.worker, call.keys))
        elif outcome in ("break", "end"):
            self._happen(events.GatherFailed(call.worker, call.keys, gone=outcome == "end"))
        else:
            self._answer(call, fates)

    def _answer(self, call: instructions.GatherData, fates: Sequence[str]) -> None:
        by_fate: dict[str, list[str]] = {}
        for key in call.keys:
            by_fate.setdefault(fates[KEYS.index(key)], []).append(key)
        if set(by_fate) == {"silence"}:
            # A shell that knows nothing of any key has to say that the transfer broke.
            by_fate = {"deferred": by_fate["silence"]}
        self.store.update(by_fate.get("come", ()))
        self._happen(
            events.GatherSucceeded(
                call.worker,
                dict.fromkeys(by_fate.get("come", ()), 10),
                by_fate.get("missing", ()),
                dict.fromkeys(by_fate.get("failed", ()), "failure"),
                by_fate.get("deferred", ()),
            )
        )

    @precondition(lambda self: self.resting)
    @rule(pick=st.integers(0, 99))
    def retry(self, pick: int) -> None:
        self._happen(events.PeerRetryDue(self.resting.pop(pick % len(self.resting))))

    # What the core is fed and asks for.

    def _happen(self, event: events.Event) -> None:
        """Let something happen, of which the core hears sooner or later."""
        self.inbox.append(event)
        if len(self.inbox) > self.lag:
            self.handle(1)

    @precondition(lambda self: self.inbox)
    @rule(count=st.integers(1, 4))
    def handle(self, count: int) -> None:
        batch, self.inbox = self.inbox[:count], self.inbox[count:]
        self.reportable = set(self.wanted_runs.items())
        self.freed = set()
        for event in batch:
            self._note_event(event)
        self.now += 1.0
        for instruction in self.core.handle_batch(batch, self.now):
            self._carry_out(instruction)
        # Whether a report about a freed key came before or after it was freed cannot be seen.
        tasks = self.core._state.tasks
        self.believed_here -= {key for key in self.freed if key not in tasks or not tasks[key].reported}

    def _note_event(self, event: events.Event) -> None:
        """Update what the scheduler believes, and the shell's notes of what goes on."""
        match event:
            case events.ComputeRequested():
                self.wanted_runs[event.key] = event.run_id
                self.reportable.add((event.key, event.run_id))
            case events.KeysFreed():
                for key in event.keys:
                    self.wanted_runs.pop(key, None)
                self.freed.update(event.keys)
                self.believed_here.difference_update(event.keys)
            case events.ReplicasUnwanted():
                self.freed.update(event.keys)
                self.believed_here.difference_update(event.keys)
            case events.DataPut():
                # What is put stays apart until the core hears of it: an older order to drop the key is not meant.
                self.store.update(event.sizes)
            case (
                events.ExecuteSucceeded()
                | events.ExecuteFailed()
                | events.ExecuteRescheduled()
                | events.ExecuteSkipped()
            ):
                execution = self.executions.get(event.key)
                if execution is None or execution.run_id != event.run_id:
                    # It has timed out before.
                    return
                del self.executions[event.key]
                self.told.discard(event.key)
                self.ended.discard(event.key)
                self.cancelled.discard(event.key)
                self.seceded.discard(event.key)

    def _carry_out(self, instruction: instructions.Instruction) -> None:
        match instruction:
            case instructions.Execute():
                assert instruction.key not in self.executions, "one key is executed twice at a time"
                assert set(instruction.dependencies) <= self.store, "a task is executed without its dependencies"
                self.executions[instruction.key] = instruction
            case instructions.CancelExecution():
                # If it ended meanwhile, there is nothing to withdraw any more.
                going_on_here = self.executions.get(instruction.key)
                if going_on_here is not None and going_on_here.run_id == instruction.run_id:
                    assert instruction.key not in self.cancelled
                    self.cancelled.add(instruction.key)
            case instructions.Reclaim():
                self.reclaims.append(instruction)
            case instructions.Interrupt():
                going_on_here = self.executions.get(instruction.key)
                if (
                    going_on_here is not None
                    and going_on_here.run_id == instruction.run_id
                    and instruction.key not in self.ended
                    and instruction.key not in self.told
                ):
                    self.told.add(instruction.key)
                    if instruction.limit:
                        self.inbox.append(events.ExecuteInterrupted(instruction.key, instruction.run_id))
            case instructions.WakeLater():
                assert instruction.delay >= 0.0
                self.alarmed = True
            case instructions.DetachThread():
                going_on_here = self.executions.get(instruction.key)
                if going_on_here is None or going_on_here.run_id != instruction.run_id:
                    # Its end came right after the instruction to detach its thread.
                    return
                del self.executions[instruction.key]
                self.seceded.discard(instruction.key)
                self.cancelled.discard(instruction.key)
                self.told.discard(instruction.key)
                if instruction.key in self.ended:
                    # Its end is on its way.
                    self.ended.discard(instruction.key)
                else:
                    self.timed_out.append((instruction.key, instruction.run_id))
            case instructions.GatherData():
                assert instruction.worker != HERE
                under_way = [key for call in self.gathers for key in call.keys]
                assert not set(under_way) & set(instruction.keys), "one key is fetched twice at a time"
                assert instruction.worker not in self.resting, "a peer is asked that is to be left alone"
                self.gathers.append(instruction)
            case instructions.RetryPeerLater():
                assert instruction.worker not in self.resting
                assert instruction.delay > 0.0
                self.resting.append(instruction.worker)
            case instructions.DropData():
                going_on = {*self.executions, *(key for call in self.gathers for key in call.keys)}
                assert not going_on & set(instruction.keys), "data is dropped while something goes on with its key"
                assert not (self.believed_here - self.freed) & set(instruction.keys), (
                    "data is dropped that is counted on"
                )
                self.store.difference_update(instruction.keys)
            case _:
                self._note_report(instruction)

    def _note_report(self, report: instructions.Instruction) -> None:
        """Check a report against what was asked for, and let the scheduler believe it."""
        match report:
            case instructions.ReportFinished():
                self._end_run(report.key, report.run_id)
                self.believed_here.add(report.key)
            case instructions.ReportErred() | instructions.ReportRescheduled() | instructions.ReportTimedOut():
                self._end_run(report.key, report.run_id)
            case instructions.ReportLongRunning():
                assert (report.key, report.run_id) in self.reportable, "a run was reported that is not wanted"
            case instructions.ReportReplicasAdded():
                self.believed_here.update(report.sizes)
            case instructions.ReportReplicasRemoved():
                self.believed_here.difference_update(report.keys)
            case instructions.ReportStealAnswer():
                if report.state in ("waiting", "ready", "constrained", "fetch"):
                    self._end_run(report.key, report.run_id)
            case instructions.ReportDataMissing():
                assert report.worker in PEERS
            case _:
                raise AssertionError(report)

    def _end_run(self, key: str, run_id: int) -> None:
        """Note that a run was reported or given up, which can be done once."""
        assert (key, run_id) in self.reportable, "a run was reported that is not wanted"
        self.reportable.remove((key, run_id))
        if self.wanted_runs.get(key) == run_id:
            del self.wanted_runs[key]

    # What must be true.

    @invariant()
    def the_store_is_what_the_core_believes(self) -> None:
        stored = {*self.core.view.stored(), *self.core.view.stale()}
        assert stored <= self.store, "the core counts on data that is not there"
        coming = {event.key for event in self.inbox if isinstance(event, events.ExecuteSucceeded)}
        for event in self.inbox:
            if isinstance(event, events.GatherSucceeded):
                coming.update(event.sizes)
        assert self.store - stored <= coming, "data is there that the core does not know of"

    @invariant()
    def the_scheduler_believes_what_is_true(self) -> None:
        assert self.believed_here <= set(self.core.view.stored())

    @invariant()
    def the_core_wants_what_the_scheduler_wants(self) -> None:
        state = self.core._state
        wanted = {task.key: task.request.run_id for task in state.tasks.values() if task.request is not None}
        assert wanted == self.wanted_runs

    @invariant()
    def the_core_knows_what_goes_on(self) -> None:
        assert self.core.view.executing() == {key: each.run_id for key, each in self.executions.items()}

    def teardown(self) -> None:
        """Let everybody answer: all that is wanted ends, and once it is freed nothing is left."""
        if not hasattr(self, "core"):
            return
        # From here on what happens is gathered into batches.
        self.lag = 10**9
        self.inbox.append(events.Resumed())
        for _ in range(200):
            if not self._help():
                break
        else:
            raise AssertionError(f"it goes on for ever: {self.core.view.counts()}")
        assert not self.wanted_runs, f"runs never ended: {self.core.view.counts()}"
        self.inbox.append(events.KeysFreed(KEYS))
        self.handle(1)
        assert self.core.view.managed_keys() == []
        assert self.store == set()
        state = self.core._state
        assert (state.peers, state.gathers, state.default_pool.handed_over) == ({}, 0, 0)
        assert set(state.resources.used.values()) <= {0.0}

    def _help(self) -> bool:
        """Do what the shell and the scheduler owe the core. Tell whether there was anything."""
        for key in [key for key in self.executions if key not in self.ended]:
            self._end_execution(key, "succeed")
        while self.timed_out:
            self.end_timed_out()
        for call in self.gathers:
            self._answer(call, ["come"] * len(KEYS))
        self.gathers = []
        self.inbox += [events.PeerRetryDue(worker) for worker in self.resting]
        self.resting = []
        missing = self.core.view.in_state("missing")
        if missing:
            self.inbox.append(events.WhoHasRefreshed([(key, 10, ("a:1",)) for key in missing]))
        if not self.inbox:
            return False
        self.handle(len(self.inbox))
        for invariant_of in (self.the_store_is_what_the_core_believes, self.the_scheduler_believes_what_is_true):
            invariant_of()
        return True


# For a long search: DAGRPC_PROPERTY_EXAMPLES=5000.
EXAMPLES = int(os.environ.get("DAGRPC_PROPERTY_EXAMPLES", "150"))

TestWorkerMachine = WorkerMachine.TestCase
TestWorkerMachine.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=60,
    deadline=None,
    # The same histories in each run of the suite; others when they are searched for.
    derandomize="DAGRPC_PROPERTY_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
