"""Workers that cannot keep up may come back after pauses, and not for ever."""

from __future__ import annotations

import pytest

from dagrpc.exceptions import LimitReachedError, NotReadyError
from dagrpc_scheduler.shell.sessions.evictions import WorkerEvictions

REASON = LimitReachedError("too much waits (dagrpc.scheduler.limits.worker-outbox)")


def test_a_worker_may_come_back_after_pauses_that_grow() -> None:
    evictions = WorkerEvictions()
    evictions.check(b"worker", 0.0)
    evictions.note(b"worker", REASON, 0.0)
    evictions.check(b"other", 0.0)
    with pytest.raises(NotReadyError):
        evictions.check(b"worker", 0.9)
    evictions.check(b"worker", 1.1)
    evictions.note(b"worker", REASON, 10.0)
    with pytest.raises(NotReadyError):
        evictions.check(b"worker", 11.9)
    evictions.check(b"worker", 12.1)


def test_one_that_never_keeps_up_may_not() -> None:
    evictions = WorkerEvictions()
    for when in (0.0, 10.0, 20.0):
        evictions.note(b"worker", REASON, when)
    with pytest.raises(LimitReachedError, match=r"3 times.*dagrpc\.scheduler\.limits\.worker-outbox.*fewer threads"):
        evictions.check(b"worker", 100.0)
    # What was long ago does not count.
    evictions.check(b"worker", 615.0)


def test_the_memory_of_evictions_is_bounded() -> None:
    evictions = WorkerEvictions()
    for number in range(5_000):
        evictions.note(str(number).encode(), REASON, float(number))
    assert len(evictions._times) == len(evictions._reasons) <= 1_000
