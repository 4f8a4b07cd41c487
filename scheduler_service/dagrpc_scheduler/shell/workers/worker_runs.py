"""Runs functions on workers and nannies."""

from __future__ import annotations

import asyncio

from dagrpc._codec.calls import encode_exception
from dagrpc._rpc.channels import ChannelPool
from dagrpc.exceptions import CodeNotAllowedError, DagrpcError
from dagrpc.v1 import common_pb2, nanny_service_pb2, worker_service_pb2
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers
from dagrpc_scheduler.shell.workers.remote_services import NANNY_SERVICE, WORKER_SERVICE

RUN_LIMIT = 24 * 3600.0
"""Seconds that a call may take at most, whatever its caller asks for."""


class WorkerRuns:
    """Runs a function on several workers or nannies at once."""

    def __init__(self, peers: ConnectedPeers, control_channels: ChannelPool) -> None:
        self._peers = peers
        self._channels = control_channels

    async def run(
        self, addresses: list[str], function: common_pb2.Payload, *, nanny: bool, wait: bool
    ) -> list[pb.RunResult]:
        """Run a function on workers, or on their nannies; return a result for each address."""
        request = worker_service_pb2.RunRequest(function=function, no_wait=not wait)
        return list(await asyncio.gather(*(self._run(address, request, nanny) for address in addresses)))

    async def _run(self, address: str, run: worker_service_pb2.RunRequest, nanny: bool) -> pb.RunResult:
        worker = self._peers.workers.get(address)
        if worker is None or (nanny and not worker.nanny):
            return pb.RunResult(worker=address, unreachable="it has left" if worker is None else "it has no nanny")
        try:
            result = await (self._run_in_nanny(worker.nanny, run) if nanny else self._run_in_worker(address, run))
        except CodeNotAllowedError as error:
            return pb.RunResult(worker=address, exception=encode_exception(error))
        except (DagrpcError, OSError, TimeoutError) as error:
            return pb.RunResult(worker=address, unreachable=str(error))
        result.worker = address
        return result

    async def _run_in_worker(self, address: str, run: worker_service_pb2.RunRequest) -> pb.RunResult:
        client = self._channels.client(address, WORKER_SERVICE, f"worker {address}")
        return (await client.call("Run", run, worker_service_pb2.RunResponse, timeout=RUN_LIMIT)).result

    async def _run_in_nanny(self, nanny: str, run: worker_service_pb2.RunRequest) -> pb.RunResult:
        client = self._channels.client(nanny, NANNY_SERVICE, f"nanny {nanny}")
        request = nanny_service_pb2.RunInNannyRequest(run=run)
        response = await client.call("RunInNanny", request, nanny_service_pb2.RunInNannyResponse, timeout=RUN_LIMIT)
        return response.result
