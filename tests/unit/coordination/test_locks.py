"""Leases of locks and semaphores, and several locks at once."""

from __future__ import annotations

import pytest

from dagrpc_scheduler.coordination.operations import (
    INCONSISTENT,
    UNKNOWN,
    AcquireLease,
    AcquireLocks,
    CancelRequest,
    CloseSemaphore,
    CountLeases,
    RegisterSemaphore,
    ReleaseLease,
    ReleaseLocks,
    RenewLeases,
)
from dagrpc_scheduler.coordination.primitives.multilock import MultiLocks
from dagrpc_scheduler.coordination.primitives.semaphore import Semaphores
from tests.unit.coordination.harness import Bench

LOCK = AcquireLease("l", 1, transient=True)
PAIR = AcquireLease("s", 2)


def test_a_lock_goes_to_the_request_that_waits_longest() -> None:
    bench = Bench()
    first = bench.ask("a", LOCK)
    second, third = bench.ask("b", LOCK), bench.ask("a", LOCK)
    assert bench.answered("a", first).lease_seconds == 30.0
    assert bench.waits("b", second)
    assert bench.do("a", ReleaseLease(first)).done
    assert bench.answered("b", second).done
    assert bench.waits("a", third)
    assert bench.do("b", ReleaseLease(second)).done
    assert bench.answered("a", third).done


def test_a_lease_is_its_clients_own() -> None:
    bench = Bench()
    lease = bench.ask("a", LOCK)
    assert not bench.do("b", ReleaseLease(lease)).done
    assert bench.do("a", CountLeases("l")).number == 1


def test_waiting_ends_at_the_deadline() -> None:
    bench = Bench(None)
    bench.ask("a", LOCK)
    assert not bench.do("b", LOCK, timeout=0.0).done
    late, patient = bench.ask("b", LOCK, timeout=2.0), bench.ask("c", LOCK)
    assert bench.coordinator.next_deadline() == 2.0
    bench.move(1.9)
    assert bench.waits("b", late)
    bench.move(0.1)
    assert not bench.answered("b", late).done
    assert bench.coordinator.next_deadline() is None
    bench.do("a", ReleaseLease(1))
    assert bench.answered("c", patient).done


def test_a_withdrawn_request_is_not_granted() -> None:
    bench = Bench()
    lease = bench.ask("a", LOCK)
    withdrawn, next_one = bench.ask("b", LOCK), bench.ask("c", LOCK)
    bench.ask("b", CancelRequest(withdrawn))
    # The request is answered all the same, so that the client can drop it.
    assert not bench.answered("b", withdrawn).done
    bench.ask("b", CancelRequest(lease))
    bench.do("a", ReleaseLease(lease))
    assert bench.answered("c", next_one).done
    bench.ask("c", CancelRequest(next_one))
    assert bench.do("c", CountLeases("l")).number == 1


def test_the_leases_of_a_client_end_with_it() -> None:
    bench = Bench()
    bench.ask("a", LOCK)
    also_waiting, other = bench.ask("a", LOCK), bench.ask("b", LOCK)
    bench.gone("a")
    assert bench.waits("a", also_waiting)
    assert bench.answered("b", other).done
    bench.gone("b")
    assert bench.coordinator.all_of(Semaphores).names == []
    assert bench.coordinator.wait_queue.idle


def test_a_lease_that_is_not_renewed_ends() -> None:
    bench = Bench(30.0)
    lease = bench.ask("a", LOCK)
    waiting = bench.ask("b", LOCK)
    bench.move(20)
    bench.ask("a", RenewLeases([lease, 77]))
    bench.move(29)
    assert bench.waits("b", waiting)
    bench.move(1)
    assert bench.answered("b", waiting).done
    assert not bench.do("a", ReleaseLease(lease)).done
    assert bench.do("b", CountLeases("l")).number == 1


def test_without_a_timeout_leases_hold() -> None:
    bench = Bench(None)
    lease = bench.ask("a", LOCK)
    assert bench.answered("a", lease).lease_seconds == 0.0
    bench.move(1e9)
    assert bench.do("b", CountLeases("l")).number == 1


def test_a_semaphore_lets_so_many_in() -> None:
    bench = Bench()
    leases = [bench.ask("a", PAIR) for _ in range(4)]
    assert [bench.waits("a", lease) for lease in leases] == [False, False, True, True]
    assert bench.do("b", CountLeases("s")).number == 2
    bench.do("a", ReleaseLease(leases[0]))
    assert bench.answered("a", leases[2]).done
    assert bench.waits("a", leases[3])


