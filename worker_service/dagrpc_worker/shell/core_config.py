"""The settings of the worker's core, read from the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from dagrpc import config
from dagrpc_worker.core.config import WorkerCoreConfig
from dagrpc_worker.options import WorkerOptions


def core_config(options: WorkerOptions, executors: Mapping[str, int]) -> WorkerCoreConfig:
    """Return the core's settings; `executors` are threads of named pools."""
    return WorkerCoreConfig(
        gathers=int(config.get("worker.connections.outgoing")),
        gather_nbytes=config.get_bytes("worker.transfer.message-bytes-limit"),
        gathers_nbytes=options.transfer_limit(),
        timeout_grace=config.get_seconds("worker.timeout-grace") or 0.0,
        timed_out_limit=int(config.get("worker.timed-out-tasks")),
        executors=executors,
    )
