"""Tells those who wait for work that no worker takes, and why: else they would wait without a word."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dagrpc import config
from dagrpc_scheduler.core import views

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

logger = logging.getLogger("dagrpc.scheduler")

TOPIC = "no-workers"
"""Of the events that clients are told of."""
_GIVEN_UP_PATIENCE = 2.0
"""Seconds after which they are told if no workers are left and nannies have given up: no others come by themselves."""
_LOOKS = 8
"""How many times within the patience it is looked who waits."""
_GROWTH, _LONGEST_PAUSE = 10.0, 3600.0
_GIVEN_UP_KEPT = 10

_REMEDY = (
    "What waits is run as soon as such a worker comes: scale the cluster, or start one with `dagrpc worker`. "
    "The setting distributed.scheduler.no-workers-timeout has it fail instead."
)


class ShortageWatch:
    """Looks now and then whether there are tasks that no worker takes. Each client hears of it rarely.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self._patience = config.get_seconds("scheduler.no-workers-warning")
        self._told: dict[str, tuple[float, float]] = {}
        """When each client is to be told again, and the pause after that."""
        self._look_at = 0.0
        self._given_up: dict[str, str] = {}
        """Why nannies have given up their workers, by name; the latest last."""

    def given_up(self, name: str, reason: str) -> None:
        """Take note that a nanny has given up its worker."""
        self._given_up.pop(name, None)
        self._given_up[name] = reason
        if len(self._given_up) > _GIVEN_UP_KEPT:
            del self._given_up[next(iter(self._given_up))]
        self._look_at = 0.0

    def joined(self, name: str) -> None:
        """Take note that there is a worker of this name."""
        self._given_up.pop(name, None)

    def look(self, now: float) -> None:
        """Look."""
        if self._patience is None:
            return
        core = self._service.core
        shortage = views.shortage_now(core)
        if shortage is None:
            self._told.clear()
            self._look_at = 0.0
            return
        hopeless = self._given_up and not self._service.sessions.workers
        patience = min(self._patience, _GIVEN_UP_PATIENCE) if hopeless else self._patience
        if now - shortage.since < patience or now < self._look_at:
            return
        self._look_at = now + max(patience / _LOOKS, 1.0)
        waiting = views.who_waits_for_workers(core)
        due = [client for client in waiting if self._told.get(client, (0.0, 0.0))[0] <= now]
        self._told = {client: self._told[client] for client in waiting if client in self._told}
        if not due:
            return
        for client in due:
            pause = self._told[client][1] if client in self._told else max(patience, 1.0) * _GROWTH
            self._told[client] = now + pause, min(pause * _GROWTH, _LONGEST_PAUSE)
        text = self._describe(shortage.tasks, views.why_nobody_works(core, now - shortage.since))
        logger.warning("%s", text)
        self._service.events.tell(due, TOPIC, {"message": text, "tasks": shortage.tasks})

    def _describe(self, tasks: int, why: str) -> str:
        given_up = "".join(
            f" The nanny of worker {name!r} has given it up: {reason}." for name, reason in self._given_up.items()
        )
        what = "1 task waits" if tasks == 1 else f"{tasks} tasks wait"
        return f"{what} for a worker: {why}.{given_up} {_REMEDY}"
