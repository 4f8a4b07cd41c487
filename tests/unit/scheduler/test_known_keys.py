"""Graphs that define known keys differently: the known task stays, and new tasks depend on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from dagrpc_scheduler.core.events import TaskOptions
from dagrpc_scheduler.core.instructions import (
    ComputeTask,
    FreeKeys,
    RejectGraph,
    ReportCancelled,
    ReportErred,
    ReportFinished,
)
from tests.unit.scheduler.harness import A, B, Scheduler, of_type

OLD = {"old": "", "known": "old", "result": "known"}
"""The first definition of the key `known`."""
NEW = {"new": "", "known": "new", "other": "known"}
"""Another definition of the same key, optimized for another graph."""


def computed(result: Iterable[object]) -> list[str]:
    """Return the keys of the tasks that are assigned."""
    return [instruction.key for instruction in of_type(ComputeTask, result)]


def _waiting(scheduler: Scheduler) -> None:
    scheduler.submit(OLD)


def _processing(scheduler: Scheduler) -> None:
    scheduler.submit(OLD)
    scheduler.finish("old")


def _memory(scheduler: Scheduler) -> None:
    scheduler.submit(OLD, wanted=["known", "result"])
    scheduler.finish("old")
    scheduler.finish("known")


def _released(scheduler: Scheduler) -> None:
    scheduler.submit(OLD)
    for key in OLD:
        scheduler.finish(key)


def _erred(scheduler: Scheduler) -> None:
    _processing(scheduler)
    scheduler.fail("known")


def _queued(scheduler: Scheduler) -> None:
    # A root task: its group has more tasks than the worker is given at once.
    others = {f"known-{number}": "" for number in range(5)}
    scheduler.submit({**others, "known": "", "result": "known"}, wanted=[*others, "result"])


def _no_worker(scheduler: Scheduler) -> None:
    scheduler.submit({"known": ""}, options=TaskOptions(workers=("nowhere",)))


STATES: dict[str, Callable[[Scheduler], None]] = {
    "waiting": _waiting,
    "processing": _processing,
    "memory": _memory,
    "released": _released,
    "erred": _erred,
    "queued": _queued,
    "no-worker": _no_worker,
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("client", ["c", "d"])
@pytest.mark.parametrize("parts", [1, 3])
def test_a_known_task_stays_what_it_is_in_every_state(state: str, client: str, parts: int) -> None:
    scheduler = Scheduler([A], worker_saturation=1.0)
    scheduler.client("d")
    STATES[state](scheduler)
    known = scheduler.core.tasks["known"]
    definition = (known.work, known.dependencies, known.options)
    assert known.state == state
    graph = list(NEW.items())
    result = []
    for part in range(parts):
        last = part == parts - 1
        now = dict(graph[part:] if last else graph[part : part + 1])
        result += scheduler.submit(now, wanted=["other"], client=client, graph_id="new", last=last)
    assert not of_type(RejectGraph, result)
    assert scheduler.core.tasks["known"] is known
    assert (known.work, known.dependencies, known.options) == definition
    assert scheduler.core.tasks["other"].dependencies == (known,)
    if state == "erred":
        assert of_type(ReportErred, result) == [ReportErred(client, "other", "boom", "known")]
    # Nobody needs the dependencies of the definition that is not used.
    assert scheduler.state("new") == "forgotten"


def test_dependencies_of_another_definition_only_are_not_computed() -> None:
    scheduler = Scheduler([A])
    _memory(scheduler)
    graph = {"root": "", "middle": "root", "known": "middle", "other": "known", "more": ""}
    assert computed(scheduler.submit(graph, wanted=["other", "more"])) == ["other", "more"]
    assert set(scheduler.states()) == {"old", "known", "result", "other", "more"}


def test_nor_is_it_while_the_rest_of_the_graph_is_on_its_way() -> None:
    scheduler = Scheduler([A])
    _released(scheduler)
    submit = scheduler.submit
    assert computed(submit({"known": "old"}, wanted=[], graph_id="g", last=False)) == []
    assert computed(submit({"root": "", "middle": "root"}, wanted=[], graph_id="g", last=False)) == []
    assert scheduler.states()["root"] == "released"
    # Wanted tasks are started.
    result = submit({"first": "", "result": "middle"}, wanted=["first", "result"], graph_id="g", last=False)
    assert computed(result) == ["first"]
    assert computed(submit({"last": "root"}, graph_id="g")) == ["root"]
    # middle belonged to a definition of result that is not used.
    assert set(scheduler.states()) == {"old", "known", "result", "first", "root", "last"}
    scheduler.finish("root")
    scheduler.release("result", "first", "last")
    assert scheduler.is_empty()


def test_a_graph_says_first_what_it_is_about() -> None:
    scheduler = Scheduler([A])
    _memory(scheduler)
    result = scheduler.submit({"new": ""}, wanted=[], graph_id="g", last=False, groups=["none", "known"])
    assert computed(result) == []
    assert computed(scheduler.submit({"known": "new", "other": "known"}, graph_id="g")) == ["other"]
    assert scheduler.state("new") == "forgotten"
    result = scheduler.submit({"first": ""}, wanted=[], graph_id="h", last=False, groups=["first"])
    assert computed(result) == ["first"]


def test_a_kept_task_goes_with_its_graph() -> None:
    scheduler = Scheduler([A])
    _memory(scheduler)
    scheduler.submit({"known": "", "root": ""}, wanted=[], graph_id="g", last=False)
    assert scheduler.state("root") == "released"
    scheduler.submit({"none": "missing"}, graph_id="g", last=False)
    assert scheduler.state("root") == "forgotten"
    scheduler.client("d")
    scheduler.submit({"known": "", "root": ""}, wanted=[], client="d", graph_id="g", last=False)
    scheduler.cancel("root", client="c")
    assert scheduler.state("root") == "released"
    scheduler.cancel("root", client="d")
    assert scheduler.state("root") == "forgotten"


def test_a_kept_task_that_was_computed_for_somebody_stays_without_its_result() -> None:
    scheduler = Scheduler([A])
    _memory(scheduler)
    scheduler.client("d")
    scheduler.submit({"known": "", "root": ""}, wanted=[], client="d", graph_id="g", last=False)
    assert computed(scheduler.want("root")) == ["root"]
    scheduler.finish("root")
    assert scheduler.release("root") == [FreeKeys(A, ["root"])]
    assert scheduler.state("root") == "released"
    assert computed(scheduler.submit({"end": "root"}, client="d", graph_id="g")) == ["root"]


def test_a_lost_result_is_computed_again_as_it_was_defined_first() -> None:
    scheduler = Scheduler([A])
    _released(scheduler)
    scheduler.submit(NEW)
    # The known task is computed again for the new one, from its own dependencies.
    assert scheduler.runs.keys() == {"old"}
    scheduler.finish("old")
    assert scheduler.runs.keys() == {"known"}
    scheduler.finish("known")
    scheduler.finish("other")
    scheduler.want("known")
    scheduler.finish("old")
    scheduler.finish("known")
    scheduler.worker(B)
    result = scheduler.lose(A)
    (compute,) = of_type(ComputeTask, result)
    assert (compute.key, compute.worker) == ("old", B)
    (compute,) = of_type(ComputeTask, scheduler.finish("old"))
    assert (compute.key, [name for name, _, _ in compute.dependencies]) == ("known", ["old"])


def test_the_first_definition_lives_as_long_as_somebody_hangs_on_to_it() -> None:
    scheduler = Scheduler([A])
    _released(scheduler)
    scheduler.submit(NEW)
    scheduler.finish("old")
    scheduler.finish("known")
    scheduler.finish("other")
    scheduler.release("result")
    assert scheduler.states() == {"old": "released", "known": "released", "other": "memory"}
    scheduler.release("other")
    assert scheduler.is_empty()
    # The key now names the next definition.
    assert computed(scheduler.submit(NEW)) == ["new"]


def test_definitions_that_contradict_each_other_make_no_cycle() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"b": "", "a": "b"}, wanted=["a", "b"])
    scheduler.submit({"a": "", "b": "a", "end": "b a"})
    for key in ("b", "a", "end"):
        scheduler.finish(key)
    assert scheduler.states() == {"a": "memory", "b": "memory", "end": "memory"}


def test_a_definition_whose_dependencies_are_not_there_does_no_harm() -> None:
    scheduler = Scheduler([A])
    _memory(scheduler)
    assert not of_type(RejectGraph, scheduler.submit({"known": "gone", "other": "known"}))
    assert scheduler.state("other") == "processing"


def test_data_that_is_lost_is_computed_if_a_graph_says_how() -> None:
    scheduler = Scheduler([A])
    scheduler.scatter("data", A)
    scheduler.submit({"made": "data"})
    scheduler.finish("made")
    scheduler.release("data")
    assert scheduler.state("data") == "released"
    assert computed(scheduler.submit({"base": "", "data": "base", "end": "data"})) == ["base"]
    scheduler.finish("base")
    scheduler.finish("data")
    scheduler.finish("end")
    # Its former dependents can be computed again, too.
    scheduler.worker(B)
    assert computed(scheduler.lose(A)) == ["base"]


def test_data_that_is_lost_is_not_computed_from_what_was_made_of_it() -> None:
    scheduler = Scheduler([A])
    scheduler.scatter("data", A)
    scheduler.submit({"made": "data", "again": "made"}, wanted=["made", "again"])
    scheduler.finish("made")
    scheduler.finish("again")
    scheduler.release("data")
    result = scheduler.submit({"again": "", "data": "again", "end": "data", "fine": "made"}, wanted=["end", "fine"])
    assert [(report.key, report.reason) for report in of_type(ReportCancelled, result)] == [
        ("end", "lost dependencies")
    ]
    assert computed(result) == ["fine"]
    assert scheduler.states()["data"] == "released"


def test_a_known_result_is_reported_whatever_the_graph_says_of_it() -> None:
    scheduler = Scheduler([A])
    _memory(scheduler)
    scheduler.client("d")
    result = scheduler.submit({"new": "", "known": "new"}, client="d")
    assert of_type(ReportFinished, result) == [ReportFinished("d", "known", "int", 10)]
    assert computed(result) == []
