"""Running a task of the cluster in this process, with the inputs that it had, for debuggers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from dagrpc._client import current
from dagrpc._client.client_core import ClientCore, HasCore
from dagrpc._client.client_session import ClientSession
from dagrpc._client.find_futures import futures_in
from dagrpc._client.key_table import ERROR
from dagrpc._client.progress_stream import inquiry_service
from dagrpc._client.results import values_of
from dagrpc._client.waiting import Countdown, Deadline, Operation, RunOnLoop
from dagrpc._codec.run_specs import load_task
from dagrpc._codec.shared_store import SharedStore
from dagrpc._common.keys import decode_key
from dagrpc.future import Future
from dagrpc.v1 import inquiry_service_pb2 as pb


def recreate_error_locally(self: HasCore, future: Any) -> Any:
    """Run a failed task again in this process, with the inputs that it had, for a debugger.

    Inputs that are not on the cluster any more are computed again.

    Parameters
    ----------
    future : Future or collection
        The failed task, or a task that failed because one of its inputs did.

    Raises
    ------
    ValueError
        If no task has failed.
    Exception
        The exception of the task.

    Examples
    --------
    >>> future = client.submit(lambda x: 1 / x, 0)
    >>> client.recreate_error_locally(future)
    Traceback (most recent call last):
        ...
    ZeroDivisionError: division by zero
    """
    return self._core.run(_run_failed(self._core, futures_in(future)))


def _run_failed(core: ClientCore, futures: Sequence[Future[Any]]) -> Operation[Any]:
    """Run the task whose failure made the first failed future fail."""
    states = [future.bound_state() for future in futures]
    yield Countdown(states, Deadline(None))
    erred = [state for state in states if state.status == ERROR]
    if not erred:
        raise ValueError("No errored futures passed")
    return (yield from _run_here(core, erred[0].wire_key, failed_first=True))


def recreate_task_locally(self: HasCore, future: Any) -> Any:
    """Run a task again in this process, with the inputs that it had on the cluster, whether it failed or not.

    Parameters
    ----------
    future : Future or collection
        The task; the first task of several.

    Returns
    -------
    The return value of the task.

    Raises
    ------
    ValueError
        If the future does not belong to a task, such as a future of scattered data.

    Examples
    --------
    >>> client.recreate_task_locally(client.submit(sum, [1, 2]))
    3
    """
    return self._core.run(_run_any(self._core, futures_in(future)))


def _run_any(core: ClientCore, futures: Sequence[Future[Any]]) -> Operation[Any]:
    """Run the task of the first future, once it is done."""
    if not futures:
        raise ValueError("No futures passed")
    state = futures[0].bound_state()
    yield Countdown([state], Deadline(None))
    return (yield from _run_here(core, state.wire_key, failed_first=state.status == ERROR))


def _run_here(core: ClientCore, wire_key: str, *, failed_first: bool) -> Operation[Any]:
    """Fetch a task and its inputs, and run the task."""
    core.check_open()
    work = yield RunOnLoop(core.loop, _task_work(core.session, wire_key, failed_first))
    if not work.run_spec:
        raise ValueError(
            f"{decode_key(work.key)!r} is not a Python task that could be run here, such as scattered data"
        )
    # Futures hold the inputs while they are fetched. Inputs that were released are computed again.
    inputs: list[Future[Any]] = [Future(decode_key(key), core.client) for key in work.dependencies]
    states = [future.bound_state() for future in inputs]
    values = yield from values_of(core, states, "raise", None, Deadline(None))
    store = SharedStore()
    for shared in work.shared:
        store.put(shared.digest, shared.data)
    results = {key: values[key] for key in work.dependencies}
    with current.as_current(core.client):
        function, args, kwargs = load_task(work.run_spec, [shared.digest for shared in work.shared], store, results)
        result = function(*args, **kwargs)
    if inspect.iscoroutine(result):
        result = yield RunOnLoop(core.loop, result)
    return result


async def _task_work(session: ClientSession, wire_key: str, failed_first: bool) -> pb.GetTaskWorkResponse:
    await session.ping()
    request = pb.GetTaskWorkRequest(key=wire_key, failed_first=failed_first)
    return await inquiry_service(session).call("GetTaskWork", request, pb.GetTaskWorkResponse)
