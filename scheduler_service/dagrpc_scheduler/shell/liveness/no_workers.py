"""Tells clients that their tasks wait for workers that do not exist, and why."""

from __future__ import annotations

import logging

from dagrpc import config
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers

logger = logging.getLogger("dagrpc.scheduler")

TOPIC = "no-workers"
"""Topic of the events that tell clients."""
_GIVEN_UP_PATIENCE = 2.0
"""Seconds until clients are told if no workers are left and nannies have given up: no worker will come by itself."""
_LOOKS = 8
"""How many looks there are within the configured patience."""
_GROWTH, _LONGEST_PAUSE = 10.0, 3600.0
_GIVEN_UP_REMEMBERED = 10

_REMEDY = (
    "What waits is run as soon as such a worker comes: scale the cluster, or start one with `dagrpc worker`. "
    "The setting distributed.scheduler.no-workers-timeout has it fail instead."
)


class ShortageWatch:
    """Looks for tasks that no worker can take; each client hears of them rarely."""

    def __init__(self, core: SchedulerCore, peers: ConnectedPeers, event_log: EventLog) -> None:
        self._core = core
        self._peers = peers
        self._event_log = event_log
        self._patience = config.get_seconds("scheduler.no-workers-warning")
        self._told: dict[str, tuple[float, float]] = {}
        """When each client is told next, and the pause after that."""
        self._look_at = 0.0
        self._given_up: dict[str, str] = {}
        """Why nannies have given up their workers, by worker name, the latest last."""

    def given_up(self, name: str, reason: str) -> None:
        """Note that a nanny has given up its worker."""
        self._given_up.pop(name, None)
        self._given_up[name] = reason
        if len(self._given_up) > _GIVEN_UP_REMEMBERED:
            del self._given_up[next(iter(self._given_up))]
        self._look_at = 0.0

    def joined(self, name: str) -> None:
        """Note that a worker of this name has joined."""
        self._given_up.pop(name, None)

    def look(self, now: float) -> None:
        """Tell the clients that are due, if tasks wait in vain."""
        if self._patience is None:
            return
        shortage = views.shortage_now(self._core)
        if shortage is None:
            self._told.clear()
            self._look_at = 0.0
            return
        hopeless = self._given_up and not self._peers.workers
        patience = min(self._patience, _GIVEN_UP_PATIENCE) if hopeless else self._patience
        if now - shortage.since < patience or now < self._look_at:
            return
        self._look_at = now + max(patience / _LOOKS, 1.0)
        due = self._due(now, patience)
        if due:
            text = self._describe(shortage.tasks, views.why_nobody_works(self._core, now - shortage.since))
            logger.warning("%s", text)
            self._event_log.tell(due, TOPIC, {"message": text, "tasks": shortage.tasks})

    def _due(self, now: float, patience: float) -> list[str]:
        """Return the waiting clients that are due, and set when they are due again."""
        waiting = views.who_waits_for_workers(self._core)
        due = [client for client in waiting if self._told.get(client, (0.0, 0.0))[0] <= now]
        self._told = {client: self._told[client] for client in waiting if client in self._told}
        for client in due:
            pause = self._told[client][1] if client in self._told else max(patience, 1.0) * _GROWTH
            self._told[client] = now + pause, min(pause * _GROWTH, _LONGEST_PAUSE)
        return due

    def _describe(self, tasks: int, why: str) -> str:
        given_up = "".join(
            f" The nanny of worker {name!r} has given it up: {reason}." for name, reason in self._given_up.items()
        )
        waiting = "1 task waits" if tasks == 1 else f"{tasks} tasks wait"
        return f"{waiting} for a worker: {why}.{given_up} {_REMEDY}"
