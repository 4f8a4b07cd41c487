"""The diagram of the worker's states shows what the table has, no more and no less."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from dagrpc_worker.core import machine
from dagrpc_worker.core.diagram import arrows, members, state_diagram
from dagrpc_worker.core.transitions import SUCCESSORS


def test_the_diagram_in_the_readme_is_the_table() -> None:
    readme = Path(machine.__file__).with_name("README.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{state_diagram()}\n```" in readme


def test_each_transition_is_drawn_once() -> None:
    drawn = Counter(
        (before, after) for start, finish in arrows() for before in members(start) for after in members(finish)
    )
    assert drawn == Counter((before, after) for before, successors in SUCCESSORS.items() for after in successors)
