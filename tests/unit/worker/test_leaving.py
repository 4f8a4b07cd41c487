"""A worker that is about to leave."""

from __future__ import annotations

from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import Execute, ReportFinished, ReportRescheduled
from tests.unit.worker.harness import A, Worker


def test_waiting_tasks_are_given_back() -> None:
    worker = Worker(resources={"GPU": 1})
    worker.compute("running", resources={"GPU": 1})
    worker.compute("ready", run_id=2)
    worker.compute("constrained", run_id=3, resources={"GPU": 1})
    worker.compute("waiting", {"x": [A]}, run_id=4)
    worker.send(events.DataPut({"data": 5}))
    assert worker.send(events.Leaving()) == [
        ReportRescheduled("ready", 2),
        ReportRescheduled("constrained", 3),
        ReportRescheduled("waiting", 4),
    ]
    # What is begun ends, and what is held is served.
    assert worker.states() == {"running": "executing", "x": "cancelled", "data": "memory"}
    (report,) = worker.finish("running")
    assert isinstance(report, ReportFinished)


def test_late_tasks_are_given_back_at_once() -> None:
    worker = Worker()
    worker.compute("x", run_id=1)
    worker.finish("x")
    worker.send(events.Leaving())
    assert worker.compute("y", run_id=2) == [ReportRescheduled("y", 2)]
    assert not any(isinstance(each, Execute) for each in worker.compute("z", run_id=3))
    # A result that is here need not be computed elsewhere.
    (report,) = worker.compute("x", run_id=4)
    assert isinstance(report, ReportFinished)
