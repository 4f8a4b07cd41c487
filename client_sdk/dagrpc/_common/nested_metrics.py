"""Measurements of workers, named and nested as in distributed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TASK_STATES = {
    "memory": "in_memory",
    "executing": "executing",
    "ready": "ready",
    "waiting": "waiting",
    "flight": "in_flight",
    "long-running": "long_running",
}
"""Task states of distributed's workers, with the measurements that count them here."""
_TRANSFERS = {
    "incoming_bytes": "transfers_incoming_bytes",
    "incoming_count": "transfers_incoming",
    "outgoing_bytes": "transfers_outgoing_bytes",
    "outgoing_count": "transfers_outgoing",
    "incoming_count_total": "transfers_incoming_total",
    "outgoing_count_total": "transfers_outgoing_total",
}


def nested_metrics(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Return a worker's measurements, which are numbers by name, nested where distributed nests them.

    ``spilled_bytes`` holds the size of spilled results in memory and on disk, ``task_counts`` the number of tasks by
    state, ``transfer`` the transfers from and to other workers, ``host_net_io`` and the like the use of the host.

    Examples
    --------
    >>> nested_metrics({"memory": 1e8, "in_memory": 2, "ready": 0, "spilled_bytes": 800})["task_counts"]
    {'memory': 2}
    """
    if not metrics:
        # The worker has not reported yet.
        return {}
    found: dict[str, Any] = dict(metrics)
    found["spilled_bytes"] = {
        "memory": int(metrics.get("spilled_bytes", 0)),
        "disk": int(metrics.get("spilled_disk_bytes", 0)),
    }
    counts = {state: int(metrics.get(name, 0)) for state, name in _TASK_STATES.items()}
    found["task_counts"] = {state: count for state, count in counts.items() if count}
    found["transfer"] = {name: int(metrics.get(ours, 0)) for name, ours in _TRANSFERS.items()}
    for name in [name for name in metrics if name.startswith("host_") and "." in name]:
        group, _, field = name.partition(".")
        found.setdefault(group, {})[field] = found.pop(name)
    return found
