"""Short runs of chaos; ``make chaos`` has a long one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.chaos.plan import ALL, chosen, draw
from tests.chaos.runner import Report, Run

SEEDS = (1, 2)


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


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[int, Future[Report]]]:
    """Runs with clusters of their own, all at once: they wait for faults to come and to be over, most of the time."""
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        yield {seed: pool.submit(Run(seed, 18.0).execute) for seed in SEEDS}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_work_survives(runs: dict[int, Future[Report]], seed: int) -> None:
    report = runs[seed].result()
    assert report.faults.total() >= 8
    assert report.statistics.workloads.total() >= 2
