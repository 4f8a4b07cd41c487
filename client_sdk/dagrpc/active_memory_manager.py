"""The active memory manager, and what users' own policies for it are made of.

::

    from dagrpc.active_memory_manager import ActiveMemoryManagerPolicy, ReduceReplicas, RetireWorker

It runs on the scheduler, and a policy is named in the configuration there.
"""

from __future__ import annotations

import importlib
from typing import Any

_SHELL = "dagrpc_scheduler.shell.memory.active_memory_manager"
_HOMES = {
    "AMMClientProxy": "dagrpc._client.verbs.memory",
    "ActiveMemoryManagerExtension": _SHELL,
    "ActiveMemoryManagerPolicy": _SHELL,
    "ReduceReplicas": _SHELL,
    "RetireWorker": _SHELL,
    "Suggestion": _SHELL,
    "SuggestionGenerator": _SHELL,
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
