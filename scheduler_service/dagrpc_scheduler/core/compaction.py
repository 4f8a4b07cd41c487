"""Memory of tables that were large once. Changes nothing that can be observed."""

from __future__ import annotations

from dagrpc._memory.tables import shrink_all_of
from dagrpc_scheduler.core.state import SchedulerState


def compact(state: SchedulerState) -> bool:
    """Shrink the tables of all that knows tasks by the thousand. Tell whether there was anything to do."""
    owners = [state, state.queue, state.shared_blobs, state.spans, state.steals, *state.workers.values()]
    return sum(shrink_all_of(owner) for owner in [*owners, *state.clients.values()]) > 0
