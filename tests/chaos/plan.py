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
"""Longer than `worker-ttl` of these runs: the scheduler gives such a worker up, and then it is back. A client is not
stopped for so long: its session would be over if its connection broke meanwhile, and what it wanted given up."""
_LONG_ONES = 0.06


@dataclass(frozen=True)
class Fault:
    """A fault: its time, its kind and its target."""

    at: float
    """Seconds after the beginning."""
    kind: str
    target: str
    which: int
    """Taken modulo the number of targets."""
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
    """Return faults for so many seconds: each of what there is to be first, in any order, then whatever comes.

    Parameters
    ----------
    seed : int
        Where it all comes from.
    seconds : float
        How long faults are to come.
    what : tuple of str
        Which kinds on which targets there are to be.
    """
    chance = random.Random(seed)
    first = chance.sample(what, len(what))
    plan: list[Fault] = []
    # Close enough together that each has its turn, however short the run.
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
