"""Scenarios for a simulated cluster: graphs, and the actions of clients, workers and faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Any

from dagrpc_scheduler.core.events import TaskOptions
from tests.property.simulated_worker import Work, value_of

DATA = ("data-0", "data-1")
"""Keys of scattered data, which cannot be computed again."""
CLIENTS = ("ann", "bob")
RESOURCES = {"GPU": 2.0}
HOPELESS = 10**9
"""A number of failures that never ends."""

Action = tuple[Any, ...]
"""Name of a method of `Play` and its arguments."""


@dataclass(frozen=True)
class Task:
    """A task of the graph from which the clients submit parts."""

    work: Work
    options: TaskOptions
    order: int

    @property
    def key(self) -> str:
        """The task's key."""
        return self.work.key

    @property
    def may_be_fused(self) -> bool:
        """Whether another task may do its work as well, since it only computes."""
        work = self.work
        return not (work.failures or work.secedes or work.reschedules or work.untransferable or self.options.actor)

    @property
    def may_fail(self) -> bool:
        """Whether its function may raise more often than it is retried."""
        return self.work.failures > self.options.retries


@dataclass(frozen=True)
class Scenario:
    """A graph, and the actions that are taken while it is computed."""

    graph: tuple[Task, ...]
    actions: tuple[tuple[int, Action], ...]
    """The actions, each with the number of steps before it."""
    seed: int
    trouble: float
    saturation: float
    lookahead: float

    @cached_property
    def by_key(self) -> dict[str, Task]:
        """The tasks by key."""
        return {task.key: task for task in self.graph}

    def ancestors(self, keys: Iterable[str]) -> set[str]:
        """Keys of tasks and data, and of all their dependencies."""
        found: set[str] = set()
        stack = list(keys)
        while stack:
            key = stack.pop()
            if key not in found:
                found.add(key)
                if key in self.by_key:
                    stack += self.by_key[key].work.dependencies
        return found

    def defined(self, targets: Iterable[str], definition: int) -> list[Task]:
        """The tasks that compute targets, dependencies first. Each definition but 0 fuses some tasks, as dask does."""
        choose = Random(definition)
        works: dict[str, Work] = {}
        for task in self.graph:
            fused = [
                works[key]
                for key in task.work.dependencies
                if definition and key in works and self.by_key[key].may_be_fused and choose.random() < 0.5
            ]
            works[task.key] = replace(task.work, fused=tuple(fused))
        needed: set[str] = set()
        stack = list(targets)
        while stack:
            key = stack.pop()
            if key in works and key not in needed:
                needed.add(key)
                stack += works[key].needs
        return [replace(task, work=works[task.key]) for task in self.graph if task.key in needed]

    def value(self, key: str) -> int:
        """The correct result of a task, computed directly."""
        if key not in self.by_key:
            return value_of(key, ())
        return value_of(key, [self.value(name) for name in self.by_key[key].work.dependencies])


def make_scenario(choose: Random, *, tasks: int, actions: int, data: Sequence[str] = ()) -> Scenario:
    """Make a scenario of up to that many tasks and actions."""
    graph = _make_graph(choose, choose.randint(1, tasks), data)
    keys = [task.key for task in graph]
    script: list[tuple[int, Action]] = [
        (0, ("join", 2, True)),
        (0, ("join", choose.randint(1, 2), choose.random() < 0.5)),
        (0, ("submit", "ann", keys[-3:], False, 0)),
    ]
    for _ in range(choose.randint(0, actions)):
        script.append((choose.randint(0, choose.choice((10, 60))), _make_action(choose, keys)))
    return Scenario(
        graph,
        tuple(script),
        seed=choose.randint(0, 2**32),
        trouble=choose.choice((0.0, 0.2, 0.8)),
        saturation=choose.choice((1.1, float("inf"))),
        lookahead=choose.choice((0.0, 0.005, 1.0)),
    )


def make_moving_scenario(choose: Random) -> Scenario:
    """Make a scenario without faults in which results are copied, dropped and moved all the time."""
    graph = tuple(
        Task(Work(f"f-{number}", tuple(choose.sample(DATA, choose.randint(1, 2)))), TaskOptions(), number)
        for number in range(6)
    )
    keys = [task.key for task in graph]
    script: list[tuple[int, Action]] = [(0, ("join", 2, False)) for _ in range(3)]
    script.append((5, ("submit", "bob", keys[:2], False, 0)))
    for _ in range(40):
        some = [*choose.sample(DATA, choose.randint(1, 2)), *choose.sample(keys, 1)]
        number = choose.randint(0, 9)
        actions: list[Action] = [
            ("balance", some, number),
            ("drop", some, number),
            ("replicate", some, number),
            ("reduce",),
            ("submit", "ann", [choose.choice(keys)], False, 0),
            ("release", "ann", [choose.choice(keys)]),
        ]
        script.append((choose.choice((0, 1, 2, 5, 20)), choose.choice(actions)))
    return Scenario(graph, tuple(script), choose.randint(0, 2**32), 0.0, 1.1, 0.0)


