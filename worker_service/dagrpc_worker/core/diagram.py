"""Draws the state diagram of the README from the table of transitions, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dagrpc_worker.core.model import (
    CONSTRAINED,
    EXECUTING,
    FETCH,
    FLIGHT,
    LONG_RUNNING,
    MISSING,
    READY,
    WAITING,
)
from dagrpc_worker.core.transitions import SUCCESSORS

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "to_run": (WAITING, READY, CONSTRAINED),
    "running": (EXECUTING, LONG_RUNNING),
    "to_fetch": (FETCH, FLIGHT, MISSING),
}
"""States that many transitions have in common. One arrow of a group stands for the arrows of all its states."""


def state_diagram() -> str:
    """Return all transitions as a Mermaid flowchart."""
    lines = ["flowchart TD"]
    for group, states in GROUPS.items():
        lines.append(f"    subgraph {group}[{group.replace('_', ' ')}]")
        lines += [f"        {_node(state)}[{state}]" for state in states]
        lines.append("    end")
    lines += [f"    {_node(start)} --> {_node(finish)}" for start, finish in arrows()]
    return "\n".join(lines)


def arrows() -> Iterator[tuple[str, str]]:
    """Yield the arrows: between groups where all their states have a transition, and between states elsewhere."""
    group_of = {state: group for group, states in GROUPS.items() for state in states}
    units = list(dict.fromkeys(group_of.get(state, state) for state in SUCCESSORS))
    for start in units:
        for finish in units:
            yield from _arrows_between(start, finish)


def _arrows_between(start: str, finish: str) -> Iterator[tuple[str, str]]:
    pairs = [(before, after) for before in members(start) for after in members(finish) if after in SUCCESSORS[before]]
    if start != finish and len(pairs) == len(members(start)) * len(members(finish)):
        yield start, finish
    else:
        yield from pairs


def members(unit: str) -> tuple[str, ...]:
    """Return the states that an end of an arrow stands for."""
    return GROUPS.get(unit, (unit,))


def _node(unit: str) -> str:
    # A dash in a name would be taken for a part of an arrow.
    return unit.replace("-", "_")
