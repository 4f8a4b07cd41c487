"""Transfers from peers: what is asked of whom, and what becomes of it."""

from typing import Any

import pytest

from dagrpc_worker.core import events
from dagrpc_worker.core.instructions import (
    DropData,
    GatherData,
    ReportDataMissing,
    ReportErred,
    ReportReplicasAdded,
    ReportReplicasRemoved,
    RetryPeerLater,
)
from tests.unit.worker.harness import HERE, A, B, C, Worker, execute, gathered, of_type


def test_a_dependency_is_fetched_announced_and_used() -> None:
    worker = Worker()
    assert worker.compute("y", {"x": [A]}, run_id=1, nbytes=50) == [GatherData(A, ["x"], 50)]
    assert worker.states() == {"y": "waiting", "x": "flight"}
    assert worker.bring(A, "x", nbytes=48) == [ReportReplicasAdded({"x": 48}), execute("y", 1, "x")]
    worker.finish("y")
    # It stays until the scheduler frees it.
    assert worker.states() == {"y": "memory", "x": "memory"}
    assert worker.free("x") == [ReportReplicasRemoved(["x"]), DropData(["x"])]


def test_fetches_are_grouped_by_peer_over_a_batch() -> None:
    worker = Worker()
    batch = [worker.request(f"y{i}", {f"x{i}": [A if i % 2 else B], "common": [A]}) for i in range(4)]
    assert gathered(worker.send(*batch)) == {B: ["x0", "x2"], A: ["common", "x1", "x3"]}


def test_keys_wanted_during_a_transfer_go_into_the_next_transfer() -> None:
    worker = Worker(gathers_per_peer=1)
    assert gathered(worker.compute("y0", {"x0": [A]})) == {A: ["x0"]}
    for i in range(1, 4):
        assert worker.compute(f"y{i}", {f"x{i}": [A]}) == []
    assert gathered(worker.bring(A, "x0")) == {A: ["x1", "x2", "x3"]}


def test_a_transfer_is_bounded_in_bytes_but_takes_at_least_one_result() -> None:
    worker = Worker(gather_nbytes=250, gathers_per_peer=1)
    batch = [worker.request(f"y{i}", {f"x{i}": [A]}, nbytes=100) for i in range(3)]
    assert worker.send(*batch, worker.request("z", {"big": [B]}, nbytes=10**9)) == [
        GatherData(A, ["x0", "x1"], 200),
        GatherData(B, ["big"], 10**9),
    ]


def test_a_transfer_is_bounded_in_keys() -> None:
    worker = Worker(gather_keys=2, gathers_per_peer=1)
    batch = [worker.request(f"y{i}", {f"x{i}": [A]}) for i in range(3)]
    assert gathered(worker.send(*batch)) == {A: ["x0", "x1"]}
    assert gathered(worker.bring(A, "x0", "x1")) == {A: ["x2"]}


def test_transfers_are_bounded_in_number() -> None:
    worker = Worker(gathers=2)
    batch = [worker.request(f"y{i}", {f"x{i}": [f"peer{i}:1"]}) for i in range(4)]
    assert gathered(worker.send(*batch)) == {"peer0:1": ["x0"], "peer1:1": ["x1"]}
    assert worker.view.gathers == 2
    assert gathered(worker.bring("peer1:1", "x1")) == {"peer2:1": ["x2"]}


def test_transfers_are_bounded_in_bytes() -> None:
    worker = Worker(gathers_nbytes=150, nthreads=9)
    batch = [worker.request(f"y{i}", {f"x{i}": [f"peer{i}:1"]}, nbytes=100) for i in range(3)]
    assert gathered(worker.send(*batch)) == {"peer0:1": ["x0"], "peer1:1": ["x1"]}
    assert worker.view.gathers_nbytes == 200
    assert gathered(worker.bring("peer0:1", "x0")) == {"peer2:1": ["x2"]}


