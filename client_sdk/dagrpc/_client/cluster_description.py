"""The scheduler's facts about itself and its workers as plain data, named and nested as in distributed."""

from __future__ import annotations

from typing import Any

from dagrpc._common.nested_metrics import nested_metrics
from dagrpc._common.worker_names import as_given
from dagrpc.objects import SchedulerInfo
from dagrpc.v1 import common_pb2, scheduler_service_pb2


def describe_cluster(
    info: scheduler_service_pb2.GetClusterInfoResponse, address: str, n_workers: int = -1
) -> SchedulerInfo:
    """Return facts about the scheduler and at most `n_workers` workers as plain data."""
    shown = info.workers if n_workers < 0 else info.workers[:n_workers]
    facts = {
        "type": "Scheduler",
        "id": info.scheduler_id,
        "address": info.address or address,
        "services": dict(info.services),
        "started": info.started,
        "n_workers": len(info.workers),
        "total_threads": sum(worker.nthreads for worker in info.workers),
        "total_memory": sum(worker.memory_limit for worker in info.workers),
        "workers": {worker.address: describe_worker(worker) for worker in shown},
    }
    return SchedulerInfo(facts)


def describe_worker(worker: scheduler_service_pb2.WorkerInfo) -> dict[str, Any]:
    """Return the scheduler's facts about one worker as plain data."""
    status = common_pb2.WorkerStatus.Name(worker.status).removeprefix("WORKER_STATUS_").lower()
    return {
        "type": "Worker",
        "id": as_given(worker.name),
        "host": worker.host,
        "resources": dict(worker.resources),
        "local_directory": worker.local_directory,
        "name": as_given(worker.name),
        "nthreads": worker.nthreads,
        "memory_limit": worker.memory_limit,
        "last_seen": worker.last_seen,
        "services": dict(worker.services),
        "metrics": nested_metrics(worker.metrics),
        "status": status,
        "nanny": worker.nanny or None,
        "pid": worker.pid,
    }
