"""Annotations of tasks as plugins see them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from dagrpc._common.keys import Key
from dagrpc_scheduler.core.events import TaskOptions


def annotations_by_name(tasks: Iterable[tuple[Key, TaskOptions]]) -> dict[str, dict[Key, Any]]:
    """Return the annotations of tasks, given with their keys, by annotation name and then by key."""
    found: dict[str, dict[Key, Any]] = {}
    for key, options in tasks:
        for name, value in _annotations(options).items():
            found.setdefault(name, {})[key] = value
    return found


def _annotations(options: TaskOptions) -> dict[str, Any]:
    named: dict[str, Any] = {
        "workers": list(options.workers),
        "allow_other_workers": options.allow_other_workers,
        "resources": dict(options.resources),
        "retries": options.retries,
        "priority": options.priority,
        "executor": options.executor,
        "timeout": options.timeout,
    }
    found = {name: value for name, value in named.items() if value}
    if options.annotations:
        try:
            found |= json.loads(options.annotations)
        except (TypeError, ValueError):
            # A client in another language writes them as it likes.
            found["annotations"] = options.annotations
    return found
