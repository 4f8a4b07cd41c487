"""Descriptions of the cluster and its tasks, as messages."""

from __future__ import annotations

from dagrpc._common.addresses import split_address
from dagrpc._common.versions import own_versions
from dagrpc.exceptions import InvalidRequestError
from dagrpc.v1 import common_pb2
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_scheduler.core import views
from dagrpc_scheduler.core.machine import SchedulerCore
from dagrpc_scheduler.shell.identity import Identity
from dagrpc_scheduler.shell.sessions.connected_peers import ConnectedPeers, WorkerConnection
from dagrpc_scheduler.shell.sessions.translate_in import STATUS_NAMES

TASK_STATES = ("released", "waiting", "no-worker", "queued", "processing", "memory", "erred")
_STATUS_BY_NAME = {name: status for status, name in STATUS_NAMES.items()}


class ClusterInfo:
    """Describes the cluster."""

    def __init__(self, identity: Identity, core: SchedulerCore, peers: ConnectedPeers) -> None:
        self._identity = identity
        self._core = core
        self._peers = peers

    def cluster(self) -> pb.GetClusterInfoResponse:
        """Describe the scheduler and its workers."""
        return pb.GetClusterInfoResponse(
            scheduler_id=self._identity.id,
            address=self._identity.address,
            started=self._identity.started,
            workers=[self._worker(address, worker) for address, worker in self._peers.workers.items()],
            clients=len(self._peers.clients),
            tasks=views.state_counts(self._core),
            versions=common_pb2.Versions(**own_versions()),
            services=self._identity.services,
            http_prefix=self._identity.http_prefix,
        )

    def _worker(self, address: str, worker: WorkerConnection) -> pb.WorkerInfo:
        hello = worker.hello
        status, occupancy = views.worker_status(self._core, address)
        return pb.WorkerInfo(
            address=address,
            name=worker.name,
            host=split_address(address)[0],
            nthreads=hello.nthreads,
            memory_limit=hello.memory_limit,
            resources=dict(hello.resources),
            status=_STATUS_BY_NAME.get(status, common_pb2.WORKER_STATUS_UNSPECIFIED),
            nanny=hello.nanny,
            local_directory=hello.local_directory,
            pid=hello.pid,
            last_seen=worker.last_seen,
            metrics=worker.metrics,
            occupancy=occupancy,
            services=dict(hello.services),
            versions=hello.versions,
        )

    def tasks(self, keys: list[str], limit: int, state: str) -> pb.GetTasksResponse:
        """Describe tasks; raise `InvalidRequestError` for a state that there is not."""
        if state and state not in TASK_STATES:
            raise InvalidRequestError(f"there is no state {state[:50]!r} of tasks; there are {', '.join(TASK_STATES)}")
        found = views.tasks(self._core, keys or None, limit, state)
        return pb.GetTasksResponse(
            tasks=[
                pb.TaskInfo(
                    key=view.key,
                    state=view.state,
                    dependencies=view.dependencies,
                    dependents=view.dependents,
                    workers=view.workers,
                    processing_on=view.processing_on,
                    nbytes=view.nbytes,
                    type_name=view.type_name,
                    retries=view.retries,
                    suspicious=view.suspicious,
                    priority=view.priority,
                )
                for view in found
            ]
        )
