"""Graphs that define the same keys differently, submitted repeatedly while their tasks change state.

The walks are longer than those of the state machine on which they are based, and most steps are about graphs: known
tasks occur in every state, with the same dependencies and with others. The core validates itself after each step.
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random

import pytest

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.instructions import RejectGraph
from dagrpc_scheduler.core.model import STATES, TaskState, is_lost
from dagrpc_scheduler.core.refcounts import LOST_DEPENDENCIES
from tests.property import scheduler_world as world
from tests.property.scheduler_world import CLIENTS, DATA, DIGESTS, KEYS, WORKERS
from tests.property.test_scheduler_machine import SchedulerMachine

# For a long search: DAGRPC_PROPERTY_EXAMPLES=5000.
SEEDS = int(os.environ.get("DAGRPC_PROPERTY_EXAMPLES", "40"))
STEPS = 120
USES = (("s-0", "a-5", 0), ("s-1", "b-0", 1))
"""Data, a task that uses it, and the graphs in which it does."""


class Walk:
    """A core, and random events."""

    def __init__(self, seed: int) -> None:
        self.choose = Random(seed)
        self.machine = SchedulerMachine()
        self.machine.begin(
            worker_saturation=self.choose.choice((1.1, float("inf"))),
            allowed_failures=self.choose.choice((1, 3)),
            no_workers_timeout=None,
            locality_patience=0.0,
            unknown_key_patience=self.choose.choice((0.0, 3.0)),
            queue_policy="fair-share" if self.choose.random() < 0.2 else "priority",
        )
        self.machine.add_worker("b:1", nthreads=2)
        self.met: Counter[str] = Counter()
        """Number of submissions of known tasks, by the task's state and whether its definition differed."""

    def run(self) -> None:
        """Take all steps, and check that everything ends and nothing is left."""
        steps = [self._submit] * 6 + [self._finish] * 10
        steps += [self._fail, self._release, self._release, self._want, self._retry, self._announce, self._use_up]
        rare = [self._lose, self._cancel, self._leave, self._remove_worker, self._come, self._let_pass]
        for _ in range(STEPS):
            self.choose.choice(self.choose.choice((steps, steps, steps, steps, rare)))()
        self.machine.teardown()
        for _, _, result in self.machine.journal:
            for instruction in result:
                # Data may be missing that graphs do not define; no known task is a reason to refuse a graph.
                assert not isinstance(instruction, RejectGraph) or instruction.reason == LOST_DEPENDENCIES, instruction

    def _some(self, count: int = 4) -> list[str]:
        return self.choose.sample((*KEYS, *DATA), self.choose.randint(1, count))

    def _submit(self) -> None:
        choose = self.choose
        self._submit_graph(
            choose.choice(CLIENTS),
            self._some(6),
            choose.randrange(world.DEFINITIONS),
            set(self._some()),
            last=choose.random() < 0.7,
        )

    def _submit_graph(self, client: str, named: list[str], definition: int, wanted: set[str], last: bool) -> None:
        for key in world.keys_of(named, definition):
            task = self.machine.core.tasks.get(key)
            if task is not None:
                self.met[_state_of(task)] += 1
                if {each.key for each in task.dependencies} != set(world.dependencies_of(key, definition)):
                    self.met["other dependencies"] += 1
        self.machine.submit(
            client=client,
            named=named,
            definition=definition,
            wanted=wanted,
            option=self.choose.choice(world.OPTIONS),
            last=last,
            shared=self.choose.choice(((), (), DIGESTS)),
            wrong=None,
            timeout=0.0,
        )

    def _runs(self) -> list[tuple[str, str, int]]:
        return [
            (address, key, run_id)
            for address, worker in self.machine.workers.items()
            for key, run_id in worker.runs.items()
        ]

    def _finish(self) -> None:
        if runs := self._runs():
            address, key, run_id = self.choose.choice(runs)
            worker = self.machine.workers[address]
            del worker.runs[key]
            worker.data[key] = 5
            self.machine.send(self.machine.finished(address, key, run_id))

    def _fail(self) -> None:
        if runs := self._runs():
            address, key, run_id = self.choose.choice(runs)
            del self.machine.workers[address].runs[key]
            self.machine.send(events.TaskErred(address, key, run_id, f"failure of {key}", 1.0, 1.1, "erred"))

    def _release(self) -> None:
        self.machine.release(client=self.choose.choice(CLIENTS), names=self._some(8))

    def _want(self) -> None:
        self.machine.want(client=self.choose.choice(CLIENTS), names=self._some())

    def _retry(self) -> None:
        self.machine.retry(client=self.choose.choice(CLIENTS), names=self._some())

    def _announce(self) -> None:
        key = self.choose.choice(DATA)
        self.machine.announce(client=self.choose.choice(CLIENTS), key=key)
        if self.choose.random() < 0.8 and self.machine.workers:
            self.machine.replicas_turn_up(self.choose.choice(list(self.machine.workers)), [key])

    def _use_up(self) -> None:
        """Compute a task from data that is released then: the data is lost, and the result stays."""
        client, (key, user, definition) = self.choose.choice(CLIENTS), self.choose.choice(USES)
        self.machine.announce(client=client, key=key)
        self.machine.replicas_turn_up(self.choose.choice(list(self.machine.workers) or ["a:1"]), [key])
        self._submit_graph(client, [user], definition, {user}, last=True)
        for _ in range(4):
            self._finish()
        for each in CLIENTS:
            self.machine.release(client=each, names=[key])

    def _lose(self) -> None:
        address = self.choose.choice(WORKERS)
        if address in self.machine.workers:
            self.machine.replicas_vanish(address=address, names=self._some(8))

    def _cancel(self) -> None:
        self.machine.cancel(client=self.choose.choice(CLIENTS), names=self._some(2), force=self.choose.random() < 0.3)

    def _leave(self) -> None:
        client = self.choose.choice(CLIENTS)
        self.machine.remove_client(client=client)
        self.machine.add_client(client=client)

    def _remove_worker(self) -> None:
        self.machine.remove_worker(address=self.choose.choice(WORKERS), expected=self.choose.random() < 0.5)

    def _come(self) -> None:
        self.machine.add_worker(address=self.choose.choice(WORKERS), nthreads=self.choose.randint(1, 2))

    def _let_pass(self) -> None:
        self.machine.time_passes(seconds=5.0)


def _state_of(task: TaskState) -> str:
    return "lost" if is_lost(task) else task.state


def test_known_tasks_stay_what_they_are_in_every_state() -> None:
    met: Counter[str] = Counter()
    for seed in range(SEEDS):
        walk = Walk(seed)
        try:
            walk.run()
        except Exception as error:
            pytest.fail(f"seed {seed}: {type(error).__name__}: {error}\n" + _tell(walk))
        met += walk.met
    expected = {*STATES, "lost", "other dependencies"} - {"forgotten"}
    assert expected <= met.keys(), f"some states were never met: {expected - met.keys()}"


def _tell(walk: Walk) -> str:
    """Describe the latest events."""
    lines = []
    for now, batch, result in walk.machine.journal[-15:]:
        lines += [
            f"{now:.2f}",
            *(f"    <- {event}" for event in batch),
            *(f"    -> {instruction}" for instruction in result),
        ]
    return "\n".join(lines)