def test_the_most_urgent_results_are_fetched_first() -> None:
    worker = Worker(gathers=1)
    worker.compute("y", {"x": [A]})
    worker.send(
        worker.request("low", {"l": [B]}, priority=3.0),
        worker.request("high", {"h": [C]}, priority=1.0),
    )
    assert gathered(worker.bring(A, "x")) == {C: ["h"]}
    assert gathered(worker.bring(C, "h")) == {B: ["l"]}


def test_a_more_urgent_task_makes_its_dependency_more_urgent() -> None:
    worker = Worker(gathers=1)
    worker.compute("y", {"x": [A]})
    worker.compute("p", {"p0": [B]}, priority=2.0)
    worker.compute("q", {"q0": [C]}, priority=3.0)
    worker.compute("r", {"q0": [C]}, priority=1.0)
    assert gathered(worker.bring(A, "x")) == {C: ["q0"]}


def test_a_dependency_that_became_more_urgent_passes_others_from_the_same_peer() -> None:
    worker = Worker(gather_keys=1, gathers_per_peer=1)
    worker.compute("y", {"x": [A]})
    worker.compute("p", {"p0": [A]}, priority=2.0)
    worker.compute("q", {"q0": [A]}, priority=3.0)
    worker.compute("r", {"q0": [A]}, priority=1.0)
    assert gathered(worker.bring(A, "x")) == {A: ["q0"]}


def test_a_peer_on_this_host_is_preferred() -> None:
    worker = Worker()
    assert gathered(worker.compute("y", {"x": [A, "here:2", B]})) == {"here:2": ["x"]}


def test_transfers_are_spread_over_holders() -> None:
    worker = Worker()
    seen = [next(iter(gathered(worker.compute(f"y{i}", {f"x{i}": [A, B, C]})))) for i in range(6)]
    assert sorted(seen) == [A, A, B, B, C, C]


def test_only_some_of_many_holders_are_considered_and_they_differ() -> None:
    worker = Worker(holders_considered=2, nthreads=99)
    holders = [f"peer{i}:1" for i in range(20)]
    seen = {next(iter(gathered(worker.compute(f"y{i}", {f"x{i}": holders})))) for i in range(20)}
    assert len(seen) >= 10


def test_holders_on_this_host_are_among_those_considered() -> None:
    worker = Worker(holders_considered=2)
    holders = [*(f"peer{i}:1" for i in range(20)), "here:2"]
    assert gathered(worker.compute("y", {"x": holders})) == {"here:2": ["x"]}


def test_a_missing_result_is_reported_and_fetched_from_another_holder() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A, B]})
    assert worker.send(events.GatherSucceeded(A, {}, missing=["x"])) == [
        ReportDataMissing("x", A),
        GatherData(B, ["x"], 100),
    ]


def test_a_result_that_nobody_holds_waits_for_news() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A]}, run_id=1)
    assert worker.send(events.GatherSucceeded(A, {}, missing=["x"])) == [ReportDataMissing("x", A)]
    assert worker.states() == {"y": "waiting", "x": "missing"}
    assert worker.send(events.WhoHasRefreshed([("x", 100, ())])) == []
    assert worker.send(events.WhoHasRefreshed([("x", 100, (B,))])) == [GatherData(B, ["x"], 100)]
    assert worker.bring(B, "x") == [ReportReplicasAdded({"x": 100}), execute("y", 1, "x")]


def test_news_of_no_holders_stops_a_fetch_that_did_not_begin() -> None:
    worker = Worker(gathers_per_peer=1)
    worker.compute("u", {"v": [A]})
    worker.compute("y", {"x": [A]})
    worker.send(events.WhoHasRefreshed([("x", 100, ()), ("unknown", 1, (A,))]))
    assert worker.states()["x"] == "missing"
    # The task will be asked for again, or freed.
    worker.free("y")
    assert "x" not in worker.states()


def test_news_of_other_holders_are_followed() -> None:
    worker = Worker(gathers_per_peer=1)
    worker.compute("u", {"v": [A]})
    worker.compute("y", {"x": [A]})
    assert gathered(worker.send(events.WhoHasRefreshed([("x", 100, (B,))]))) == {B: ["x"]}


