"""Returns the memory of tables that have become much smaller, without any observable change."""

from __future__ import annotations

from dagrpc._memory.table_sizes import shrink_all_of
from dagrpc_scheduler.core.state import SchedulerState


def compact(state: SchedulerState) -> bool:
    """Shrink the tables that grow with the number of tasks; tell whether any was shrunk."""
    owners = [state, state.queue, state.shared_blobs, state.spans, state.steals, *state.workers.values()]
    return sum(shrink_all_of(owner) for owner in [*owners, *state.clients.values()]) > 0
