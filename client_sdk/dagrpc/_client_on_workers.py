"""The parts of the client that workers and nannies give to user code; services import no other module of the client.

Tasks and plugins get a client of the cluster, the scheduler's calls, and proxies of actors, so a service cannot do
without these parts. The names are looked up when they are first used: most workers never need them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagrpc._client.actor_calls import ActorCaller, CallState
    from dagrpc._client.client_core import core_of
    from dagrpc._client.current import begin_tasks, end_tasks
    from dagrpc._client.scheduler_calls import SchedulerCalls
    from dagrpc._client.worker_client import WorkerClientFactory
    from dagrpc.actor import Actor
    from dagrpc.client import Client

__all__ = [
    "Actor",
    "ActorCaller",
    "CallState",
    "Client",
    "SchedulerCalls",
    "WorkerClientFactory",
    "begin_tasks",
    "core_of",
    "end_tasks",
]

_ORIGINS = {
    "Actor": "dagrpc.actor",
    "ActorCaller": "dagrpc._client.actor_calls",
    "CallState": "dagrpc._client.actor_calls",
    "Client": "dagrpc.client",
    "SchedulerCalls": "dagrpc._client.scheduler_calls",
    "WorkerClientFactory": "dagrpc._client.worker_client",
    "begin_tasks": "dagrpc._client.current",
    "core_of": "dagrpc._client.client_core",
    "end_tasks": "dagrpc._client.current",
}


def __getattr__(name: str) -> Any:
    if name not in _ORIGINS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_ORIGINS[name]), name)
    return value
