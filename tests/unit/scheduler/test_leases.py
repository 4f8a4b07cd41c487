"""Leases: what they hold, what has changed, and when they end."""

import pytest

from dagrpc_scheduler.core.instructions import ReportCancelled, ReportErred, ReportFinished, ReportLost
from dagrpc_scheduler.leases.lease import CANCELLED, DONE, FAILED, PENDING, Lease
from dagrpc_scheduler.leases.lease_book import LeaseBook, LeaseLimits, LimitExceeded


def test_a_lease_follows_the_reports_of_the_core() -> None:
    lease = Lease("x", 60.0, 0.0)
    assert lease.hold(["a", "b"]) == ["a", "b"]
    assert lease.hold(["b"]) == []
    assert lease.take(ReportFinished(lease.client, "a", "int", 28))
    assert lease.take(ReportErred(lease.client, "b", "failure", "a"))
    assert not lease.take(ReportFinished(lease.client, "of another lease", "int", 28))
    assert (lease.tasks["a"].outcome, lease.tasks["b"].outcome, lease.unfinished) == (DONE, FAILED, 0)
    lease.take(ReportLost(lease.client, "a"))
    assert lease.tasks["a"].outcome == PENDING


def test_a_cancelled_task_can_be_submitted_again() -> None:
    lease = Lease("x", 60.0, 0.0)
    lease.hold(["a"])
    lease.take(ReportCancelled(lease.client, "a", "scheduler-restart"))
    assert (lease.tasks["a"].outcome, lease.tasks["a"].reason) == (CANCELLED, "scheduler-restart")
    assert lease.hold(["a"]) == ["a"]
    assert lease.tasks["a"].outcome == PENDING


def test_each_change_is_listed_once_and_in_order() -> None:
    lease = Lease("x", 60.0, 0.0)
    lease.hold(["a", "b", "c"])
    cursor = lease.cursor
    lease.take(ReportFinished(lease.client, "c", "int", 28))
    lease.take(ReportFinished(lease.client, "a", "int", 28))
    assert [task.key for task in lease.changed_since(cursor)] == ["c", "a"]
    assert [task.key for task in lease.changed_since(0)] == ["b", "c", "a"]
    assert lease.changed_since(lease.cursor) == []


def test_any_and_all() -> None:
    lease = Lease("x", 60.0, 0.0)
    lease.hold(["a", "b"])
    lease.take(ReportFinished(lease.client, "a", "int", 28))
    assert lease.is_settled(["a", "b"], True)
    assert not lease.is_settled(["a", "b"], False)
    assert lease.is_settled(["a", "unknown"], False)


def test_a_lease_ends_after_its_last_call_and_not_while_one_waits() -> None:
    book = LeaseBook(LeaseLimits(longest_ttl=100.0))
    lease = book.open("x", 1_000.0, 0.0)
    assert lease.ttl == 100.0
    assert book.expired(99.0) == []
    assert book.expired(100.0) == [lease]
    book.begin_call(lease)
    assert book.expired(200.0) == []
    book.end_call(lease, 200.0)
    assert book.expired(299.0) == []
    assert book.expired(300.0) == [lease]


def test_limits_name_their_settings() -> None:
    book = LeaseBook(LeaseLimits(leases=1, tasks=2, waiting=1))
    lease = book.open("x", 0.0, 0.0)
    with pytest.raises(LimitExceeded, match=r"scheduler\.leases\.limit"):
        book.open("y", 0.0, 0.0)
    with pytest.raises(LimitExceeded, match=r"scheduler\.leases\.tasks"):
        book.check_room(lease, 3)
    book.begin_call(lease)
    with pytest.raises(LimitExceeded, match=r"scheduler\.leases\.waiting"):
        book.begin_call(lease)
