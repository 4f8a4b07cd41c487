"""The families of programs, and a search for a program whose outcomes differ between the cluster and plain Python."""

from __future__ import annotations

from types import ModuleType

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy

from tests.differential import arrays, bags, calls, frames, kills, sharing
from tests.differential.running import Bench

FAMILIES: dict[str, ModuleType] = {
    "calls": calls,
    "arrays": arrays,
    "frames": frames,
    "bags": bags,
    "sharing": sharing,
    "kills": kills,
}


def search(bench: Bench, family: str, first_seed: int, examples: int) -> int:
    """Try programs of one kind, and return how many were tried.

    Raises
    ------
    Difference
        With the smallest program that was found to differ.
    """
    module = FAMILIES[family]
    statements: SearchStrategy[list[str]] = module.STATEMENTS
    tried = 0

    @seed(first_seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(statements)
    def try_one(program: list[str]) -> None:
        nonlocal tried
        tried += 1
        bench.check(module.PREPARATION, program)

    try_one()
    return tried
