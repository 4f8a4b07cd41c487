"""Runs a few programs of each family; ``make differential`` runs more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.families import FAMILIES, search
from tests.differential.running import Bench, Difference, bench

SEED = 1
EXAMPLES = 12


@pytest.fixture(scope="module")
def shared() -> Iterator[Bench]:
    with bench() as made:
        yield made


@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_programs_show_the_same_as_in_plain_python(shared: Bench, family: str) -> None:
    assert search(shared, family, SEED, EXAMPLES) >= EXAMPLES


def test_a_difference_is_told(shared: Bench) -> None:
    # The engines themselves differ here: what a program can find out is told with the program.
    with pytest.raises(Difference, match=r"outcome 0\n.*'ClusterEngine'.*\n.*'OracleEngine'"):
        shared.check("", ["note(type(submit.__self__).__name__)"])
