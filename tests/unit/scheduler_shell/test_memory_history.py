"""The use of memory is kept for pages that are opened later, in bounded memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dagrpc_scheduler.http import memory_history
from dagrpc_scheduler.http.memory_history import MemoryHistory
from dagrpc_scheduler.http.sources import SchedulerSources
from dagrpc_scheduler.shell.user_views.memory_state import MemoryState


def history_of(memory: dict[str, MemoryState]) -> MemoryHistory:
    """Return the history of workers whose memory the test sets."""
    sources: Any = SimpleNamespace(peers=SimpleNamespace(workers=memory), memory_of=memory.__getitem__)
    return MemoryHistory(cast(SchedulerSources, sources))


def used(managed: int) -> MemoryState:
    return MemoryState.measured(process=1_000, managed=managed, spilled=100, old=50)


def test_samples_are_those_of_the_cluster_and_of_each_worker() -> None:
    memory = {"a": used(300)}
    history = history_of(memory)
    history.sample(1.0)
    memory["b"] = used(500)
    history.sample(2.0)
    del memory["a"]
    history.sample(3.0)
    assert history.rows("a") == [(1.0, [200, 50, 750, 100]), (2.0, [200, 50, 750, 100])]
    assert history.rows("b") == [(2.0, [400, 50, 550, 100]), (3.0, [400, 50, 550, 100])]
    assert history.rows() == [(1.0, [200, 50, 750, 100]), (2.0, [600, 100, 1300, 200]), (3.0, [400, 50, 550, 100])]
    assert history.rows("nobody") == []


def test_the_oldest_samples_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_history, "_LENGTH", 5)
    monkeypatch.setattr(memory_history, "_MOST_NUMBERS", 30)
    memory = {"a": used(300)}
    history = history_of(memory)
    for number in range(10):
        history.sample(float(number))
    assert [moment for moment, _ in history.rows()] == [5, 6, 7, 8, 9]
    memory["b"] = used(300)
    for number in range(10, 20):
        history.sample(float(number))
    # Three samples of two workers are 24 numbers.
    assert [moment for moment, _ in history.rows("b")] == [17, 18, 19]


def test_a_page_gets_a_bounded_number_of_samples_from_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_history, "_MOST_ROWS", 10)
    history = history_of({"a": used(300)})
    for number in range(95):
        history.sample(float(number))
    for rows in (history.rows(), history.rows("a")):
        assert [moment for moment, _ in rows] == list(range(0, 95, 10))
