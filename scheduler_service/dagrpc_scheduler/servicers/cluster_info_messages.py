"""Views of the cluster, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagrpc._common.addresses import split_address
from dagrpc._common.versions import own_versions
from dagrpc.v1 import common_pb2
from dagrpc.v1 import scheduler_service_pb2 as pb
from dagrpc_scheduler.core import views
from dagrpc_scheduler.shell.sessions.connected_peers import WorkerConnection
from dagrpc_scheduler.shell.sessions.translate_in import STATUS_NAMES

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.service import SchedulerService

_STATUS_BY_NAME = {name: status for status, name in STATUS_NAMES.items()}


def cluster_info(service: SchedulerService) -> pb.GetClusterInfoResponse:
    """Describe the scheduler and its workers."""
    return pb.GetClusterInfoResponse(
        scheduler_id=service.id,
        address=service.address,
        started=service.started,
        workers=[_worker_info(service, address, worker) for address, worker in service.sessions.workers.items()],
        clients=len(service.sessions.clients),
        tasks=views.state_counts(service.core),
        versions=common_pb2.Versions(**own_versions()),
    )


def _worker_info(service: SchedulerService, address: str, worker: WorkerConnection) -> pb.WorkerInfo:
    hello = worker.hello
    status, occupancy = views.worker_status(service.core, address)
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


def tasks(service: SchedulerService, keys: list[str], limit: int, state: str) -> pb.GetTasksResponse:
    """Describe tasks."""
    found = views.tasks(service.core, keys or None, limit, state)
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
