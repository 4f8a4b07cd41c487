"""Running functions outside of the task graph: on workers, on the scheduler, on the client's event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from dagrpc import config
from dagrpc._client.client_core import ClientCore, HasCore
from dagrpc._client.client_session import ClientSession
from dagrpc._client.services import scheduler_service
from dagrpc._client.submission_options import Duration, Workers, worker_names
from dagrpc._client.waiting import Deadline, Operation, RunOnLoop
from dagrpc._codec.calls import encode_call_request, result_of
from dagrpc._common.remote_raise import at_surface, uncarried
from dagrpc.v1 import scheduler_service_pb2 as pb

# Options are annotated with Any, too: type checkers have to accept `client.run(f, **options)`.


@at_surface
def run(
    self: HasCore,
    function: Callable[..., Any],
    *args: Any,
    workers: Workers | Any = None,
    wait: bool | Any = True,
    nanny: bool | Any = False,
    on_error: str | Any = "raise",
    **kwargs: Any,
) -> Any:
    """Run a function on workers, outside of the task graph.

    Parameters
    ----------
    function : callable
        A function or coroutine function. A parameter ``dask_worker`` receives the worker.
    *args, **kwargs
        Arguments of the function.
    workers : str or iterable of str, optional
        Addresses, names or host names; all workers by default.
    wait : bool
        Whether to wait for the function to return.
    nanny : bool
        Whether to run the function in the nannies of the workers instead.
    on_error : {"raise", "return", "ignore"}
        Whether to raise an exception, to return it in place of the value, or to leave out its worker.

    Returns
    -------
    dict
        Return values by address of the worker; None with ``wait=False``.

    Examples
    --------
    >>> def where(dask_worker):
    ...     return dask_worker.name
    >>> client.run(where)
    {'127.0.0.1:...': ..., '127.0.0.1:...': ...}
    >>> sorted(client.run(where).values())
    [0, 1]
    """
    if on_error not in ("raise", "return", "ignore"):
        raise ValueError(f"on_error must be 'raise', 'return' or 'ignore', not {on_error!r}")
    core = self._core
    calling = call_on_workers(core.session, function, args, kwargs, workers=workers, wait=wait, nanny=nanny)
    return core.run(_values(core, calling, on_error))


def _values(
    core: ClientCore, calling: Coroutine[Any, Any, Sequence[pb.RunResult] | None], on_error: str
) -> Operation[dict[str, Any] | None]:
    results = yield from core.on_loop(calling)
    return None if results is None else values_by_worker(core.session, results, on_error)


def run_coroutine(self: HasCore, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a coroutine function on workers: an old name of `run`.

    Parameters
    ----------
    function, *args, **kwargs
        As for `run`.

    Examples
    --------
    >>> async def double(x):
    ...     return 2 * x
    >>> client.run_coroutine(double, 21)
    {'127.0.0.1:...': 42, '127.0.0.1:...': 42}
    """
    return run(self, function, *args, **kwargs)


@at_surface
def run_on_scheduler(self: HasCore, function: Callable[..., Any], *args: Any, wait: bool = True, **kwargs: Any) -> Any:
    """Run a function on the scheduler, if the scheduler runs code of clients.

    Parameters
    ----------
    function : callable
        A function or coroutine function. A parameter ``dask_scheduler`` receives the scheduler.
    *args, **kwargs
        Arguments of the function.
    wait : bool
        Whether to wait for the function to return. Otherwise its exceptions are only logged by the scheduler.

    Returns
    -------
    object
        The return value; None with ``wait=False``.

    Raises
    ------
    CodeNotAllowedError
        If the scheduler does not run code of clients.

    Examples
    --------
    >>> def count(dask_scheduler):
    ...     return len(dask_scheduler.workers)
    >>> client.run_on_scheduler(count)
    2
    """
    core = self._core
    return core.run(_value(core, call_on_scheduler(core.session, function, args, kwargs, wait)))


def _value(core: ClientCore, calling: Coroutine[Any, Any, pb.RunResult]) -> Operation[Any]:
    return result_of((yield from core.on_loop(calling)), core.session.families)


def sync(
    self: HasCore,
    func: Callable[..., Any],
    *args: Any,
    asynchronous: bool | None = None,
    callback_timeout: Duration = None,
    **kwargs: Any,
) -> Any:
    """Run a coroutine function on the client's event loop.

    Parameters
    ----------
    func : coroutine function
        The function.
    *args, **kwargs
        Arguments of the function.
    asynchronous : bool, optional
        Whether to return an awaitable; by default an asynchronous client does.
    callback_timeout : number or str, optional
        How long to wait.

    Raises
    ------
    TimeoutError
        If the coroutine takes longer.

    Examples
    --------
    >>> async def answer(): return 42
    >>> client.sync(answer)
    42
    """
    return self._core.run(_sync(self._core, func, args, kwargs, config.seconds(callback_timeout)), asynchronous)


def _sync(
    core: ClientCore, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], timeout: float | None
) -> Operation[Any]:
    async def call() -> Any:
        return await func(*args, **kwargs)

    return (yield RunOnLoop(core.loop, call(), Deadline(timeout), f"{func!r} did not end"))


# --- calls of the scheduler, for this and other modules --------------------------------------------------------------


async def call_on_workers(
    session: ClientSession,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    workers: Workers,
    wait: bool = True,
    nanny: bool = False,
) -> Sequence[pb.RunResult] | None:
    """Call a function on workers and return the encoded outcomes; None with ``wait=False``."""
    if workers is not None and not worker_names(workers):
        return ()
    request = pb.RunOnWorkersRequest(
        function=encode_call_request(function, args, kwargs, session.families),
        workers=worker_names(workers),
        nanny=nanny,
        no_wait=not wait,
    )
    service = scheduler_service(session)
    response = await service.call("RunOnWorkers", request, pb.RunOnWorkersResponse, timeout=None)
    return response.results if wait else None


def values_by_worker(session: ClientSession, results: Sequence[pb.RunResult], on_error: str) -> dict[str, Any]:
    """Return the decoded return values by address of the worker."""
    values: dict[str, Any] = {}
    for result in results:
        try:
            values[result.worker] = result_of(result, session.families)
        except BaseException as error:
            if on_error == "raise":
                raise
            if on_error == "return":
                values[result.worker] = uncarried(error)
    return values


async def call_on_scheduler(
    session: ClientSession,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    wait: bool = True,
) -> pb.RunResult:
    """Call a function on the scheduler and return the encoded outcome, which is empty with ``wait=False``."""
    called = encode_call_request(function, args, kwargs, session.families)
    request = pb.RunOnSchedulerRequest(function=called, no_wait=not wait)
    service = scheduler_service(session)
    response = await service.call("RunOnScheduler", request, pb.RunOnSchedulerResponse, timeout=None)
    return response.result