def test_all_have_to_mean_the_same_semaphore() -> None:
    bench = Bench()
    bench.do("a", RegisterSemaphore("s", 2))
    for operation in (AcquireLease("s", 3), RegisterSemaphore("s", 3), AcquireLease("s", 1, transient=True)):
        answer = bench.do("b", operation)
        assert (answer.done, answer.refusal) == (False, INCONSISTENT)
    assert bench.do("b", AcquireLease("s", 3)).message == "Inconsistent max leases: 3, expected: 2"


def test_a_closed_semaphore_is_not_known() -> None:
    bench = Bench()
    held, _, waiting = (bench.ask("a", PAIR) for _ in range(3))
    bench.do("b", CloseSemaphore("s"))
    assert bench.answered("a", waiting).refusal == UNKNOWN
    answer = bench.do("a", AcquireLease("s", 2, registered=True))
    assert (answer.refusal, answer.message) == (UNKNOWN, "Semaphore or Lock `s` not known.")
    assert not bench.do("a", ReleaseLease(held)).done
    assert bench.do("a", PAIR).done
    assert bench.do("b", CloseSemaphore("never heard of")).done


def test_a_lock_is_forgotten_when_nobody_uses_it_and_a_semaphore_is_not() -> None:
    bench = Bench()
    bench.do("a", ReleaseLease(bench.ask("a", LOCK)))
    bench.do("a", ReleaseLease(bench.ask("a", PAIR)))
    assert bench.coordinator.all_of(Semaphores).names == ["s"]
    # Locks and semaphores share their names.
    bench.do("a", RegisterSemaphore("l", 5))
    assert bench.do("a", LOCK).refusal == INCONSISTENT


def test_requests_that_timed_out_take_no_memory() -> None:
    bench = Bench(None)
    bench.ask("a", LOCK)
    for _ in range(1_000):
        bench.ask("b", CancelRequest(bench.ask("b", LOCK, timeout=1e6)))
    assert len(bench.coordinator.wait_queue._deadlines) < 100
    semaphore = bench.coordinator.all_of(Semaphores).state("l")
    assert semaphore is not None
    assert not semaphore.line


# --- several locks at once ---


def locks(names: str, count: int | None = None) -> AcquireLocks:
    return AcquireLocks(tuple(names), count or len(names))


def test_several_locks_are_taken_all_or_none() -> None:
    bench = Bench()
    first = bench.ask("a", locks("xy"))
    second, third = bench.ask("b", locks("yz")), bench.ask("c", locks("z"))
    assert bench.answered("a", first).done
    # The request arrived later than a waiting one, which might otherwise wait for ever.
    assert bench.waits("c", third)
    bench.do("a", ReleaseLocks(first))
    assert bench.answered("b", second).done
    bench.do("b", ReleaseLocks(second))
    assert bench.answered("c", third).done
    assert bench.do("c", ReleaseLocks(third)).done
    assert not bench.do("c", ReleaseLocks(third)).done
    assert bench.coordinator.all_of(MultiLocks).lines == {}


def test_enough_locks_are_enough() -> None:
    bench = Bench()
    bench.ask("a", locks("x"))
    two = bench.ask("b", locks("xyzw", 2))
    assert bench.answered("b", two).done
    # It keeps two locks, and no more.
    assert {name for name in "xyzw" if not bench.do("c", locks(name), timeout=0.0).done} == {"x", "y", "z"}


@pytest.mark.parametrize("leave", ["withdraw", "time out", "go"])
def test_a_request_that_leaves_the_queue_lets_later_ones_pass(leave: str) -> None:
    bench = Bench()
    bench.ask("a", locks("x"))
    waiting = bench.ask("b", locks("xy"), timeout=5.0)
    behind = bench.ask("c", locks("y"))
    assert bench.waits("c", behind)
    if leave == "withdraw":
        bench.ask("b", CancelRequest(waiting))
    elif leave == "time out":
        bench.move(5)
    else:
        bench.gone("b")
    assert bench.answered("c", behind).done
    assert not bench.do("d", locks("yz"), timeout=0.0).done
    assert bench.do("d", locks("z"), timeout=0.0).done


def test_several_locks_end_with_their_client() -> None:
    bench = Bench()
    bench.ask("a", locks("xy"))
    waiting = bench.ask("b", locks("yx"))
    bench.gone("a")
    assert bench.answered("b", waiting).done
    bench.gone("b")
    assert bench.coordinator.all_of(MultiLocks).lines == {}
