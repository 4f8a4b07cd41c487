"""The calls that a cluster manager makes of its scheduler."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from dagrpc._auth.credentials import credentials_of
from dagrpc._client.poll_workers import poll_workers
from dagrpc._client.waiting import Deadline
from dagrpc._common.time_limits import RETIRE_LIMIT
from dagrpc._rpc import grpc_options
from dagrpc._rpc.channels import ServiceClient, open_channel
from dagrpc.exceptions import CommClosedError
from dagrpc.security import Security
from dagrpc.v1 import log_service_pb2 as log_pb
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_deploy.logs import Log

NOT_CONNECTED = "<Not Connected>"
"""The scheduler's address while there is none."""

_SERVICE = pb.DESCRIPTOR.services_by_name["SchedulerService"]
_LOG_SERVICE = log_pb.DESCRIPTOR.services_by_name["LogService"]
_CLUSTER_LOG_SERVICE = log_pb.DESCRIPTOR.services_by_name["ClusterLogService"]
_LOG_TIMEOUT = 60.0


class SchedulerConnection:
    """A connection to the scheduler of a cluster, opened by the first call. On dagrpc's event loop only."""

    def __init__(self, owner: str, address: Callable[[], str], security: Security) -> None:
        self._owner = owner
        self._address = address
        self._security = security
        self._client: ServiceClient | None = None

    def client(self) -> ServiceClient:
        """Return a client of the scheduler's service; raise `CommClosedError` if there is no scheduler yet."""
        address = self._address()
        if address == NOT_CONNECTED:
            raise CommClosedError(f"{self._owner} has no scheduler: its `scheduler_address` is not set")
        if self._client is None:
            credentials = credentials_of(self._security, "client")
            channel = open_channel(address, grpc_options.CONTROL_CHANNEL, credentials)
            self._client = ServiceClient(channel, _SERVICE, f"scheduler {address}")
        return self._client

    async def info(self) -> pb.GetClusterInfoResponse:
        """Return the scheduler's description of itself and its workers; without a scheduler, an empty one."""
        if self._address() == NOT_CONNECTED:
            return pb.GetClusterInfoResponse(address=NOT_CONNECTED)
        return await self.client().call("GetClusterInfo", pb.GetClusterInfoRequest(), pb.GetClusterInfoResponse)

    async def wait_for_workers(self, count: int, timeout: float | None) -> None:
        """Wait until the scheduler knows so many workers; raise `WorkerStartTimeoutError` after so many seconds."""

        async def available() -> int:
            return len((await self.info()).workers)

        await poll_workers(available, count, Deadline(timeout))

    async def retire(self, names: Collection[str]) -> None:
        """Retire workers: the scheduler moves their results to other workers, and closes them."""
        request = pb.RetireWorkersRequest(workers=names)
        await self.client().call("RetireWorkers", request, pb.RetireWorkersResponse, timeout=RETIRE_LIMIT)

    async def logs(self, scheduler: bool, workers: bool | Collection[str]) -> dict[str, Log]:
        """Return the latest lines of the logs of the scheduler and of all workers or some, by name or address."""
        if self._address() == NOT_CONNECTED:
            return {}
        found = {}
        channel, peer = self.client().channel, f"scheduler {self._address()}"
        if scheduler:
            service = ServiceClient(channel, _LOG_SERVICE, peer)
            response = await service.call("GetLogs", log_pb.GetLogsRequest(), log_pb.GetLogsResponse)
            found["Scheduler"] = _log_of(response.lines)
        if workers:
            service = ServiceClient(channel, _CLUSTER_LOG_SERVICE, peer)
            request = log_pb.GetWorkerLogsRequest(workers=[] if workers is True else map(str, workers))
            logs = await service.call("GetWorkerLogs", request, log_pb.GetWorkerLogsResponse, timeout=_LOG_TIMEOUT)
            found.update((log.worker, _log_of(log.lines)) for log in logs.logs)
        return found

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.channel.close()


def _log_of(lines: Iterable[log_pb.LogLine]) -> Log:
    return Log("\n".join(line.text for line in lines))
