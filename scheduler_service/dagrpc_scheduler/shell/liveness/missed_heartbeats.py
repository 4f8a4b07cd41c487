"""Workers that are not heard of: gone, frozen, or just held up.

A call into C may hold Python's interpreter for minutes: no heartbeat leaves the worker then. Its nanny, a process of
its own, sees whether it computes, and vouches for it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from dagrpc import config
from dagrpc._loop.io_loop import spawn
from dagrpc.exceptions import DagrpcError
from dagrpc.v1 import nanny_service_pb2 as pb
from dagrpc_scheduler.shell.workers.worker_calls import NANNY_SERVICE

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService
    from dagrpc_scheduler.shell.sessions.connected_peers import WorkerConnection

logger = logging.getLogger("dagrpc.scheduler")

_PATIENCE = 5.0
"""Seconds to wait for a nanny's answer."""
_AGAIN = 30.0
"""Seconds for which its word counts, at most."""

_SEEN = {
    pb.PROCESS_CONDITION_IDLE: "its nanny sees its process do nothing",
    pb.PROCESS_CONDITION_STOPPED: "its process is stopped",
    pb.PROCESS_CONDITION_GONE: "its process has ended",
}


class SilentWorkers:
    """Takes out workers that are not heard of for too long, unless their nannies vouch for them.

    Parameters
    ----------
    service : SchedulerService
        The scheduler.
    """

    def __init__(self, service: SchedulerService) -> None:
        self._service = service
        self._ttl = config.get_seconds("scheduler.worker-ttl", service.options.worker_ttl)
        self._vouched_ttl = config.get_seconds("scheduler.vouched-ttl")

    def look(self, now: float) -> None:
        """Look for such workers. `now` is in seconds since the epoch."""
        if self._ttl is None:
            return
        for worker in list(self._service.sessions.workers.values()):
            if (
                now - worker.last_seen <= self._ttl
                or now < worker.vouched_until
                or worker.tenure.away
                or worker.session.closed
            ):
                continue
            # Until there is an answer nobody asks again.
            worker.vouched_until = now + _PATIENCE + 1.0
            spawn(self._judge(worker), self._service.tasks)

    async def _judge(self, worker: WorkerConnection) -> None:
        assert self._ttl is not None
        seen = await self._observe(worker)
        now = time.time()
        silence = now - worker.last_seen
        if silence <= self._ttl or worker.session.closed:
            return
        who = f"Worker {worker.hello.address} ({worker.name})"
        if seen == pb.PROCESS_CONDITION_BUSY:
            if self._vouched_ttl is None or silence <= self._vouched_ttl:
                logger.info("%s was not heard of for %.0f s, but its nanny sees it compute: it stays", who, silence)
                worker.vouched_until = now + min(self._ttl, _AGAIN)
                return
            why = "its nanny sees it compute, but for too long"
        else:
            why = _SEEN.get(seen, "no nanny vouches for it")
        worker.verdict = f"it was not heard of for {silence:.0f} s, and {why}"
        # Should it live, it notices that its stream ended, and registers anew.
        worker.tenure.end(worker.verdict)

    async def _observe(self, worker: WorkerConnection) -> pb.ProcessCondition:
        """Return what a worker's nanny sees it do."""
        nanny = worker.nanny
        if not nanny:
            return pb.PROCESS_CONDITION_UNSPECIFIED
        client = self._service.control_channels.client(nanny, NANNY_SERVICE, f"nanny {nanny}")
        request = pb.ObserveWorkerRequest(address=worker.hello.address)
        try:
            answer = await client.call("ObserveWorker", request, pb.ObserveWorkerResponse, timeout=_PATIENCE)
        except (DagrpcError, OSError, TimeoutError) as error:
            logger.info("The nanny %s does not say what its worker does: %s", nanny, error)
            return pb.PROCESS_CONDITION_UNSPECIFIED
        condition: pb.ProcessCondition = answer.condition
        return condition
