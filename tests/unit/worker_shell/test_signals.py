"""Workers and nannies drain, stop or exit when they receive signals."""

from __future__ import annotations

import signal

import pytest

from dagrpc_worker.signals import StopSignals

TERM, INT = signal.SIGTERM, signal.SIGINT


@pytest.mark.parametrize(
    ("signals", "done"),
    [
        ([(TERM, 0.0)], ["drain"]),
        # A service manager's, and the same one passed on by the nanny.
        ([(TERM, 0.0), (TERM, 0.5)], ["drain"]),
        ([(TERM, 0.0), (TERM, 2.0)], ["drain", "close"]),
        ([(TERM, 0.0), (INT, 0.1)], ["drain", "close"]),
        ([(TERM, 0.0), (TERM, 2.0), (TERM, 2.1)], ["drain", "close"]),
        ([(TERM, 0.0), (TERM, 2.0), (TERM, 4.0)], ["drain", "close", 143]),
        ([(INT, 0.0)], ["close"]),
        ([(INT, 0.0), (INT, 0.1)], ["close", 130]),
        # Sent the other way round, and delivered by number.
        ([(INT, 0.0), (TERM, 0.0)], ["close"]),
        ([(INT, 0.0), (TERM, 5.0)], ["close", 143]),
    ],
)
def test_meaning_of_signals(signals: list[tuple[signal.Signals, float]], done: list[object]) -> None:
    seen: list[object] = []
    taker = StopSignals(lambda reason: seen.append("drain"), lambda reason: seen.append("close"), seen.append)
    for number, now in signals:
        taker.take(number, now)
    assert seen == done
