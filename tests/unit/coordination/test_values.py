"""Events, queues and variables."""

from __future__ import annotations

from dagrpc_scheduler.coordination.operations import (
    AcknowledgeValues,
    CancelRequest,
    ClearEvent,
    CloseQueue,
    CountQueue,
    DeleteVariable,
    GetQueue,
    GetVariable,
    PutQueue,
    SetEvent,
    SetVariable,
    Value,
    WaitEvent,
)
from dagrpc_scheduler.coordination.primitives.event import Events
from dagrpc_scheduler.coordination.primitives.queues import Queues
from dagrpc_scheduler.coordination.primitives.variable import Variables
from tests.unit.coordination.harness import Bench, data, future

ONE, TWO, THREE, FOUR = (data(text) for text in "1234")


def put(value: Value, max_size: int = 0, front: bool = False) -> PutQueue:
    return PutQueue("q", value, max_size, front=front)


def values(bench: Bench, client: str, number: int) -> list[Value] | None:
    return None if bench.waits(client, number) else list(bench.answered(client, number).values)


# --- events ---


def test_all_who_wait_for_an_event_go_on() -> None:
    bench = Bench()
    waits = [bench.ask(client, WaitEvent("e")) for client in "abc"]
    assert not bench.do("a", WaitEvent("e"), timeout=0.0).done
    bench.do("d", SetEvent("e"))
    assert all(bench.answered(client, number).done for client, number in zip("abc", waits, strict=True))
    assert bench.do("a", WaitEvent("e"), timeout=0.0).done
    bench.do("d", ClearEvent("e"))
    late = bench.ask("a", WaitEvent("e"), timeout=1.0)
    bench.move(1)
    assert not bench.answered("a", late).done
    assert bench.coordinator.all_of(Events)._waiting == {}


# --- queues ---


def test_first_in_first_out() -> None:
    bench = Bench()
    for value in (ONE, TWO, THREE):
        assert bench.do("a", put(value)).done
    assert bench.do("a", CountQueue("q")).number == 3
    assert list(bench.do("b", GetQueue("q")).values) == [ONE]
    assert list(bench.do("b", GetQueue("q", 0)).values) == [TWO, THREE]
    assert list(bench.do("b", GetQueue("q", 0)).values) == []
    assert not bench.do("b", GetQueue("q"), timeout=0.0).done


def test_getters_are_served_in_order() -> None:
    bench = Bench()
    first, second = bench.ask("a", GetQueue("q")), bench.ask("b", GetQueue("q"))
    bench.do("c", put(ONE))
    bench.do("c", put(TWO))
    assert values(bench, "a", first) == [ONE]
    assert values(bench, "b", second) == [TWO]


def test_a_batch_is_collected_as_it_comes_and_given_back_if_it_is_withdrawn() -> None:
    bench = Bench()
    batch, single = bench.ask("a", GetQueue("q", 3)), bench.ask("b", GetQueue("q"))
    bench.do("c", put(ONE))
    bench.do("c", put(TWO))
    assert bench.do("c", CountQueue("q")).number == 0
    assert values(bench, "b", single) is None
    bench.ask("a", CancelRequest(batch))
    assert values(bench, "b", single) == [ONE]
    assert list(bench.do("a", GetQueue("q", 0)).values) == [TWO]


def test_a_client_that_dies_takes_nothing_with_it() -> None:
    bench = Bench()
    bench.ask("a", GetQueue("q", 2))
    bench.ask("a", GetQueue("q"))
    other = bench.ask("b", GetQueue("q"))
    bench.do("c", put(ONE))
    bench.gone("a")
    assert values(bench, "b", other) == [ONE]


def test_a_full_queue_lets_putters_in_in_order() -> None:
    bench = Bench()
    bench.do("a", put(ONE, 2))
    bench.do("a", put(TWO, 2))
    assert not bench.do("a", put(FOUR, 2), timeout=0.0).done
    third, fourth = bench.ask("a", put(THREE, 2)), bench.ask("b", put(FOUR, 2), timeout=1.0)
    assert bench.do("c", CountQueue("q")).number == 2
    assert list(bench.do("c", GetQueue("q")).values) == [ONE]
    assert bench.answered("a", third).done
    assert bench.waits("b", fourth)
    bench.move(1)
    assert not bench.answered("b", fourth).done
    assert list(bench.do("c", GetQueue("q", 0)).values) == [TWO, THREE]