def test_a_copy_that_the_scheduler_wrongly_counts_on_is_corrected() -> None:
    worker = Worker()
    assert worker.compute("y", {"x": [HERE, A]}) == [ReportReplicasRemoved(["x"]), GatherData(A, ["x"], 100)]


def test_a_broken_transfer_is_tried_again_later_or_elsewhere() -> None:
    worker = Worker(gather_attempts=2)
    worker.compute("y", {"x": [A, B], "w": [A]})
    assert worker.send(events.GatherFailed(A, ["x", "w"])) == [RetryPeerLater(A, 0.02), GatherData(B, ["x"], 100)]
    assert worker.send(events.PeerRetryDue(A)) == [GatherData(A, ["w"], 100)]
    assert worker.send(events.GatherFailed(A, ["w"])) == [ReportDataMissing("w", A), RetryPeerLater(A, 0.04)]


def test_a_peer_that_is_gone_is_counted_out_at_once() -> None:
    worker = Worker(gathers_per_peer=1)
    worker.send(worker.request("y", {"x": [A, B], "w": [A]}))
    worker.compute("z", {"other": [A]}, priority=1.0)
    assert worker.send(events.GatherFailed(A, ["x", "w"], gone=True)) == [
        ReportDataMissing("x", A),
        ReportDataMissing("w", A),
        RetryPeerLater(A, 0.02),
        GatherData(B, ["x"], 100),
    ]
    # What else it was to send comes to the same end, unless somebody else is there by then.
    assert worker.send(events.PeerRetryDue(A)) == [GatherData(A, ["other"], 100)]


def test_a_transfer_that_goes_well_makes_up_for_broken_ones() -> None:
    worker = Worker(gather_attempts=2, nthreads=2)
    for attempt in range(3):
        worker.compute("y", {f"x{attempt}": [A]})
        assert worker.send(events.GatherFailed(A, [f"x{attempt}"])) == [RetryPeerLater(A, 0.02)]
        worker.send(events.PeerRetryDue(A))
        worker.bring(A, f"x{attempt}")
        worker.finish("y")
        worker.free("y")


def test_a_broken_transfer_counts_the_peer_out_for_what_it_was_to_send() -> None:
    worker = Worker(gathers_per_peer=1, gather_attempts=1)
    worker.send(worker.request("y", {"x": [A, B], "w": [A]}))
    worker.compute("z", {"other": [A]}, priority=1.0)
    assert worker.send(events.GatherFailed(A, ["x", "w"])) == [
        ReportDataMissing("x", A),
        ReportDataMissing("w", A),
        RetryPeerLater(A, 0.02),
        GatherData(B, ["x"], 100),
    ]
    assert worker.states() == {"y": "waiting", "z": "waiting", "x": "flight", "w": "missing", "other": "fetch"}
    assert worker.send(events.PeerRetryDue(A)) == [GatherData(A, ["other"], 100)]


def test_unwanted_results_are_not_reported_missing() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A]})
    worker.free("y")
    assert of_type(worker.send(events.GatherSucceeded(A, {}, missing=["x"])), ReportDataMissing) == []
    assert worker.states() == {}


def test_a_busy_peer_is_left_alone_and_others_are_asked() -> None:
    worker = Worker()
    worker.send(worker.request("y", {"x": [A, B], "w": [A]}))
    assert worker.send(events.GatherRefused(A, ["x", "w"])) == [RetryPeerLater(A, 0.02), GatherData(B, ["x"], 100)]
    assert worker.states()["w"] == "fetch"
    assert worker.send(events.PeerRetryDue(A)) == [GatherData(A, ["w"], 100)]


