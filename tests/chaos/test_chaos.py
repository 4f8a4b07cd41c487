"""Short runs of chaos; ``make chaos`` has a long one."""

from __future__ import annotations

import pytest

from tests.chaos.plan import ALL, chosen, draw
from tests.chaos.runner import Run


def test_a_plan_has_everything_and_is_the_same_each_time() -> None:
    for seed in range(200):
        plan = draw(seed, 18.0)
        assert plan == draw(seed, 18.0)
        assert {f"{fault.kind} {fault.target}" for fault in plan} == set(ALL)
        assert all(0 <= fault.at < 18.0 for fault in plan)


def test_choosing_faults() -> None:
    assert chosen("kill") == ("kill worker", "kill nanny", "kill client")
    assert chosen("stop nanny, delay client") == ("stop nanny", "delay client")
    with pytest.raises(ValueError, match="'explode' is in none of"):
        chosen("kill,explode")


@pytest.mark.timeout(600)
def test_work_survives() -> None:
    report = Run(1, 18.0).execute()
    assert report.faults.total() >= 8
    assert report.statistics.workloads.total() >= 1
