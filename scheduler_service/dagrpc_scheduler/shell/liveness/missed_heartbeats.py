"""Workers that miss heartbeats: gone, frozen, or kept from sending by long calls.

A call into C may hold Python's interpreter for minutes, in which the worker sends no heartbeat. The worker's nanny is a
process of its own: it sees whether the worker computes, and vouches for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from dagrpc import config
from dagrpc._loop.io_loop import spawn
from dagrpc._rpc.channels import ChannelPool
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import nanny_service_pb2 as pb
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers, WorkerConnection
from dagrpc_scheduler.shell.workers.remote_services import NANNY_SERVICE

logger = logging.getLogger("dagrpc.scheduler")

_NANNY_TIMEOUT = 5.0
"""Seconds that a nanny has for its answer."""
_LONGEST_VOUCH = 30.0
"""Seconds for which a nanny's answer counts at most."""

_CONDITIONS = {
    pb.PROCESS_CONDITION_IDLE: "its nanny sees its process do nothing",
    pb.PROCESS_CONDITION_STOPPED: "its process is stopped",
    pb.PROCESS_CONDITION_GONE: "its process has ended",
}


class MissedHeartbeats:
    """Removes workers whose heartbeats stay away for too long, unless their nannies vouch for them."""

    def __init__(
        self,
        peers: ConnectedPeers,
        control_channels: ChannelPool,
        background: set[asyncio.Task[Any]],
        worker_ttl: float | None,
    ) -> None:
        self._peers = peers
        self._channels = control_channels
        self._background = background
        self._ttl = config.get_seconds("scheduler.worker-ttl", worker_ttl)
        self._vouched_ttl = config.get_seconds("scheduler.vouched-ttl")

    def look(self, now: float) -> None:
        """Look for silent workers; `now` is in seconds since the epoch."""
        if self._ttl is None:
            return
        for worker in list(self._peers.workers.values()):
            if (
                now - worker.last_seen <= self._ttl
                or now < worker.vouched_until
                or worker.peer_session.away
                or worker.session.closed
            ):
                continue
            # One question at a time: the worker counts as vouched for until the answer is there.
            worker.vouched_until = now + _NANNY_TIMEOUT + 1.0
            spawn(self._judge(worker), self._background)

    async def _judge(self, worker: WorkerConnection) -> None:
        """Ask a silent worker's nanny, and remove the worker if the nanny does not vouch for it."""
        assert self._ttl is not None
        condition = await self._condition(worker)
        now = time.time()
        silence = now - worker.last_seen
        if silence <= self._ttl or worker.session.closed:
            return
        address = worker.hello.address
        if condition == pb.PROCESS_CONDITION_BUSY:
            if self._vouched_ttl is None or silence <= self._vouched_ttl:
                logger.info(
                    "Worker %s (%s) sent no heartbeat for %.0f s, but its nanny %s sees it compute: it stays",
                    address,
                    worker.name,
                    silence,
                    worker.nanny,
                    extra={"worker": address},
                )
                worker.vouched_until = now + min(self._ttl, _LONGEST_VOUCH)
                return
            why = "its nanny sees it compute, but for too long"
        else:
            why = _CONDITIONS.get(condition, "no nanny vouches for it")
        worker.verdict = f"it sent no heartbeat for {silence:.0f} s, and {why}"
        # A worker that lives notices the end of its stream and registers again.
        worker.peer_session.end(worker.verdict)

    async def _condition(self, worker: WorkerConnection) -> pb.ProcessCondition:
        """Return the condition in which a worker's nanny sees the worker's process."""
        nanny = worker.nanny
        if not nanny:
            return pb.PROCESS_CONDITION_UNSPECIFIED
        client = self._channels.client(nanny, NANNY_SERVICE, f"nanny {nanny}")
        request = pb.ObserveWorkerRequest(address=worker.hello.address)
        try:
            answer = await client.call("ObserveWorker", request, pb.ObserveWorkerResponse, timeout=_NANNY_TIMEOUT)
        except (DagrpcError, OSError, TimeoutError) as error:
            logger.info("Nanny %s does not tell the condition of worker %s: %s", nanny, worker.hello.address, error)
            return pb.PROCESS_CONDITION_UNSPECIFIED
        condition: pb.ProcessCondition = answer.condition
        return condition
