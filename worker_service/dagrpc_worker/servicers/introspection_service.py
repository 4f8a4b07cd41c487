"""IntrospectionService: what the worker knows, and what happened on it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from dagrpc._common.versions import host_facts, own_versions, package_versions
from dagrpc.v1 import introspection_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc_worker.shell.service import WorkerService

SERVICE = pb.DESCRIPTOR.services_by_name["IntrospectionService"]

_PIECE = 1 << 20
"""Bytes of a document in one message."""


class IntrospectionServicer:
    """Tells of the worker; each method is the rpc of its name.

    Parameters
    ----------
    worker : WorkerService
        The worker.
    """

    def __init__(self, worker: WorkerService) -> None:
        self._worker = worker

    async def GetVersions(self, request: pb.GetVersionsRequest) -> pb.GetVersionsResponse:
        own = pb.ProcessVersions(host=host_facts(), packages=package_versions(request.packages))
        return pb.GetVersionsResponse(own=own)

    async def GetStory(self, request: pb.GetStoryRequest) -> pb.GetStoryResponse:
        address = self._worker.address
        return pb.GetStoryResponse(
            transitions=[
                pb.Transition(key=key, start=start, finish=finish, stimulus=stimulus, time=when, source=address)
                for key, start, finish, stimulus, when in self._worker.state.story_of(request.keys_or_stimuli)
            ]
        )

    async def DumpState(self, _: pb.DumpStateRequest, context: Any) -> None:
        facts = self._describe()
        data = await asyncio.to_thread(lambda: json.dumps(facts, default=str).encode())
        for start in range(0, len(data), _PIECE):
            piece = pb.DumpStateResponse(source=self._worker.address, data=data[start : start + _PIECE])
            await context.write(piece.SerializeToString())

    def _describe(self) -> dict[str, Any]:
        worker, view = self._worker, self._worker.state
        return {
            "type": "Worker",
            "id": worker.id,
            "address": worker.address,
            "name": worker.name,
            "time": time.time(),
            "status": "closing" if worker.closed else "paused" if view.paused else "running",
            "versions": own_versions(),
            "nthreads": worker.nthreads,
            "memory_limit": worker.memory_limit,
            "scheduler": worker.scheduler_address,
            "nanny": worker.nanny,
            "local_directory": worker.local_directory,
            "executing": worker.executing(),
            "counts": worker.counts(),
            "tasks": {key: view.describe(key) for key in view.managed_keys()},
            "data": view.stored(),
            "resources": {"total": view.resources_total(), "used": view.resources_used()},
            "durations": view.durations(),
            "log": [list(entry) for entry in view.story()],
        }
