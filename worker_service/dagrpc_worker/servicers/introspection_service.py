"""IntrospectionService: versions, the story of keys, and a dump of the worker's state."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from dagrpc._common.versions import host_facts, own_versions, package_versions
from dagrpc.v1 import introspection_service_pb2 as pb
from dagrpc_worker.shell.worker_record import WorkerPort

SERVICE = pb.DESCRIPTOR.services_by_name["IntrospectionService"]

_PIECE = 1 << 20
"""Bytes of a document in one message."""


class IntrospectionServicer:
    """The methods of IntrospectionService, by the names of the contract."""

    def __init__(self, worker: WorkerPort) -> None:
        self._worker = worker

    async def GetVersions(self, request: pb.GetVersionsRequest) -> pb.GetVersionsResponse:
        own = pb.ProcessVersions(host=host_facts(), packages=package_versions(request.packages))
        return pb.GetVersionsResponse(own=own)

    async def GetStory(self, request: pb.GetStoryRequest) -> pb.GetStoryResponse:
        address = self._worker.record.address
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
            piece = pb.DumpStateResponse(source=self._worker.record.address, data=data[start : start + _PIECE])
            await context.write(piece.SerializeToString())

    def _describe(self) -> dict[str, Any]:
        worker, record, view = self._worker, self._worker.record, self._worker.state
        return {
            "type": "Worker",
            "id": record.id,
            "address": record.address,
            "name": record.name,
            "time": time.time(),
            "status": "closing" if worker.closed else "paused" if view.paused else "running",
            "versions": own_versions(),
            "nthreads": record.nthreads,
            "memory_limit": record.memory_limit,
            "scheduler": record.scheduler_address,
            "nanny": record.nanny,
            "local_directory": record.local_directory,
            "executing": worker.executing(),
            "counts": worker.counts(),
            "tasks": {key: view.describe(key) for key in view.managed_keys()},
            "data": view.stored(),
            "resources": {"total": view.resources_total(), "used": view.resources_used()},
            "durations": view.durations(),
            "log": [list(entry) for entry in view.story()],
        }
