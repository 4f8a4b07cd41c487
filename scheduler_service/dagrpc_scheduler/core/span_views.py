"""Copies of the facts about spans, for clients and plugins."""

from __future__ import annotations

from typing import Any

from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.core.model import STATES


def span_facts(core: SchedulerCore, now: float) -> list[dict[str, Any]]:
    """Return the facts about all spans, oldest first. Takes time proportional to the number of tasks."""
    state = core.state
    registry = state.spans
    if not registry.records:
        return []
    counts: dict[str, dict[str, int]] = {}
    for task in state.tasks.values():
        span = task.options.span
        if span is not None:
            states = counts.setdefault(span.ids[-1], dict.fromkeys(STATES, 0))
            states[task.state] += 1
    threads = tuple(registry.threads)
    found = []
    for record in registry.records.values():
        states = counts.get(record.id) or dict.fromkeys(STATES, 0)
        states["forgotten"] = max(0, record.tasks - sum(states.values()))
        found.append(
            {
                "id": record.id,
                "name": record.name,
                "parent": record.parent,
                "enqueued": record.enqueued,
                "groups": tuple(record.groups),
                "start": record.start,
                "stop": record.stop,
                "states": states,
                "seconds": dict(record.seconds),
                "nbytes": record.nbytes,
                "threads": threads,
                "now": now,
                "metadata": record.metadata,
            }
        )
    return found
