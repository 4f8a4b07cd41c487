"""The loop of kills, for some seconds."""

from __future__ import annotations

from tests.chaos.kill_loop import WORKERS, run


def test_workers_that_are_killed_again_and_again_come_back_and_all_answers_come() -> None:
    # More kills than a nanny would have stood that counts them.
    outcome = run(20.0, seed=1)
    assert outcome.wrong == []
    assert outcome.workers == WORKERS
    assert outcome.kills >= 5
