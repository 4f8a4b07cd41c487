"""The state diagram in the README, generated from the table so that the two always agree."""

from __future__ import annotations

from dagrpc_scheduler.core.transitions.table import TABLE, stale


def state_diagram() -> str:
    """Return all transitions as a Mermaid diagram."""
    lines = ["stateDiagram-v2", "    [*] --> released"]
    for (start, finish), function in TABLE.items():
        if function is not stale:
            # Mermaid takes a dash in a name for part of an arrow.
            lines.append(f"    {start.replace('-', '_')} --> {finish.replace('-', '_')}")
    lines.append("    forgotten --> [*]")
    return "\n".join(lines)