def test_a_batch_larger_than_the_queue_does_not_wait_for_ever() -> None:
    bench = Bench()
    puts = [bench.ask("a", put(value, 1)) for value in (ONE, TWO, THREE)]
    assert list(bench.do("b", GetQueue("q", 1)).values) == [ONE]
    batch = bench.ask("b", GetQueue("q", 3))
    assert all(bench.answered("a", number).done for number in puts)
    bench.do("a", put(FOUR, 1))
    assert values(bench, "b", batch) == [TWO, THREE, FOUR]


def test_values_put_back_come_first() -> None:
    bench = Bench()
    bench.do("a", put(TWO, 1))
    assert bench.do("a", put(ONE, 1, front=True)).done
    assert list(bench.do("b", GetQueue("q", 0)).values) == [ONE, TWO]


def test_a_queue_is_dropped_by_its_last_user() -> None:
    bench = Bench()
    bench.do("a", PutQueue("q", future("x"), open=True))
    bench.do("b", GetQueue("q", 0, open=True))
    bench.do("b", PutQueue("q", future("y")))
    bench.do("a", CloseQueue("q"))
    assert bench.do("b", CountQueue("q")).number == 1
    bench.do("b", CloseQueue("q"))
    assert bench.do("b", CountQueue("q")).number == 0
    assert bench.coordinator.all_of(Queues).state("q") is None
    # Results in transit are not dropped.
    assert bench.held == {"queue-q": {"x"}}


def test_a_queue_holds_its_futures_until_the_getter_does() -> None:
    bench = Bench()
    bench.do("a", put(future("x")))
    bench.do("a", put(future("x")))
    bench.do("a", put(Value(b"data", ("y", "z"))))
    assert bench.held == {"queue-q": {"x", "y", "z"}}
    first, second = bench.ask("b", GetQueue("q")), bench.ask("b", GetQueue("q"))
    bench.ask("b", AcknowledgeValues(first))
    assert bench.held == {"queue-q": {"x", "y", "z"}}
    bench.ask("b", AcknowledgeValues(second))
    bench.ask("b", AcknowledgeValues(second))
    assert bench.held == {"queue-q": {"y", "z"}}
    bench.ask("b", GetQueue("q"))
    bench.gone("b")
    assert bench.held == {}
    assert bench.coordinator.wait_queue.idle


# --- variables ---


def test_a_variable_is_read_by_all() -> None:
    bench = Bench()
    waits = [bench.ask(client, GetVariable("v")) for client in "ab"]
    late = bench.ask("c", GetVariable("v"), timeout=1.0)
    bench.move(1)
    assert not bench.answered("c", late).done
    bench.do("d", SetVariable("v", ONE))
    assert [values(bench, client, number) for client, number in zip("ab", waits, strict=True)] == [[ONE], [ONE]]
    bench.do("d", SetVariable("v", TWO))
    assert list(bench.do("a", GetVariable("v")).values) == [TWO]
    bench.do("d", DeleteVariable("v"))
    bench.do("d", DeleteVariable("v"))
    assert not bench.do("a", GetVariable("v"), timeout=0.0).done
    assert bench.coordinator.all_of(Variables)._by_name == {}


def test_a_variable_holds_its_future_until_all_readers_do() -> None:
    bench = Bench()
    bench.do("a", SetVariable("v", future("x")))
    reader = bench.ask("b", GetVariable("v"))
    bench.do("a", SetVariable("v", future("y")))
    assert bench.held == {"variable-v": {"x", "y"}}
    bench.ask("b", AcknowledgeValues(reader))
    assert bench.held == {"variable-v": {"y"}}
    bench.do("a", SetVariable("v", future("y")))
    assert bench.held == {"variable-v": {"y"}}
    bench.do("a", DeleteVariable("v"))
    assert bench.held == {}
    assert bench.coordinator.wait_queue.idle
