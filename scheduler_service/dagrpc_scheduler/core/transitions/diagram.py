"""The state diagram of the README, drawn from the table so that the two cannot differ."""

from __future__ import annotations

from dagrpc_scheduler.core.transitions.table import TABLE, stale


def state_diagram() -> str:
    """Return all transitions as a Mermaid diagram."""
    lines = ["stateDiagram-v2", "    [*] --> released"]
    for (start, finish), function in TABLE.items():
        if function is not stale:
            # A dash in a name would be taken for a part of an arrow.
            lines.append(f"    {start.replace('-', '_')} --> {finish.replace('-', '_')}")
    lines.append("    forgotten --> [*]")
    return "\n".join(lines)
