"""Workers that leave or are lost: why, and which results and tasks that takes away.

The scheduler only sees a connection break. The worker's nanny sees the process end and knows more, so the scheduler
asks it. Only tasks that would fail for good wait for the nanny's answer, because their error names the reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from dagrpc._common.keys import Key, decode_key
from dagrpc._loop.io_loop import spawn
from dagrpc._rpc.channels import ChannelPool
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import failure_pb2
from dagrpc.v1 import nanny_service_pb2 as pb
from dagrpc_scheduler.core import events, views
from dagrpc_scheduler.core.instructions import CoreFailure
from dagrpc_scheduler.shell.coordination.shuffle_shell import ShuffleShell
from dagrpc_scheduler.shell.coordination.topic_shell import EventLog
from dagrpc_scheduler.shell.core_driver import CoreDriver
from dagrpc_scheduler.shell.plugins.scheduler_plugins import SchedulerPlugins
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers, WorkerConnection
from dagrpc_scheduler.shell.sessions.worker_counts import LEFT
from dagrpc_scheduler.shell.shutdown import Shutdown
from dagrpc_scheduler.shell.workers.remote_services import NANNY_SERVICE

logger = logging.getLogger("dagrpc.scheduler")

NANNY_TIMEOUT = 2.0
"""Seconds that a nanny has for its answer."""
_KEYS_IN_LOG = 5
_KEYS_IN_EVENT = 1_000
_UNKNOWN = "its connection broke"


class WorkerExits:
    """Removes workers from the cluster."""

    def __init__(
        self,
        *,
        driver: CoreDriver,
        peers: ConnectedPeers,
        shuffles: ShuffleShell,
        event_log: EventLog,
        plugins: SchedulerPlugins,
        control_channels: ChannelPool,
        data_channels: ChannelPool,
        shutdown: Shutdown,
        background: set[asyncio.Task[Any]],
    ) -> None:
        self._driver = driver
        self._peers = peers
        self._shuffles = shuffles
        self._event_log = event_log
        self._plugins = plugins
        self._control_channels = control_channels
        self._data_channels = data_channels
        self._shutdown = shutdown
        self._background = background

    def session_ended(self, connection: WorkerConnection) -> None:
        """Remove a worker whose session is over, no matter which side ended it."""
        address = connection.hello.address
        counts = self._peers.worker_counts
        if connection.goodbye is not None:
            counts.exits[LEFT] += 1
            self.remove(connection, connection.goodbye, expected=True)
        elif self._shutdown.begun or connection.verdict or not connection.nanny:
            counts.explained(None)
            self.remove(connection, connection.verdict or _UNKNOWN)
        elif views.would_give_up(self._driver.core, address):
            # It gets no more tasks while its nanny is asked.
            stimulus = self._driver.stimulus("worker-lost")
            self._driver.handle(events.WorkerStatusChanged(address, "closing", stimulus))
            spawn(self._remove_explained(connection), self._background)
        else:
            self.remove(connection, connection.verdict or _UNKNOWN)
            spawn(self._explain(connection), self._background)

    def remove(
        self,
        connection: WorkerConnection,
        reason: str,
        exit: failure_pb2.WorkerExit | None = None,
        *,
        expected: bool = False,
    ) -> None:
        """Remove a worker at once: its tasks run elsewhere, and results that only it held are computed again.

        The tasks of a worker whose leaving is `expected` are not suspected of having killed it.
        """
        address = connection.hello.address
        if self._peers.workers.get(address) is not connection:
            return
        del self._peers.workers[address]
        self._peers.counts.workers_removed += 1
        self._peers.worker_counts.ended(connection.nanny, expected=expected)
        self._data_channels.discard(address)
        self._control_channels.discard(address)
        if expected:
            logger.info("Worker %s (%s) left: %s", address, connection.name, reason, extra={"worker": address})
        elif not self._shutdown.begun:
            logger.warning("Worker %s (%s) is lost: %s", address, connection.name, reason, extra={"worker": address})
        stimulus = self._driver.stimulus("worker-removed")
        lost = self._losses(address)
        removed = events.WorkerRemoved(address, expected, reason, stimulus, exit)
        processing = views.processing(self._driver.core, [address]).get(address, ())
        self._driver.handle_batch([removed, *self._shuffles.without(address)])
        if not self._shutdown.begun:
            self._log_losses(address, processing, lost, expected)
        self._event_log.worker_removed(address, **lost, stimulus_id=stimulus, expected=expected, reason=reason)
        self._plugins.worker_removed(address, stimulus, expected=expected, reason=reason)

    def _log_losses(self, address: str, processing: Sequence[str], lost: dict[str, Any], expected: bool) -> None:
        """Log the tasks that failed and the results that were lost with a worker."""
        for wire_key in processing:
            task = self._driver.core.tasks.get(wire_key)
            failure = task.error.failure if task is not None and task.error is not None else None
            if isinstance(failure, CoreFailure) and failure.kind == "killed-worker" and failure.worker == address:
                logger.error("Task %s failed: %s", wire_key, failure.message, extra={"key": wire_key})
        computed, scattered = lost["lost-computed-tasks"], lost["lost-scattered-tasks"]
        if computed and not expected:
            logger.warning("%d results were only on worker %s: %s computed again", *_some(computed, address))
        if scattered:
            logger.error("%d scattered values were only on worker %s: %s lost for good", *_some(scattered, address))

    async def _remove_explained(self, connection: WorkerConnection) -> None:
        """Ask the nanny, then remove the worker."""
        exit = await self._ask(connection)
        self._peers.worker_counts.explained(exit)
        self.remove(connection, exit.reason if exit is not None else _UNKNOWN, exit)

    async def _explain(self, connection: WorkerConnection) -> None:
        """Ask the nanny why a worker is gone that was removed already, and record the answer."""
        exit = await self._ask(connection)
        self._peers.worker_counts.explained(exit)
        if exit is None:
            return
        address = connection.hello.address
        reason, stimulus = exit.reason, self._driver.stimulus("worker-explained")
        logger.warning("Worker %s (%s) is gone: %s", address, connection.name, reason, extra={"worker": address})
        self._driver.handle(events.WorkerExplained(address, reason, stimulus))
        self._event_log.log(address, {"action": "worker-exit", "reason": reason, "stimulus_id": stimulus})

    async def _ask(self, connection: WorkerConnection) -> failure_pb2.WorkerExit | None:
        """Return how a worker's process ended; None if it lives or the nanny does not answer in time."""
        nanny, address = connection.nanny, connection.hello.address
        client = self._control_channels.client(nanny, NANNY_SERVICE, f"nanny {nanny}")
        request = pb.ExplainExitRequest(address=address, timeout_seconds=NANNY_TIMEOUT)
        try:
            answer = await client.call("ExplainExit", request, pb.ExplainExitResponse, timeout=NANNY_TIMEOUT + 0.5)
        except (DagrpcError, OSError, TimeoutError) as error:
            logger.info("Nanny %s does not tell how worker %s ended: %s", nanny, address, error)
            return None
        if not answer.HasField("exit"):
            return None
        if answer.exit.cause == failure_pb2.EXIT_CAUSE_MEMORY_LIMIT:
            worker = {"worker": address, "pid": connection.hello.pid, "rss": answer.exit.memory_used}
            self._event_log.log("worker-restart-memory", worker)
        return answer.exit

    def _losses(self, address: str) -> dict[str, Any]:
        """Return the keys that a worker's leaving takes away, by the names that events give them."""
        core = self._driver.core
        processing = views.processing(core, [address]).get(address, ())
        computed, scattered = views.lost_with(core, address)
        return {
            "processing-tasks": _user_keys(processing),
            "lost-computed-tasks": _user_keys(computed),
            "lost-scattered-tasks": _user_keys(scattered),
        }


def _some(keys: Sequence[Key], address: str) -> tuple[int, str, str]:
    """Return the number of keys, an address, and the first few keys with their verb."""
    shown = ", ".join(map(repr, keys[:_KEYS_IN_LOG])) + (", ..." if len(keys) > _KEYS_IN_LOG else "")
    return len(keys), address, f"{shown} {'is' if len(keys) == 1 else 'are'}"


def _user_keys(wire_keys: Sequence[str]) -> tuple[Key, ...]:
    """Return as many keys as an event names, decoded for users."""
    keys: list[Key] = []
    for wire_key in wire_keys[:_KEYS_IN_EVENT]:
        try:
            keys.append(decode_key(wire_key))
        except ValueError:
            # Clients in other languages name their tasks freely.
            keys.append(wire_key)
    return tuple(keys)