def test_the_pause_grows_until_a_transfer_goes_well() -> None:
    worker = Worker(retry_delay=1.0, retry_delay_limit=5.0)
    worker.compute("y", {"x": [A]})
    delays = []
    for _ in range(4):
        (pause,) = of_type(worker.send(events.GatherRefused(A, ["x"])), RetryPeerLater)
        delays.append(pause.delay)
        worker.send(events.PeerRetryDue(A))
    assert delays == [1.0, 2.0, 4.0, 5.0]
    worker.compute("z", {"w": [A]})
    worker.bring(A, "w")
    assert worker.send(events.GatherRefused(A, ["x"])) == [RetryPeerLater(A, 1.0)]


def test_two_refusals_make_one_pause() -> None:
    worker = Worker(gathers_per_peer=2)
    worker.compute("y", {"x": [A]})
    worker.compute("z", {"w": [A]})
    assert worker.send(events.GatherRefused(A, ["x"])) == [RetryPeerLater(A, 0.02)]
    assert worker.send(events.GatherRefused(A, ["w"])) == []
    assert gathered(worker.send(events.PeerRetryDue(A))) == {A: ["x", "w"]}


def test_a_late_pause_of_a_forgotten_peer_changes_nothing() -> None:
    assert Worker().send(events.PeerRetryDue(A)) == []


def test_deferred_results_are_asked_for_again() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A], "w": [A]})
    assert worker.send(events.GatherSucceeded(A, {"x": 100}, deferred=["w"])) == [
        ReportReplicasAdded({"x": 100}),
        GatherData(A, ["w"], 100),
    ]


def test_a_peer_that_defers_everything_is_left_alone_for_a_while() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A]})
    assert worker.send(events.GatherSucceeded(A, {}, deferred=["x"])) == [RetryPeerLater(A, 0.02)]
    assert gathered(worker.send(events.PeerRetryDue(A))) == {A: ["x"]}


def test_results_that_a_transfer_does_not_mention_are_asked_for_again() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A], "w": [A]})
    assert gathered(worker.bring(A, "x")) == {A: ["w"]}


def test_results_that_cannot_be_transferred_fail_the_tasks_that_need_them() -> None:
    worker = Worker(nthreads=2)
    worker.compute("y", {"x": [A], "w": [A]}, run_id=1)
    worker.compute("z", {"x": [A]}, run_id=2)
    worker.compute("u", {"w": [A]}, run_id=3)
    failure = "cannot be pickled"
    assert worker.send(events.GatherSucceeded(A, {"w": 100}, failed={"x": failure})) == [
        ReportReplicasAdded({"w": 100}),
        ReportErred("y", 1, failure, 0.0, 0.0),
        ReportErred("z", 2, failure, 0.0, 0.0),
        execute("u", 3, "w"),
    ]
    assert worker.states() == {"u": "executing", "w": "memory"}


def test_a_copy_that_cannot_be_transferred_is_given_up() -> None:
    worker = Worker()
    worker.send(events.ReplicasRequested([("x", 10, (A,))]))
    assert worker.send(events.GatherSucceeded(A, {}, failed={"x": "failure"})) == []
    assert worker.states() == {}


def test_data_that_nobody_asked_for_is_dropped() -> None:
    worker = Worker()
    assert worker.bring(A, "x") == [DropData(["x"])]


@pytest.mark.parametrize(
    "stale",
    [
        events.GatherSucceeded(B, {}, missing=["x"], failed={"w": "failure"}),
        events.GatherSucceeded(A, {}, missing=["unknown"]),
        events.GatherFailed(B, ["x"]),
        events.GatherFailed(A, ["unknown"]),
        events.GatherRefused(B, ["x"]),
    ],
)
def test_the_end_of_a_transfer_that_does_not_exist_changes_nothing(stale: Any) -> None:
    worker = Worker()
    worker.compute("y", {"x": [A, B], "w": [A, B]})
    assert worker.send(stale) == []
    assert worker.states() == {"y": "waiting", "x": "flight", "w": "flight"}


def test_peers_are_forgotten_when_nothing_is_to_be_had_from_them() -> None:
    worker = Worker()
    worker.compute("y", {"x": [A, B]})
    worker.bring(A, "x")
    assert worker.core._state.peers == {}
