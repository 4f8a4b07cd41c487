"""The diagram of the worker's states shows what the table has, no more and no less."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from dagrpc_worker.core import machine
from dagrpc_worker.core.diagram import arrows, members, state_diagram
from dagrpc_worker.core.transitions import SUCCESSORS

DESIGN = Path(__file__).parents[3] / "docs" / "design.md"


@pytest.mark.parametrize("page", [Path(machine.__file__).with_name("README.md"), DESIGN], ids=["core", "design"])
def test_the_diagram_of_a_page_is_the_table(page: Path) -> None:
    assert f"```mermaid\n{state_diagram()}\n```" in page.read_text(encoding="utf-8")


def test_each_transition_is_drawn_once() -> None:
    drawn = Counter(
        (before, after) for start, finish in arrows() for before in members(start) for after in members(finish)
    )
    assert drawn == Counter((before, after) for before, successors in SUCCESSORS.items() for after in successors)
