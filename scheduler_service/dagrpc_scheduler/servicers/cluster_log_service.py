"""ClusterLogService: the logs of workers and nannies."""

from __future__ import annotations

import logging

from dagrpc._rpc.channels import ChannelPool
from dagrpc._rpc.log_service import SERVICE as LOG_SERVICE
from dagrpc.v1 import log_service_pb2 as pb
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.workers.ask_workers import ask_workers
from dagrpc_scheduler.shell.workers.named_workers import named_workers

logger = logging.getLogger("dagrpc.scheduler")

_TIMEOUT = 30.0
"""Seconds that a worker or nanny has for its answer."""
_ANSWER_LIMIT = 48 * 2**20
"""Bytes of one answer."""


class ClusterLogServicer:
    """Collects logs; each method is the rpc of its name."""

    def __init__(self, core: SchedulerCore, peers: ConnectedPeers, control_channels: ChannelPool) -> None:
        self._core = core
        self._peers = peers
        self._channels = control_channels

    async def GetWorkerLogs(self, request: pb.GetWorkerLogsRequest) -> pb.GetWorkerLogsResponse:
        workers = self._peers.workers
        addresses = [address for address in named_workers(self._core, request.workers) if address in workers]
        if request.nanny:
            targets = {address: workers[address].nanny for address in addresses if workers[address].nanny}
        else:
            targets = {address: address for address in addresses}
        answers = await ask_workers(
            self._channels,
            LOG_SERVICE,
            "GetLogs",
            dict.fromkeys(targets.values(), pb.GetLogsRequest(count=request.count, key=request.key)),
            pb.GetLogsResponse,
            timeout=_TIMEOUT,
            who="nanny" if request.nanny else "worker",
        )
        response, size = pb.GetWorkerLogsResponse(), 0
        for address, target in targets.items():
            found = answers.found.get(target)
            if found is None:
                logger.warning("No log of worker %s from %s: %s", address, target, answers.failures[target])
                continue
            size += found.ByteSize()
            if size > _ANSWER_LIMIT:
                logger.warning("The logs of %d workers do not fit into one message: ask for fewer", len(targets))
                break
            response.logs.add(worker=address, lines=found.lines)
        return response
