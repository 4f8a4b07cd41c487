"""Plugins: objects of users that the scheduler, workers and nannies call at events."""

from __future__ import annotations

import importlib
from typing import Any

# The module of each name. Names are imported when used: every worker needs the first three, and few need the others.
_EXPORTS = {
    "NannyPlugin": "dagrpc.plugins.base",
    "SchedulerPlugin": "dagrpc.plugins.base",
    "WorkerPlugin": "dagrpc.plugins.base",
    "CondaInstall": "dagrpc.plugins.install_packages",
    "ForwardLoggingPlugin": "dagrpc.plugins.forwarding",
    "ForwardOutput": "dagrpc.plugins.forwarding",
    "Environ": "dagrpc.plugins.environ",
    "InstallPlugin": "dagrpc.plugins.install_packages",
    "PipInstall": "dagrpc.plugins.install_packages",
    "SchedulerUploadFile": "dagrpc.plugins.upload",
    "UploadDirectory": "dagrpc.plugins.upload",
    "UploadFile": "dagrpc.plugins.upload",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'dagrpc.plugins' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_EXPORTS[name]), name)
    return value
