"""The outbox of a peer that does not read is bounded.

The scheduler first drops inline results, then stops reading from the client or pauses the worker, and finally evicts
the peer.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import dask
import pytest

from dagrpc.exceptions import LimitReachedError
from dagrpc_scheduler.core import events, instructions
from dagrpc_scheduler.shell.sessions.backpressure import Backpressure, size_of
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

LIMIT = 4_000_000


class FakeSession:
    """A session whose peer reads as much as it is told to."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.reading = True
        self.reason: Exception | None = None
        self.unacknowledged = 0

    @property
    def queued(self) -> int:
        return len(self.items)

    def backlog(self) -> tuple[list[Any], list[Any]]:
        return [], self.items

    def hold_reading(self) -> None:
        self.reading = False

    def go_on_reading(self) -> None:
        self.reading = True

    def abort(self, reason: Exception | None = None) -> None:
        self.reason = reason


class FakePeerSession:
    """A peer that may be away."""

    def __init__(self) -> None:
        self.away = False
        self.token = b"secret"
        self.reason = ""

    def end(self, reason: str) -> None:
        self.reason = reason


class Bench:
    """A scheduler with one client and one worker, as far as backpressure see it."""

    def __init__(self) -> None:
        self.client, self.worker = FakeSession(), FakeSession()
        self.peer_session = FakePeerSession()
        self.connection: Any = SimpleNamespace(
            session=self.worker, reported_status="running", peer_session=FakePeerSession()
        )
        self.handled: list[events.Event] = []
        self.peers: Any = ConnectedPeers()
        self.peers.clients["c"], self.peers.client_sessions["c"] = cast(Any, self.client), cast(Any, self.peer_session)
        self.peers.workers["w"] = cast(Any, self.connection)
        driver: Any = SimpleNamespace(handle=self.handled.append, stimulus=lambda word: word)
        limits = {"dagrpc.scheduler.limits.client-outbox": LIMIT, "dagrpc.scheduler.limits.worker-outbox": LIMIT}
        with dask.config.set(limits):
            self.backpressure = Backpressure(driver, self.peers)

    def report(self, count: int, payload: bytes = b"") -> None:
        """Queue reports of results for the client."""
        for _ in range(count):
            carried = SimpleNamespace(data=payload) if payload else None
            self.client.items.append(instructions.ReportFinished("c", "x", "int", 28, carried))

    def order(self, count: int) -> None:
        """Queue instructions for the worker."""
        self.worker.items += [instructions.FreeKeys("w", ["x"] * 10) for _ in range(count)]

    @property
    def statuses(self) -> list[str]:
        return [event.status for event in self.handled if isinstance(event, events.WorkerStatusChanged)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_peer_that_reads_is_left_alone(bench: Bench) -> None:
    bench.report(1_000, b"x" * 10_000)
    bench.backpressure.look()
    assert bench.client.reading
    assert bench.client.items[0].payload is not None


def test_results_are_taken_out_first(bench: Bench) -> None:
    bench.report(3_000, b"x" * 1_000)
    bench.backpressure.look()
    assert bench.client.reading
    assert all(item.payload is None for item in bench.client.items)
    bench.report(1, b"y" * 1_000)
    bench.backpressure.look()
    assert bench.client.items[-1].payload is None


def test_then_nothing_is_taken_from_a_client_until_it_has_caught_up(bench: Bench) -> None:
    bench.report(10_000)
    bench.backpressure.look()
    assert not bench.client.reading
    assert bench.client.reason is None
    bench.client.items = bench.client.items[:2_500]
    bench.backpressure.look()
    assert bench.client.reading


def test_then_a_client_is_evicted(bench: Bench) -> None:
    bench.report(20_000)
    bench.backpressure.look()
    bench.backpressure.look()
    assert isinstance(bench.client.reason, LimitReachedError)
    assert "dagrpc.scheduler.limits.client-outbox" in str(bench.client.reason)
    assert str(LIMIT) in str(bench.client.reason)


def test_a_client_that_is_away_hears_of_it_when_it_comes_back(bench: Bench) -> None:
    bench.peer_session.away = True
    bench.report(20_000)
    bench.backpressure.look()
    bench.backpressure.look()
    assert "dagrpc.scheduler.limits.client-outbox" in bench.peer_session.reason
    with pytest.raises(LimitReachedError, match=r"dagrpc\.scheduler\.limits\.client-outbox"):
        bench.peers.check_client_eviction(b"secret")
    bench.peers.check_client_eviction(b"of another")
    assert bench.client.reason is None


def test_a_worker_that_is_away_is_given_up(bench: Bench) -> None:
    bench.connection.peer_session.away = True
    bench.order(5_000)
    bench.backpressure.look()
    bench.backpressure.look()
    assert "dagrpc.scheduler.limits.worker-outbox" in bench.connection.peer_session.reason


def test_unacknowledged_messages_count(bench: Bench) -> None:
    bench.client.unacknowledged = LIMIT // 2
    bench.backpressure.look()
    assert bench.client.reason is None
    bench.client.unacknowledged = LIMIT + 1
    bench.backpressure.look()
    bench.backpressure.look()
    assert isinstance(bench.client.reason, LimitReachedError)


def test_a_worker_gets_no_more_tasks_until_it_has_caught_up(bench: Bench) -> None:
    bench.order(2_100)
    bench.backpressure.look()
    assert bench.statuses == ["paused"]
    bench.worker.items = []
    bench.backpressure.look()
    assert bench.statuses == ["paused", "running"]


def test_a_worker_that_paused_itself_stays_so(bench: Bench) -> None:
    bench.order(2_100)
    bench.connection.reported_status = "paused"
    bench.backpressure.look()
    assert bench.statuses == []
    bench.worker.items = []
    bench.backpressure.look()
    assert set(bench.statuses) == {"paused"}


def test_a_worker_that_does_not_read_is_evicted(bench: Bench) -> None:
    bench.order(5_000)
    bench.backpressure.look()
    bench.backpressure.look()
    assert "dagrpc.scheduler.limits.worker-outbox" in str(bench.worker.reason)


def test_a_peer_that_reads_a_large_burst_is_not_evicted(bench: Bench) -> None:
    bench.order(8_000)
    bench.report(20_000)
    bench.backpressure.look()
    while bench.client.items:
        bench.worker.items, bench.client.items = bench.worker.items[100:], bench.client.items[1_000:]
        bench.backpressure.look()
    assert bench.worker.reason is None
    assert bench.client.reason is None
    # A peer that stops reading later is evicted all the same.
    bench.order(8_000)
    for _ in range(2):
        bench.backpressure.look()
    assert bench.worker.reason is not None


def test_growth_is_measured_and_not_all_of_it_again(bench: Bench) -> None:
    bench.report(5_000)
    bench.backpressure.look()
    backlog = bench.backpressure._backlogs[bench.client]
    assert backlog.size(bench.client) == 5_000 * size_of(bench.client.items[0])  # type: ignore[arg-type]
    # What was measured is not looked at again.
    bench.client.items[0] = None
    bench.report(10)
    assert backlog.size(bench.client) == 5_010 * size_of(bench.client.items[1])  # type: ignore[arg-type]
