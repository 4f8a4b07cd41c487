"""What a worker says of itself, as messages."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dagrpc._common.addresses import split_address
from dagrpc._common.versions import own_versions
from dagrpc.v1 import common_pb2, scheduler_service_pb2, worker_session_pb2

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService


def introduce(worker: WorkerService) -> worker_session_pb2.WorkerHello:
    """Return how a worker introduces itself to the scheduler."""
    return worker_session_pb2.WorkerHello(
        address=worker.address,
        name=worker.name,
        nthreads=worker.nthreads,
        memory_limit=worker.memory_limit,
        resources=worker.resources,
        nanny=worker.nanny,
        local_directory=worker.local_directory,
        pid=os.getpid(),
        startup_information=worker.startup_information,
        versions=common_pb2.Versions(**own_versions()),
    )


def describe(worker: WorkerService) -> scheduler_service_pb2.WorkerInfo:
    """Return what the worker is."""
    return scheduler_service_pb2.WorkerInfo(
        address=worker.address,
        name=worker.name,
        host=split_address(worker.address)[0],
        nthreads=worker.nthreads,
        memory_limit=worker.memory_limit,
        resources=worker.resources,
        status=worker.status,
        nanny=worker.nanny,
        local_directory=worker.local_directory,
        pid=os.getpid(),
        last_seen=time.time(),
        metrics={"in_memory": len(worker.data), "managed_bytes": worker.data.nbytes, **worker.counts()},
        versions=common_pb2.Versions(**own_versions()),
    )
