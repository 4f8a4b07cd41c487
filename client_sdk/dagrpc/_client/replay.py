"""Running a task of the cluster in this process, with the inputs that it had."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dagrpc._client import current
from dagrpc._client.gather import values_of
from dagrpc._client.key_table import ERROR
from dagrpc._client.progress_stream import inquiry
from dagrpc._client.session import ClientSession
from dagrpc._client.waiting import Countdown, Deadline, Operation, RunOnLoop
from dagrpc._codec.shared_store import SharedStore
from dagrpc._codec.tasks import load_task
from dagrpc._common.keys import decode_key
from dagrpc.future import Future
from dagrpc.v1 import inquiry_service_pb2 as pb

if TYPE_CHECKING:
    from dagrpc._client.connection import Connection


def failed(client: Connection, futures: Sequence[Future[Any]]) -> Operation[Any]:
    """Run the task that failed first on account of which one of some futures has failed."""
    states = [future.bound_state() for future in futures]
    yield Countdown(states, Deadline(None))
    erred = [state for state in states if state.status == ERROR]
    if not erred:
        raise ValueError("No errored futures passed")
    return (yield from _run_here(client, erred[0].wire_key, failed_first=True))


def any_task(client: Connection, futures: Sequence[Future[Any]]) -> Operation[Any]:
    """Run the task of a future once it is done."""
    if not futures:
        raise ValueError("No futures passed")
    state = futures[0].bound_state()
    yield Countdown([state], Deadline(None))
    return (yield from _run_here(client, state.wire_key, failed_first=state.status == ERROR))


def _run_here(client: Connection, wire_key: str, *, failed_first: bool) -> Operation[Any]:
    client._check_open()
    work = yield RunOnLoop(client._loop, _work(client._session, wire_key, failed_first))
    if not work.run_spec:
        raise ValueError(
            f"{decode_key(work.key)!r} is not a Python task that could be run here, such as scattered data"
        )
    # Held while they are fetched: what nobody needed any more is computed again.
    inputs: list[Future[Any]] = [Future(decode_key(key), client) for key in work.dependencies]
    states = [future.bound_state() for future in inputs]
    values = yield from values_of(client, states, "raise", None, Deadline(None))
    store = SharedStore()
    for shared in work.shared:
        store.put(shared.digest, shared.data)
    results = {key: values[key] for key in work.dependencies}
    with current.as_current(client):
        function, args, kwargs = load_task(work.run_spec, [shared.digest for shared in work.shared], store, results)
        result = function(*args, **kwargs)
    if inspect.iscoroutine(result):
        result = yield RunOnLoop(client._loop, result)
    return result


async def _work(session: ClientSession, wire_key: str, failed_first: bool) -> pb.GetTaskWorkResponse:
    await session.ping()
    request = pb.GetTaskWorkRequest(key=wire_key, failed_first=failed_first)
    return await inquiry(session).call("GetTaskWork", request, pb.GetTaskWorkResponse)
