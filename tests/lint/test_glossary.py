"""The names of code in docs/glossary.md exist, and no term is there twice."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "glossary.md"
ROWS = [
    line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")
]
TERMS = [row for row in ROWS if row[0] != "term"]


def resolved(name: str) -> object:
    """Return a module or an attribute by its dotted name."""
    module, rest = name, list[str]()
    while True:
        try:
            found: object = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            rest.insert(0, last)
    for part in rest:
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", sorted({name for row in TERMS for name in re.findall(r"`(dagrpc[\w.]*)`", row[2])}))
def test_a_name_in_the_code_exists(name: str) -> None:
    assert resolved(name) is not None


def test_each_term_has_a_meaning_and_a_place_and_one_row() -> None:
    assert TERMS
    assert [row for row in TERMS if len(row) != 3 or not all(row)] == []
    counts = Counter(term for row in TERMS for term in row[0].split(", "))
    assert [term for term, count in counts.items() if count > 1] == []
