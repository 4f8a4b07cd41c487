"""Draws the faults of a run and their times from a seed, so that a run can be repeated.

The same seed gives the same faults at the same times. The tasks that a fault hits differ a little from run to run,
since processes do not run at the same pace twice.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import product

KINDS = ("kill", "stop", "cut", "delay")
TARGETS = ("worker", "nanny", "client")

_FIRST = 0.5
_GAPS = (0.4, 2.4)
_SECONDS = {"kill": (0.0, 0.0), "stop": (0.3, 4.0), "cut": (0.0, 4.0), "delay": (1.0, 4.0)}
_LONG = 20.0
"""Seconds of a long stop, longer than the `worker-ttl` of these runs: the scheduler removes the worker, which later
comes back. Clients are not stopped for so long: if a client's connection broke during the stop, its session would
expire and its futures would be cancelled."""
_LONG_ONES = 0.06


@dataclass(frozen=True)
class Fault:
    """A fault: its time, its kind and its target."""

    at: float
    """Seconds after the start of the faults."""
    kind: str
    target: str
    which: int
    """Index of the target, taken modulo the number of targets."""
    seconds: float
    """Duration of the fault."""
    silent: bool = False
    """True if a cut gives no sign to either side, like a pulled cable; False if the cut closes the connections."""

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.kind != "kill" else ""
        return f"{self.kind}{' in silence' if self.silent else ''} {self.target} {self.which}{lasting}"


ALL = tuple(f"{kind} {target}" for kind, target in product(KINDS, TARGETS))
"""All kinds of faults on all targets, such as ``kill worker``."""


def chosen(patterns: str) -> tuple[str, ...]:
    """Return the kinds of faults that contain one of the comma-separated texts.

    Raises
    ------
    ValueError
        If a text matches no kind.
    """
    wanted = [pattern.strip() for pattern in patterns.split(",")]
    for pattern in wanted:
        if not any(pattern in one for one in ALL):
            raise ValueError(f"{pattern!r} is in none of {', '.join(ALL)}")
    return tuple(one for one in ALL if any(pattern in one for pattern in wanted))


def draw(seed: int, seconds: float, what: tuple[str, ...] = ALL) -> list[Fault]:
    """Return faults for `seconds` seconds: first each kind once, in random order, then random kinds.

    Parameters
    ----------
    seed : int
        The seed of the random choices.
    seconds : float
        The period in which faults start.
    what : tuple of str
        The kinds of faults and their targets, such as ``kill worker``.
    """
    chance = random.Random(seed)
    first = chance.sample(what, len(what))
    plan: list[Fault] = []
    # The gaps are short enough that each kind occurs, even in a short run.
    longest = min(_GAPS[1], (seconds - _FIRST) / len(what))
    shortest = longest * _GAPS[0] / _GAPS[1]
    now = _FIRST
    while now < seconds:
        kind, target = (first.pop() if first else chance.choice(what)).split()
        lasting = chance.uniform(*_SECONDS[kind])
        if kind == "stop" and chance.random() < _LONG_ONES and target != "client" and now + _LONG < seconds:
            lasting = _LONG
        silent = kind == "cut" and chance.random() < 0.3
        plan.append(Fault(now, kind, target, chance.randrange(1000), lasting, silent))
        now += chance.uniform(shortest, longest)
    return plan
