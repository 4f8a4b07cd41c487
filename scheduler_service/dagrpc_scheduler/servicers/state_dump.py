"""All that the scheduler knows as plain data, for a dump. The work of tasks is left out."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict

from dagrpc._common.versions import own_versions
from dagrpc_scheduler.core import views

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService


def describe(service: SchedulerService) -> dict[str, Any]:
    """Return what the scheduler knows at this moment."""
    core = service.core
    durations = views.durations(core)
    return {
        "type": "Scheduler",
        "id": service.id,
        "address": service.address,
        "started": service.started,
        "time": time.time(),
        "status": "closing" if service.closing else "running",
        "versions": own_versions(),
        "tasks": {info.key: asdict(info) for info in views.tasks(core)},
        "task_prefixes": {
            name: {"name": name, "states": counts, "duration": durations.get(name)}
            for name, counts in views.prefix_counts(core).items()
        },
        "workers": {
            info.address: {**asdict(info), **_connection(service, info.address)} for info in views.workers(core)
        },
        "clients": {name: {"name": name, "wants_what": views.wanted_keys(core, name)} for name in views.clients(core)},
        "unrunnable": views.unrunnable(core),
        "queued": views.queued_count(core),
        "total_occupancy": views.total_occupancy(core),
        "stealing": views.stealing(core),
        "transition_log": [list(entry) for entry in views.story(core)],
        "config": asdict(core.state.config),
    }


def _connection(service: SchedulerService, address: str) -> dict[str, Any]:
    connection = service.sessions.workers.get(address)
    if connection is None:
        return {}
    return {
        "last_seen": connection.last_seen,
        "metrics": connection.metrics,
        "pid": connection.hello.pid,
        "local_directory": connection.hello.local_directory,
        "versions": MessageToDict(connection.hello.versions),
    }
