"""What users' code on the scheduler can have done, carried out on the scheduler's event loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from dagrpc._codec import calls
from dagrpc_scheduler.core import events, model, views
from dagrpc_scheduler.core.instructions import CloseWorker
from dagrpc_scheduler.shell.workers import worker_calls
from dagrpc_scheduler.shell.workers.retire_workers import retire_workers

if TYPE_CHECKING:
    from dagrpc_scheduler.shell.facade.scheduler import Scheduler

OPERATIONS = ("run", "identity", "terminate")


def _resolve(scheduler: Scheduler, workers: Iterable[str] | None) -> list[str]:
    """Return the addresses of workers given by address, name or host; all if none are given."""
    if workers is None:
        return list(scheduler._core.state.workers)
    try:
        return views.resolve_workers(scheduler._core, workers)
    except views.UnknownWorkerError as error:
        raise ValueError(str(error)) from None


async def retire(scheduler: Scheduler, workers: Iterable[str], close: bool) -> dict[str, Any]:
    """Take workers out. Returns what they were, by address; those whose data cannot be moved are not in it."""
    known = scheduler._core
    addresses = []
    for text in workers:
        try:
            addresses += views.resolve_workers(known, [text])
        except views.UnknownWorkerError:
            # It has left already, which is what was wanted.
            continue
    if not addresses:
        return {}
    described = {address: scheduler.workers[address].identity() for address in addresses}
    retired = await retire_workers(scheduler._service, addresses, close=close)
    return {address: described[address] for address in retired}


async def broadcast(
    scheduler: Scheduler, message: Mapping[str, Any], workers: Iterable[str] | None, nanny: bool, on_error: str
) -> dict[str, Any]:
    """Have workers do something. Returns their answers by address."""
    operation = message.get("op")
    if operation not in OPERATIONS:
        raise ValueError(f"broadcast knows the operations {', '.join(OPERATIONS)}; got msg with op={operation!r}")
    if on_error not in ("raise", "return", "ignore"):
        raise ValueError(f"on_error is {on_error!r}; it must be 'raise', 'return' or 'ignore'")
    addresses = _resolve(scheduler, workers)
    if operation == "identity":
        return {address: scheduler.workers[address].identity() for address in addresses}
    if operation == "terminate":
        for address in addresses:
            await close_worker(scheduler, address)
        return dict.fromkeys(addresses, "OK")
    function = calls.encode_call_request(message["function"], message.get("args", ()), message.get("kwargs"))
    results = await worker_calls.run_on_workers(
        scheduler._service, addresses, function, nanny=nanny, wait=message.get("wait", True)
    )
    answers = {}
    for result in results:
        try:
            answers[result.worker] = calls.result_of(result)
        except Exception as error:
            if on_error == "raise":
                raise
            if on_error == "return":
                answers[result.worker] = error
    return answers


async def close_worker(scheduler: Scheduler, worker: str) -> None:
    """Have a worker close."""
    for address in _resolve(scheduler, [worker]):
        scheduler._service.send(CloseWorker(address, "the scheduler closes it"))


def transition(scheduler: Scheduler, key: str, finish: str, stimulus: str) -> None:
    """Have a task change its state."""
    service = scheduler._service
    task = service.core.state.tasks.get(key)
    if task is None:
        raise KeyError(key)
    cause = stimulus or service.stimulus("transition")
    if finish == model.RELEASED and task.state == model.PROCESSING and task.processing_on is not None:
        service.handle(events.TaskRescheduled(task.processing_on.address, key, task.run_id, cause))
    elif finish == model.RELEASED and task.state == model.ERRED:
        for client in task.wanted_by[:1]:
            service.handle(events.KeysRetried(client.name, [key], cause))
    elif finish == model.FORGOTTEN and task.wanted_by:
        service.handle(events.KeysCancelled(task.wanted_by[0].name, [key], True, "unknown", "", cause))
    elif finish != task.state:
        raise ValueError(f"Task {key!r} is {task.state}: it cannot be made {finish} from outside")
