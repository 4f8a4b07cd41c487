"""The one place that says which policies a configuration selects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from dagrpc_scheduler.core.policy import QueuePolicy
from dagrpc_scheduler.core.state import SchedulerState
from dagrpc_scheduler.policies.fair_share import FairSharePolicy
from dagrpc_scheduler.policies.placement import LocalityPlacement
from dagrpc_scheduler.policies.priority_queue import PriorityQueuePolicy
from dagrpc_scheduler.policies.stealing import NoStealing, WorkStealing

QueuePolicyFactory: TypeAlias = Callable[[SchedulerState], QueuePolicy]

QUEUE_POLICIES: Final[dict[str, QueuePolicyFactory]] = {
    "priority": PriorityQueuePolicy,
    "fair-share": FairSharePolicy,
}
"""Queue policies by the name that `CoreConfig.queue_policy` gives them."""


def install_policies(state: SchedulerState) -> None:
    """Create the policies that the configuration selects."""
    config = state.config
    make_queue_policy = QUEUE_POLICIES.get(config.queue_policy)
    if make_queue_policy is None:
        known = ", ".join(sorted(QUEUE_POLICIES))
        raise ValueError(f"there is no queue policy {config.queue_policy!r}; choose one of: {known}")
    state.placement = LocalityPlacement(state)
    state.queueing = make_queue_policy(state)
    state.queue = state.queueing.queue
    state.stealing = WorkStealing(state) if config.work_stealing else NoStealing()
