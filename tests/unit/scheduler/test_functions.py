"""Calls by name go to workers that have the function; code goes to workers that take code."""

import pytest

from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.events import Abilities, TaskOptions
from dagrpc_scheduler.core.instructions import ComputeTask, ReportErred
from dagrpc_scheduler.core.machine import CoreConfig, SchedulerCore

HAS = Abilities(frozenset(("f",)))
LACKS = Abilities(frozenset(("other",)))
NO_CODE = Abilities(frozenset(("f",)), takes_code=False)
CALL = TaskOptions(function="f")


class Scenario:
    """A core with one client."""

    def __init__(self, config: CoreConfig) -> None:
        self.core = SchedulerCore(config, validate=True)
        self.now = 0.0
        self.handle(events.ClientAdded("client"))

    def handle(self, event: events.Event) -> list[str]:
        """Handle an event; return the addresses of the workers that are given tasks."""
        self.now += 1.0
        found = self.core.handle(event, self.now)
        return [each.worker for each in found if isinstance(each, ComputeTask)]

    def join(self, address: str, abilities: Abilities) -> list[str]:
        return self.handle(events.WorkerAdded(address, address, 1, abilities=abilities))

    def submit(self, name: str, count: int, options: TaskOptions) -> list[str]:
        tasks = [events.NewTask(f"{name}-{i}", (), b"x", options=options, wanted=True) for i in range(count)]
        return self.handle(events.GraphSubmitted("client", name, tasks))

    def states(self) -> set[str]:
        return {task.state for task in self.core.tasks.values()}

    def finish_one(self, worker: str) -> list[str]:
        """Finish a task of a worker."""
        task = next(task for task in self.core.tasks.values() if task.processing_on and task.state == "processing")
        return self.handle(events.TaskFinished(worker, task.key, task.run_id, 1, "int", 0.0, 1.0))


@pytest.fixture(params=["priority", "fair-share"])
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return Scenario(CoreConfig(queue_policy=request.param, no_workers_timeout=10.0))


def test_a_call_goes_only_to_workers_that_have_the_function(scenario: Scenario) -> None:
    scenario.join("a", HAS)
    scenario.join("b", LACKS)
    assert "b" not in scenario.submit("call", 20, CALL)
    assert "b" in scenario.submit("code", 20, events.NO_OPTIONS)


def test_a_pattern_and_a_silent_worker_count_as_having_it(scenario: Scenario) -> None:
    scenario.join("a", LACKS)
    scenario.join("b", Abilities(frozenset(), ("pack*:f?",)))
    assert scenario.submit("p", 1, TaskOptions(function="package:fg")) == ["b"]
    scenario.join("c", events.ALL_ABILITIES)
    assert scenario.submit("q", 1, TaskOptions(function="anything")) == ["c"]


def test_queued_calls_are_not_given_to_a_worker_that_joins_without_the_function(scenario: Scenario) -> None:
    scenario.join("a", HAS)
    scenario.submit("call", 20, CALL)
    assert "b" not in scenario.join("b", LACKS)
    for _ in range(5):
        assert "b" not in scenario.finish_one("a")


def test_code_never_goes_to_a_worker_that_takes_none(scenario: Scenario) -> None:
    scenario.join("a", NO_CODE)
    assert scenario.submit("code", 20, events.NO_OPTIONS) == []
    assert scenario.states() == {"no-worker"}
    assert scenario.submit("call", 1, CALL) == ["a"]
    scenario.finish_one("a")
    # Where its dependency is does not matter.
    after = events.NewTask("after", ("call-0",), b"x", wanted=True)
    assert scenario.handle(events.GraphSubmitted("client", "after", [after])) == []
    assert set(scenario.join("b", HAS)) == {"b"}


def test_queued_code_waits_visibly_once_only_workers_without_code_are_left(scenario: Scenario) -> None:
    scenario.join("a", HAS)
    scenario.join("b", NO_CODE)
    assert "b" not in scenario.submit("code", 20, events.NO_OPTIONS)
    scenario.handle(events.WorkerRemoved("a", expected=True))
    assert scenario.states() == {"no-worker"}


def test_a_function_that_no_worker_has_is_named_after_the_timeout(scenario: Scenario) -> None:
    scenario.join("a", LACKS)
    scenario.submit("call", 1, CALL)
    assert scenario.states() == {"no-worker"}
    assert "the function 'f'" in views.why_nobody_works(scenario.core, 1.0)
    scenario.now += 20
    (report,) = scenario.core.handle(events.TimePassed(), scenario.now)
    assert isinstance(report, ReportErred)
    assert report.failure.kind == "no-valid-worker"
    assert "the function 'f'" in report.failure.message


def test_a_later_export_places_the_calls_that_waited(scenario: Scenario) -> None:
    scenario.join("a", LACKS)
    scenario.join("b", LACKS)
    assert scenario.submit("call", 4, CALL) == []
    assert set(scenario.handle(events.WorkerAbilitiesChanged("b", HAS))) == {"b"}
    assert scenario.handle(events.WorkerAbilitiesChanged("b", LACKS)) == []
