"""Recordings, figures and reports of the work of a cluster, and its memory over time."""

from __future__ import annotations

import importlib
from typing import Any

# The module of each name. Names are imported when first used, as in `dagrpc` itself.
_EXPORTS = {
    "MemorySampler": "dagrpc.diagnostics.memory_sampler",
    "get_task_metadata": "dagrpc.diagnostics.recording",
    "get_task_stream": "dagrpc.diagnostics.recording",
    "performance_report": "dagrpc.diagnostics.report",
    "progress": "dagrpc.progress_bar",
    "SchedulerPlugin": "dagrpc.plugins",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'dagrpc.diagnostics' has no attribute {name!r}")
    value = getattr(importlib.import_module(_EXPORTS[name]), name)
    globals()[name] = value
    return value
