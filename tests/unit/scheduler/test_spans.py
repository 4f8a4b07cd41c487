"""The totals of spans."""

from __future__ import annotations

from dagrpc_scheduler.core import events
from dagrpc_scheduler.core.events import SpanName, TaskOptions
from dagrpc_scheduler.core.progress import ProgressTracker, by_span
from dagrpc_scheduler.core.span_views import span_facts
from tests.unit.scheduler.harness import A, B, Scheduler

INNER = TaskOptions(span=SpanName(("work", "part"), ("w", "p")))


def test_a_span_and_the_one_around_it() -> None:
    scheduler = Scheduler([A], nthreads=2)
    scheduler.now = 5.0
    scheduler.submit({"x-1": "", "x-2": ""}, wanted=["x-1", "x-2"], options=INNER, has_spans=True)
    scheduler.submit({"plain": ""})
    scheduler.finish("x-1", nbytes=7, seconds=2.0)
    work, part = span_facts(scheduler.core, 9.0)
    assert (work["id"], work["parent"], work["name"], sum(work["states"].values())) == ("w", "", ("work",), 0)
    assert (part["id"], part["parent"], part["name"]) == ("p", "w", ("work", "part"))
    assert (part["enqueued"], part["start"], part["stop"], part["now"]) == (5.0, 100.0, 102.0, 9.0)
    assert (part["seconds"], part["nbytes"], part["groups"]) == ({"x": 2.0}, 7, ("x",))
    assert {state: count for state, count in part["states"].items() if count} == {"memory": 1, "processing": 1}
    assert part["threads"] == ((0.0, 2),)


def test_tasks_that_are_gone_and_tasks_that_were_known() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x-1": ""}, options=INNER, has_spans=True)
    scheduler.submit({"x-1": ""}, options=TaskOptions(span=SpanName(("late",), ("l",))), has_spans=True)
    scheduler.finish("x-1")
    scheduler.release("x-1")
    assert [facts["id"] for facts in span_facts(scheduler.core, 0.0)] == ["w", "p"]
    assert span_facts(scheduler.core, 0.0)[1]["states"]["forgotten"] == 1


def test_the_number_of_threads_over_time() -> None:
    scheduler = Scheduler([A], nthreads=2)
    scheduler.now = 3.0
    scheduler.worker(B, 1)
    scheduler.now = 4.0
    scheduler.lose(A)
    assert list(scheduler.core.state.spans.threads) == [(0.0, 2), (3.0, 3), (4.0, 1)]


def test_the_oldest_spans_are_forgotten() -> None:
    scheduler = Scheduler([A])
    for number in range(10_005):
        options = TaskOptions(span=SpanName(("s",), (str(number),)))
        tasks = [events.NewTask(f"x-{number}", (), "work", options=options, wanted=True)]
        event = events.GraphSubmitted("c", f"graph {number}", tasks, has_spans=True)
        if number < 5 or number >= 10_000:
            scheduler.send(event)
        else:
            scheduler.core.state.spans._enter(options.span, 0.0)  # type: ignore[arg-type]
    records = scheduler.core.state.spans.records
    assert len(records) == 10_000
    assert "0" not in records
    # Nothing is added to a span that was dropped.
    scheduler.finish(next(iter(scheduler.runs)))


def test_bars_by_span() -> None:
    scheduler = Scheduler([A])
    scheduler.submit({"x-1": "", "y-1": "x-1"}, options=INNER, has_spans=True)
    scheduler.submit({"z-1": "y-1"})
    tracker = ProgressTracker()
    for _ in tracker.add_below(scheduler.core, ["z-1"], by_span):
        pass
    totals = [(group.name, group.total) for group in tracker.count(scheduler.core)]
    assert totals == [("default", 1), ("work - part", 2)]
