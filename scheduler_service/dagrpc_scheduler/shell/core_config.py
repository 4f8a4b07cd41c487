"""Reads the core's settings from the configuration."""

from __future__ import annotations

import math

from dagrpc import config
from dagrpc_scheduler.core.config import CoreConfig

_UNKNOWN_KEY_PATIENCE = 2.0
"""Seconds; much longer than one client's message may arrive after another's."""

_SCATTER_PATIENCE = 30.0
"""Seconds; as long as a scattering client tries to reach its worker before it asks for another one."""

_FAIR_SHARE_SATURATION = 1.1
"""Saturation under fair share if the setting is infinite: tasks that a worker already has cannot be reordered."""


def core_config(allowed_failures: int | None = None) -> CoreConfig:
    """Return the core's settings as they are configured now."""
    fair_share = bool(config.get("scheduler.fair-share"))
    saturation = float(config.get("scheduler.worker-saturation"))
    if fair_share and math.isinf(saturation):
        saturation = _FAIR_SHARE_SATURATION
    durations = config.get("scheduler.default-task-durations") or {}
    return CoreConfig(
        allowed_failures=_whole_number("scheduler.allowed-failures", allowed_failures),
        worker_saturation=saturation,
        default_data_size=config.get_bytes("scheduler.default-data-size"),
        unknown_task_duration=config.get_seconds("scheduler.unknown-task-duration") or 0.5,
        default_task_durations={prefix: config.seconds(value) or 0.0 for prefix, value in durations.items()},
        bandwidth=float(config.get_bytes("scheduler.bandwidth")),
        rootish_dependencies=int(config.get("scheduler.rootish-taskgroup-dependencies")),
        work_stealing=bool(config.get("scheduler.work-stealing")),
        no_workers_timeout=config.get_seconds("scheduler.no-workers-timeout"),
        unknown_key_patience=_UNKNOWN_KEY_PATIENCE,
        orphaned_scatter_patience=_SCATTER_PATIENCE,
        queue_policy="fair-share" if fair_share else "priority",
        fair_share_weights={
            name: float(weight) for name, weight in (config.get("scheduler.fair-share-weights") or {}).items()
        },
        story_length=int(config.get("admin.low-level-log-length")),
        erred_history=max(_whole_number("diagnostics.erred-tasks.max-history", None), 0),
    )


def _whole_number(name: str, given: int | None) -> int:
    """Return a setting that must be a whole number."""
    value = config.get(name, given)
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError(f"The setting {name} must be a whole number, not {value!r}") from None
