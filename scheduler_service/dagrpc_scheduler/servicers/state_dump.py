"""The scheduler's state as plain data, for dumps. The work of tasks is left out."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from dagrpc._common.versions import own_versions
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.identity import Identity
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.shutdown import Shutdown


class StateDump:
    """Describes the state of a scheduler."""

    def __init__(self, identity: Identity, core: SchedulerCore, peers: ConnectedPeers, shutdown: Shutdown) -> None:
        self._identity = identity
        self._core = core
        self._peers = peers
        self._shutdown = shutdown

    def describe(self) -> dict[str, Any]:
        """Return the scheduler's state as it is now."""
        core = self._core
        durations = views.durations(core)
        return {
            "type": "Scheduler",
            "id": self._identity.id,
            "address": self._identity.address,
            "started": self._identity.started,
            "time": time.time(),
            "status": "closing" if self._shutdown.begun else "running",
            "versions": own_versions(),
            "tasks": {info.key: asdict(info) for info in views.tasks(core)},
            "task_prefixes": {
                name: {"name": name, "states": counts, "duration": durations.get(name)}
                for name, counts in views.prefix_counts(core).items()
            },
            "workers": {
                info.address: {**asdict(info), **self._connection(info.address)} for info in views.workers(core)
            },
            "clients": {
                name: {"name": name, "wants_what": views.wanted_keys(core, name)} for name in views.clients(core)
            },
            "unrunnable": views.unrunnable(core),
            "queued": views.queued_count(core),
            "total_occupancy": views.total_occupancy(core),
            "stealing": views.stealing(core),
            "transition_log": [list(entry) for entry in views.story(core)],
            "config": asdict(core.state.config),
        }

    def _connection(self, address: str) -> dict[str, Any]:
        """Return the facts about a worker that the core does not know."""
        connection = self._peers.workers.get(address)
        if connection is None:
            return {}
        # Here, not above: it takes long to import, and dumps are rare.
        from google.protobuf.json_format import MessageToDict

        return {
            "last_seen": connection.last_seen,
            "metrics": connection.metrics,
            "pid": connection.hello.pid,
            "local_directory": connection.hello.local_directory,
            "versions": MessageToDict(connection.hello.versions),
        }
