"""Orders about where results are kept: one coroutine each, to be run on the IO loop."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from google.protobuf.message import Message

from dagrpc._client import admin
from dagrpc._client.options import Workers, worker_names
from dagrpc._client.session import ClientSession
from dagrpc._codec.calls import result_of
from dagrpc._rpc.channels import ServiceClient
from dagrpc.v1 import memory_service_pb2, scaling_service_pb2, scheduler_service_pb2

_ACTIONS = {
    "running": memory_service_pb2.MEMORY_MANAGER_ACTION_UNSPECIFIED,
    "start": memory_service_pb2.MEMORY_MANAGER_ACTION_START,
    "stop": memory_service_pb2.MEMORY_MANAGER_ACTION_STOP,
    "run_once": memory_service_pb2.MEMORY_MANAGER_ACTION_RUN_ONCE,
}


def _client(session: ClientSession, descriptor: Any) -> ServiceClient:
    session.check_open()
    assert session.scheduler is not None
    return ServiceClient(session.scheduler.channel, descriptor, session.scheduler.peer)


async def _ask(session: ClientSession, method: str, request: Message, answer: type[Any], limit: float | None) -> Any:
    # What was submitted or released before has to be known.
    await session.ping()
    client = _client(session, memory_service_pb2.DESCRIPTOR.services_by_name["MemoryService"])
    return await client.call(method, request, answer, timeout=limit)


async def control_memory_manager(session: ClientSession, action: str) -> bool | None:
    """Start, stop or run the active memory manager, or tell whether it is started."""
    request = memory_service_pb2.ControlMemoryManagerRequest(action=_ACTIONS[action])
    answer = await _ask(session, "ControlMemoryManager", request, memory_service_pb2.ControlMemoryManagerResponse, 30.0)
    return bool(answer.running) if action == "running" else None


async def replicate(
    session: ClientSession, wire_keys: Sequence[str], copies: int, workers: Workers, branching: int
) -> list[str]:
    """Have results copied; return the keys of those that no worker holds."""
    request = memory_service_pb2.ReplicateRequest(
        keys=wire_keys, copies=copies, workers=worker_names(workers), branching_factor=branching
    )
    answer = await _ask(session, "Replicate", request, memory_service_pb2.ReplicateResponse, None)
    return list(answer.missing)


async def rebalance(session: ClientSession, wire_keys: Sequence[str] | None, workers: Workers) -> list[str]:
    """Have results moved; return the keys of those that could not be."""
    if wire_keys is not None and not wire_keys:
        return []
    request = memory_service_pb2.RebalanceRequest(keys=wire_keys, workers=worker_names(workers))
    answer = await _ask(session, "Rebalance", request, memory_service_pb2.RebalanceResponse, None)
    return list(answer.failed)


# --- taking workers out ------------------------------------------------------------------------------------------


async def workers_to_close(
    session: ClientSession, count: int | None, stay: int, memory_ratio: float, key: Callable[[Any], Hashable] | None
) -> list[str]:
    """Return the addresses of workers that may go."""
    groups = await _groups(session, key) if key is not None else {}
    request = scaling_service_pb2.ChooseWorkersToCloseRequest(
        count=count, minimum=stay, memory_ratio=memory_ratio, groups=groups
    )
    client = _client(session, scaling_service_pb2.DESCRIPTOR.services_by_name["ScalingService"])
    answer = await client.call(
        "ChooseWorkersToClose", request, scaling_service_pb2.ChooseWorkersToCloseResponse, timeout=30.0
    )
    return [worker.address for worker in answer.workers]


async def _groups(session: ClientSession, key: Callable[[Any], Hashable]) -> dict[str, str]:
    """Return the group of each worker, as a function of the user's tells that is given what the scheduler knows."""

    def tell(dask_scheduler: Any) -> dict[str, str]:
        return {address: repr(key(worker)) for address, worker in dask_scheduler.workers.items()}

    found: dict[str, str] = result_of(await admin.run_on_scheduler(session, tell, (), {}), session.families)
    return found


async def retire_workers(session: ClientSession, names: Sequence[str], *, close: bool) -> dict[str, dict[str, Any]]:
    """Take workers out, and return what they were."""
    if not names:
        return {}
    known = (await admin.scheduler_info(session))["workers"]
    request = scheduler_service_pb2.RetireWorkersRequest(workers=names, keep_open=not close)
    client = _client(session, scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"])
    answer = await client.call("RetireWorkers", request, scheduler_service_pb2.RetireWorkersResponse, timeout=None)
    return {address: known.get(address, {}) for address in answer.workers}
