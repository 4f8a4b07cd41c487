"""The tables of a scheduler that had many tasks."""

from __future__ import annotations

import sys

from dagrpc_scheduler.core.compaction import compact
from tests.unit.scheduler.harness import A, Scheduler

MANY = [f"x-{number}" for number in range(3_000)]


def test_a_scheduler_that_had_many_tasks_goes_on() -> None:
    scheduler = Scheduler([A], nthreads=4_000)
    # Validation examines all tasks after each event.
    scheduler.core._validate = False
    scheduler.submit(dict.fromkeys(MANY, ""), wanted=MANY)
    scheduler.finish(*MANY)
    compact(scheduler.core.state)
    assert not compact(scheduler.core.state)
    scheduler.release(*MANY[1:])
    assert sys.getsizeof(scheduler.core.tasks) > 64 * 1024
    assert compact(scheduler.core.state)
    scheduler.core._validate = True
    assert list(scheduler.core.tasks) == MANY[:1]
    (worker,) = scheduler.core.state.workers.values()
    tables = [scheduler.core.tasks, worker.has_what]
    tables += [client.wants for client in scheduler.core.state.clients.values()]
    assert max(sys.getsizeof(table) for table in tables) < 2_000
    scheduler.submit({"y-1": "x-0"}, wanted=["y-1"])
    scheduler.finish("y-1")
    scheduler.release("x-0", "y-1")
    assert not scheduler.core.tasks
