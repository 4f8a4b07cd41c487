"""The table of keys: references, waiters, events, and what comes too late."""

import pytest

from dagrpc._client.key_table import KeyTable
from dagrpc._client.waiting import Countdown, Deadline


class Recorder:
    def __init__(self):
        self.woken = []

    def wake(self, state):
        self.woken.append((state.wire_key, state.status))


@pytest.fixture
def table():
    return KeyTable()


def add(table, *wire_keys):
    return [table.create(wire_key, wire_key)[0] for wire_key in wire_keys]


def test_a_key_has_one_state(table):
    [x] = add(table, "x")
    assert table.create("x", "x") == (x, False)
    assert table.acquire("x") is x
    assert table.acquire("y") is None
    assert x.references == 3
    assert [table.drop(x) for _ in range(3)] == [False, False, True]
    assert table.states == {}


def test_events(table):
    x, y, z = add(table, "x", "y", "z")
    recorder = Recorder()
    assert table.watch([x, y, z], recorder) == 3
    table.finished("x", "builtins.int", 28, b"payload")
    table.erred("y", "failure")
    table.cancelled("z", "", "")
    assert recorder.woken == [("x", "finished"), ("y", "error"), ("z", "cancelled")]
    assert (x.type_name, x.nbytes, x.payload) == ("builtins.int", 28, b"payload")
    assert (z.reason, z.message) == ("unknown", None)
    assert "z" not in table.states
    assert all(state.done for state in (x, y, z))
    table.lost("x")
    table.retried("y")
    assert (x.status, x.payload, y.status, y.failure) == ("lost", None, "pending", None)
    assert not x.done
    # An event about a key that nobody holds changes nothing.
    table.finished("other", "", 0, None)


def test_a_waiter_is_woken_once_for_each_key_that_is_not_done(table):
    x, y = add(table, "x", "y")
    table.finished("x", "", 0, None)
    recorder = Recorder()
    assert table.watch([x, y, y], recorder) == 2
    table.finished("y", "", 0, None)
    table.finished("y", "", 0, None)
    assert recorder.woken == [("y", "finished")] * 2
    table.retried("y")
    table.watch([y], recorder)
    table.unwatch([x, y], recorder)
    assert y.waiters is None


def test_events_of_an_earlier_life_do_not_count(table):
    [x] = add(table, "x")
    table.cancel([x], "user", "why", barrier=1)
    assert (x.status, x.reason, x.message) == ("cancelled", "user", "why")
    again, is_new = table.create("x", "x")
    assert is_new
    assert again is not x
    table.finished("x", "", 0, b"old")
    table.cancelled("x", "user", "")
    assert again.status == "pending"
    # The last reference to the former life does not release the present one.
    assert table.drop(x) is False
    assert table.states["x"] is again
    table.pong(1)
    table.finished("x", "", 0, b"new")
    assert again.payload == b"new"


def test_a_fence_on_released_keys(table):
    [x] = add(table, "x")
    assert table.drop(x)
    table.barrier([x], 5)
    again, _ = table.create("x", "x")
    table.erred("x", "old")
    assert again.status == "pending"
    table.pong(5)
    assert table._barriers == {}
    table.finished("x", "", 0, None)
    assert again.status == "finished"


def test_closing_cancels_all(table):
    x, y = add(table, "x", "y")
    recorder = Recorder()
    table.watch([x, y], recorder)
    table.close("client-closed", "The client was closed.")
    assert recorder.woken == [("x", "cancelled"), ("y", "cancelled")]
    assert table.states == {}
    assert table.closed


def test_a_task_submitted_while_the_session_ends_is_cancelled(table):
    table.close("lost", "The connection was lost.")
    state, new = table.create("x", "x")
    assert new
    assert (state.status, state.reason, state.message) == ("cancelled", "lost", "The connection was lost.")
    assert not table.states


def test_retry_touches_what_failed_only(table):
    x, y = add(table, "x", "y")
    table.erred("x", "failure")
    table.finished("y", "", 0, None)
    table.retry([x, y])
    assert (x.status, y.status) == ("pending", "finished")


# --- waiting for several -----------------------------------------------------------------------------------------


def test_countdown_of_what_is_done_does_not_wait(table):
    x, y = add(table, "x", "y")
    table.finished("x", "", 0, None)
    table.finished("y", "", 0, None)
    assert Countdown([x, y], Deadline(0)).block() is True
    assert Countdown([], Deadline(0)).block() is True


def test_countdown_expires(table):
    x, y = add(table, "x", "y")
    table.finished("x", "", 0, None)
    assert Countdown([x, y], Deadline(0.01)).block() is False
    assert y.waiters is None
    assert Countdown([x, y], Deadline(0.01), first=True).block() is True
    assert Countdown([y], Deadline(0.01), first=True).block() is False


def test_countdown_that_fails_fast(table):
    x, y = add(table, "x", "y")
    table.erred("x", "failure")
    assert Countdown([x, y], Deadline(0), fail_fast=True).block() is True
    assert Countdown([x, y], Deadline(0.01)).block() is False


def test_countdown_counts_a_key_as_often_as_it_is_there(table):
    [x] = add(table, "x")
    countdown = Countdown([x, x, x], Deadline(0.01))
    countdown.prepare_to_block()
    assert countdown._watch()
    table.finished("x", "", 0, None)
    assert countdown.is_open