def _make_graph(choose: Random, size: int, data: Sequence[str]) -> tuple[Task, ...]:
    tasks: list[Task] = []
    for number in range(size):
        # Few prefixes, so that durations are learned.
        key = f"{'fgh'[number % 3]}-{number:02d}"
        # Some graphs have little to do with data.
        known = [*(data if choose.random() < 0.3 else ()), *(task.key for task in tasks)]
        dependencies = choose.sample(known, min(len(known), choose.choice((0, 1, 1, 2, 2, 3))))
        kind = choose.choice(("plain",) * 12 + ("fails", "secedes", "reschedules", "untransferable"))
        work = Work(
            key,
            tuple(dependencies),
            failures=choose.choice((1, 2, HOPELESS)) if kind == "fails" else 0,
            secedes=kind == "secedes",
            reschedules=kind == "reschedules",
            untransferable=kind == "untransferable",
        )
        options = TaskOptions(
            retries=choose.choice((0, 2)),
            resources=choose.choice(({}, {}, {}, {"GPU": 1.0}, {"GPU": 2.0})),
            priority=float(choose.choice((0, 0, 1))),
            executor=choose.choice(("", "", "", "gpu")),
            actor=choose.random() < 0.15,
        )
        tasks.append(Task(work, options, number))
    return tuple(tasks)


def _make_action(choose: Random, keys: Sequence[str]) -> Action:
    client = choose.choice(CLIENTS)
    some = choose.sample(keys, min(len(keys), choose.randint(1, 4)))
    number = choose.randint(0, 9)
    either = choose.random() < 0.5
    actions: list[tuple[int, Action]] = [
        (8, ("submit", client, some, either, choose.choice((0, choose.randint(1, 1000))))),
        (4, ("release", client, some)),
        (2, ("want", client, some)),
        (2, ("cancel", client, some, either)),
        (2, ("retry", client, some)),
        (2, ("leave", client)),
        (2, ("replicate", some, number)),
        (2, ("discard", some)),
        (4, ("drop", some, number)),
        (3, ("reduce",)),
        (3, ("balance", some, number)),
        (2, ("retire", number)),
        (4, ("join", 1 + number % 3, either)),
        (4, ("kill", number, either)),
        (4, ("cut", number)),
        (4, ("come_back", number)),
        (2, ("pause", number, either)),
        (1, ("restart",)),
    ]
    weights = [weight for weight, _ in actions]
    (action,) = choose.choices([action for _, action in actions], weights)
    return action


def shrink(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """Find a smaller scenario that fails as well, given one that does."""
    shrunk = True
    while shrunk:
        shrunk = False
        for smaller in _smaller(scenario):
            # The rest may need another seed to fail.
            for seed in (smaller.seed, *range(5)):
                candidate = replace(smaller, seed=seed)
                if fails(candidate):
                    scenario, shrunk = candidate, True
                    break
            if shrunk:
                break
    return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios that lack a part of one."""
    script, graph = scenario.actions, scenario.graph
    for index in reversed(range(len(script))):
        yield replace(scenario, actions=script[:index] + script[index + 1 :])
    named = {key for _, action in script for each in action if isinstance(each, list) for key in each}
    needed = scenario.ancestors(named)
    used = tuple(task for task in graph if task.key in needed)
    if len(used) < len(graph):
        yield replace(scenario, graph=used)
    for index, (pause, action) in enumerate(script):
        for place, each in enumerate(action):
            if isinstance(each, list) and len(each) > 1:
                for key in each:
                    fewer = (*action[:place], [other for other in each if other != key], *action[place + 1 :])
                    yield replace(scenario, actions=(*script[:index], (pause, fewer), *script[index + 1 :]))
    for index, task in enumerate(graph):
        for name in task.work.dependencies:
            rest = tuple(other for other in task.work.dependencies if other != name)
            simpler = replace(task, work=replace(task.work, dependencies=rest))
            yield replace(scenario, graph=(*graph[:index], simpler, *graph[index + 1 :]))
    if scenario.trouble:
        yield replace(scenario, trouble=0.0)
