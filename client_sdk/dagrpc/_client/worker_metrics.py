"""What workers measure, named and nested as users of distributed know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The states of tasks there, and what counts them here.
_STATES = {
    "memory": "in_memory",
    "executing": "executing",
    "ready": "ready",
    "waiting": "waiting",
    "flight": "in_flight",
    "long-running": "long_running",
}
_TRANSFERS = {
    "incoming_bytes": "transfers_incoming_bytes",
    "incoming_count": "transfers_incoming",
    "outgoing_bytes": "transfers_outgoing_bytes",
    "outgoing_count": "transfers_outgoing",
}


def described(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Return a worker's last measurements, which come as numbers by name, with those nested that are in distributed.

    ``spilled_bytes`` has what results on disk took in memory and what they take there, ``task_counts`` how many tasks
    there are in each state, ``transfer`` what is on its way to and from other workers.

    Examples
    --------
    >>> described({"memory": 1e8, "in_memory": 2, "ready": 0, "spilled_bytes": 800})["task_counts"]
    {'memory': 2}
    """
    if not metrics:
        # It has not reported yet.
        return {}
    found: dict[str, Any] = dict(metrics)
    found["spilled_bytes"] = {
        "memory": int(metrics.get("spilled_bytes", 0)),
        "disk": int(metrics.get("spilled_disk_bytes", 0)),
    }
    counts = {state: int(metrics.get(name, 0)) for state, name in _STATES.items()}
    found["task_counts"] = {state: count for state, count in counts.items() if count}
    found["transfer"] = {name: int(metrics.get(ours, 0)) for name, ours in _TRANSFERS.items()}
    return found
