"""Workers that are gone: why, and what that takes away.

A nanny sees its worker's process end and knows more than the scheduler, to which just a connection breaks. It is asked,
and answers as soon as the process has ended. Nobody waits for its answer but tasks that would fail for good: their
error is to say why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dagrpc._common.keys import Key, decode_key
from dagrpc._loop.io_loop import spawn
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import failure_pb2
from dagrpc.v1 import nanny_service_pb2 as pb
from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.instructions import CoreFailure
from dagrpc_scheduler.shell.workers.worker_calls import NANNY_SERVICE

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService
    from dagrpc_scheduler.shell.sessions.connected_peers import WorkerConnection

logger = logging.getLogger("dagrpc.scheduler")

PATIENCE = 2.0
"""Seconds to wait for a nanny's answer."""
_SHOWN = 5
"""Keys that a line of the log names."""
_TOLD = 1_000
"""How many keys an event names at most."""


class Departures:
    """Takes workers out of the cluster.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service

    def session_ended(self, connection: WorkerConnection) -> None:
        """Do without a worker whose session is over, whoever ended it."""
        service, address = self._service, connection.hello.address
        if connection.goodbye is not None:
            self.remove(connection, connection.goodbye, expected=True)
        elif service.closing or connection.verdict or not connection.nanny:
            self.remove(connection, connection.verdict or "its connection broke")
        elif views.would_give_up(service.core, address):
            # No more tasks for it until it is known why it is gone.
            service.handle(events.WorkerStatusChanged(address, "closing", service.stimulus("worker-lost")))
            spawn(self._remove_explained(connection), service.tasks)
        else:
            self.remove(connection, connection.verdict or "its connection broke")
            spawn(self._explain(connection), service.tasks)

    def remove(
        self,
        connection: WorkerConnection,
        reason: str,
        exit: failure_pb2.WorkerExit | None = None,
        *,
        expected: bool = False,
    ) -> None:
        """Take a worker out, at once: its tasks run elsewhere, and what only it held is computed again.

        Parameters
        ----------
        reason : str
            Why, for people.
        exit : WorkerExit, optional
            How its process ended, as far as that is known.
        expected : bool
            Whether it left in good order: its tasks are not suspected then.
        """
        service, address = self._service, connection.hello.address
        if service.sessions.workers.get(address) is not connection:
            return
        del service.sessions.workers[address]
        service.data_channels.discard(address)
        service.control_channels.discard(address)
        if expected:
            logger.info("Worker %s (%s) left: %s", address, connection.name, reason)
        elif not service.closing:
            logger.warning("Worker %s (%s) is lost: %s", address, connection.name, reason)
        stimulus = service.stimulus("worker-removed")
        lost = self._what_is_lost(address)
        removed = events.WorkerRemoved(address, expected, reason, stimulus, exit)
        processing = views.processing(service.core, [address]).get(address, ())
        service.handle_batch([removed, *service.shuffles.without(address)])
        if not service.closing:
            self._log_losses(address, processing, lost, expected)
        service.events.worker_removed(address, **lost, stimulus_id=stimulus, expected=expected, reason=reason)
        service.scheduler_plugins.worker_removed(address, stimulus, expected=expected, reason=reason)

    def _log_losses(self, address: str, processing: Sequence[str], lost: dict[str, Any], expected: bool) -> None:
        """Tell what became of what a worker held and ran."""
        for wire in processing:
            task = self._service.core.state.tasks.get(wire)
            failure = task.error.failure if task is not None and task.error is not None else None
            if isinstance(failure, CoreFailure) and failure.kind == "killed-worker" and failure.worker == address:
                logger.error("Task %s is given up: %s", wire, failure.message)
        computed, scattered = lost["lost-computed-tasks"], lost["lost-scattered-tasks"]
        if computed and not expected:
            logger.warning("%d results were only on worker %s: %s computed again", *_some(computed, address))
        if scattered:
            logger.error("%d scattered values were only on worker %s: %s lost for good", *_some(scattered, address))

    async def _remove_explained(self, connection: WorkerConnection) -> None:
        exit = await self._ask(connection)
        self.remove(connection, exit.reason if exit is not None else "its connection broke", exit)

    async def _explain(self, connection: WorkerConnection) -> None:
        """Have it noted why a worker is gone that was taken out already."""
        exit = await self._ask(connection)
        if exit is None:
            return
        service, address = self._service, connection.hello.address
        reason, stimulus = exit.reason, service.stimulus("worker-explained")
        logger.warning("Worker %s (%s) is gone: %s", address, connection.name, reason)
        service.handle(events.WorkerExplained(address, reason, stimulus))
        service.events.log(address, {"action": "worker-exit", "reason": reason, "stimulus_id": stimulus})

    async def _ask(self, connection: WorkerConnection) -> failure_pb2.WorkerExit | None:
        """Return how a worker's process ended; None if it lives or its nanny does not answer in time."""
        nanny = connection.nanny
        client = self._service.control_channels.client(nanny, NANNY_SERVICE, f"nanny {nanny}")
        request = pb.ExplainExitRequest(address=connection.hello.address, timeout_seconds=PATIENCE)
        try:
            answer = await client.call("ExplainExit", request, pb.ExplainExitResponse, timeout=PATIENCE + 0.5)
        except (DagrpcError, OSError, TimeoutError) as error:
            logger.info("The nanny %s does not say how its worker ended: %s", nanny, error)
            return None
        if not answer.HasField("exit"):
            return None
        if answer.exit.cause == failure_pb2.EXIT_CAUSE_MEMORY_LIMIT:
            worker = {"worker": connection.hello.address, "pid": connection.hello.pid, "rss": answer.exit.memory_used}
            self._service.events.log("worker-restart-memory", worker)
        return answer.exit

    def _what_is_lost(self, address: str) -> dict[str, Any]:
        """Return the keys that a worker's leaving takes away, for the log."""
        core = self._service.core
        processing = views.processing(core, [address]).get(address, ())
        computed, scattered = views.lost_with(core, address)
        return {
            "processing-tasks": _told(processing),
            "lost-computed-tasks": _told(computed),
            "lost-scattered-tasks": _told(scattered),
        }


def _some(keys: Sequence[Key], address: str) -> tuple[int, str, str]:
    """Return how many keys there are, an address, and the first few keys with their verb."""
    shown = ", ".join(map(repr, keys[:_SHOWN])) + (", ..." if len(keys) > _SHOWN else "")
    return len(keys), address, f"{shown} {'is' if len(keys) == 1 else 'are'}"


def _told(wires: Sequence[str]) -> tuple[Key, ...]:
    """Return keys as users see them, as many as an event names."""
    keys: list[Key] = []
    for wire in wires[:_TOLD]:
        try:
            keys.append(decode_key(wire))
        except ValueError:
            # A program in another language names its tasks as it likes.
            keys.append(wire)
    return tuple(keys)
