"""Pauses between attempts grow, are bounded, and differ between peers."""

from __future__ import annotations

from itertools import islice

from dagrpc._common.backoff import pause_after, pauses


def test_pauses_double_up_to_the_longest() -> None:
    assert list(islice(pauses(0.5, 3.0), 5)) == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_pauses_without_a_limit_double_for_ever() -> None:
    assert list(islice(pauses(1.0), 4)) == [1.0, 2.0, 4.0, 8.0]


def test_jitter_leaves_at_least_half_of_each_pause() -> None:
    first, second = (list(islice(pauses(1.0, 4.0, jitter=True), 200)) for _ in range(2))
    assert first != second
    assert all(2.0 <= pause <= 4.0 for pause in first[2:])


def test_the_pause_after_very_many_failures_is_the_longest() -> None:
    assert pause_after(1, 0.5, 10.0) == 0.5
    assert pause_after(3, 0.5, 10.0) == 2.0
    assert pause_after(1_000_000, 0.5, 10.0) == 10.0
