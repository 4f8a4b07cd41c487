"""dagrpc: runs Python task graphs on a cluster of gRPC services, with the API of dask.distributed.

Names are looked up when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

from dagrpc._common.dask_config import register_defaults
from dagrpc.compat import familiar_names

# These are read when grpc is first imported. Without the first its core prints a line for every connection that a peer
# closes. Without the second a process that is forked off may crash before it can have a gRPC of its own.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")


def _grpc_is(release: str) -> bool:
    """Return whether gRPC is of a release, without importing it, or what tells versions of packages."""
    spec = importlib.util.find_spec("grpc")
    if spec is None or spec.origin is None:
        return False
    try:
        return f'"{release}.' in Path(spec.origin).with_name("_grpcio_metadata.py").read_text(encoding="utf-8")
    except OSError:
        return False


# The sockets of this release's event engine take 10 to 15 % longer for a small message than those it had before. Other
# releases are left as they are: gRPC complains on stderr about names that it does not know.
if _grpc_is("1.85"):
    os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")

register_defaults()
familiar_names.install()

# Where each name comes from.
_EXPORTS = {
    "Actor": "dagrpc.actor",
    "ActorFuture": "dagrpc.actor",
    "BaseActorFuture": "dagrpc.actor",
    "Adaptive": "dagrpc_deploy.adaptive",
    "AdaptiveCore": "dagrpc_deploy.adaptive_core",
    "CancelledError": "dagrpc.exceptions",
    "Client": "dagrpc.client",
    "ClientExecutor": "dagrpc.executor",
    "ClosedClientError": "dagrpc.exceptions",
    "CommClosedError": "dagrpc.exceptions",
    "CondaInstall": "dagrpc.plugins",
    "Environ": "dagrpc.plugins",
    "Event": "dagrpc.coordination.event",
    "Future": "dagrpc.future",
    "FutureCancelledError": "dagrpc.exceptions",
    "FuturesCancelledError": "dagrpc.exceptions",
    "InstallPlugin": "dagrpc.plugins",
    "KilledWorker": "dagrpc.exceptions",
    "LocalCluster": "dagrpc_deploy.local",
    "Lock": "dagrpc.coordination.semaphore",
    "MultiLock": "dagrpc.coordination.multilock",
    "Nanny": "dagrpc_worker.nanny.nanny",
    "NannyPlugin": "dagrpc.plugins",
    "NotAuthenticatedError": "dagrpc.exceptions",
    "NoValidWorkerError": "dagrpc.exceptions",
    "PipInstall": "dagrpc.plugins",
    "Pub": "dagrpc.coordination.pubsub",
    "ProcessInterface": "dagrpc_deploy.process_interface",
    "Queue": "dagrpc.coordination.queues",
    "RemoteTaskError": "dagrpc.exceptions",
    "Reschedule": "dagrpc.exceptions",
    "DockerCluster": "dagrpc_deploy.docker_cluster",
    "KubeCluster": "dagrpc_deploy.kube_cluster",
    "SSHCluster": "dagrpc_deploy.ssh",
    "Scheduler": "dagrpc_scheduler.facade.scheduler",
    "SchedulerPlugin": "dagrpc.plugins",
    "Security": "dagrpc.security",
    "Semaphore": "dagrpc.coordination.semaphore",
    "SpecCluster": "dagrpc_deploy.spec",
    "Server": "dagrpc.low_level",
    "Status": "dagrpc._common.server_status",
    "Sub": "dagrpc.coordination.pubsub",
    "SubprocessCluster": "dagrpc_deploy.subprocesses",
    "TaskInterrupted": "dagrpc.exceptions",
    "TaskTimeout": "dagrpc.exceptions",
    "UploadDirectory": "dagrpc.plugins",
    "UploadFile": "dagrpc.plugins",
    "Variable": "dagrpc.coordination.variable",
    "VersionMismatchWarning": "dagrpc.exceptions",
    "Worker": "dagrpc_worker.shell.facade.worker",
    "WorkerPlugin": "dagrpc.plugins",
    "WorkerStartTimeoutError": "dagrpc.exceptions",
    "as_completed": "dagrpc.completion",
    "default_client": "dagrpc._client.lookup",
    "export": "dagrpc.registry",
    "fire_and_forget": "dagrpc.completion",
    "futures_of": "dagrpc.completion",
    "get_client": "dagrpc._client.lookup",
    "get_task_metadata": "dagrpc.diagnostics.recording",
    "get_task_stream": "dagrpc.diagnostics.recording",
    "get_worker": "dagrpc.inside_task",
    "install_as_distributed": "dagrpc.compat.installation",
    "local_client": "dagrpc.inside_task",
    "print": "dagrpc.messages",
    "performance_report": "dagrpc.diagnostics.report",
    "progress": "dagrpc.progress_bar",
    "connect": "dagrpc.low_level",
    "rejoin": "dagrpc.inside_task",
    "rpc": "dagrpc.low_level",
    "secede": "dagrpc.inside_task",
    "span": "dagrpc.spans",
    "sync": "dagrpc._client.event_loops",
    "uninstall_as_distributed": "dagrpc.compat.installation",
    "wait": "dagrpc.completion",
    "warn": "dagrpc.messages",
    "worker_client": "dagrpc.inside_task",
}

TimeoutError = TimeoutError  # the builtin one, under the name that users of distributed import

__all__ = sorted([*_EXPORTS, "TimeoutError", "__version__"])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = importlib.import_module("dagrpc._common.versions").installed_version("dagrpc")
    elif name in _EXPORTS:
        value = getattr(importlib.import_module(_EXPORTS[name]), name)
    else:
        raise AttributeError(f"module 'dagrpc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
