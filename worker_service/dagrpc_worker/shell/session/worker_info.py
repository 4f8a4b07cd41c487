"""Messages that describe a worker: to register it, and to answer questions about it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from dagrpc import config
from dagrpc._common.addresses import split_address
from dagrpc._common.versions import own_versions
from dagrpc.registry import exported_names
from dagrpc.v1 import common_pb2, scheduler_service_pb2, worker_session_pb2
from dagrpc_worker.data.result_store import DataStore
from dagrpc_worker.execute.named_functions import allowed_patterns
from dagrpc_worker.shell.worker_record import WorkerRecord


def introduce(worker: WorkerRecord) -> worker_session_pb2.WorkerHello:
    """Return the message with which a worker registers at the scheduler."""
    return worker_session_pb2.WorkerHello(
        address=worker.address,
        name=worker.name,
        nthreads=worker.nthreads,
        memory_limit=worker.memory_limit,
        resources=worker.resources,
        nanny=worker.nanny,
        local_directory=worker.local_directory,
        services=worker.services,
        pid=os.getpid(),
        startup_information=worker.startup_information,
        versions=common_pb2.Versions(**own_versions()),
        functions=exported_functions(),
        refuses_code=not config.get("worker.takes-code"),
    )


def exported_functions() -> worker_session_pb2.ExportedFunctions:
    """Return the message that lists the functions which callers may call by name."""
    return worker_session_pb2.ExportedFunctions(names=sorted(exported_names()), patterns=allowed_patterns())


def describe(worker: WorkerRecord, data: DataStore, counts: Mapping[str, float]) -> scheduler_service_pb2.WorkerInfo:
    """Return the description of a worker and its metrics."""
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
        services=worker.services,
        pid=os.getpid(),
        last_seen=time.time(),
        metrics={"in_memory": len(data), "managed_bytes": data.nbytes, **counts},
        versions=common_pb2.Versions(**own_versions()),
    )
