"""Encodes and runs calls outside the graph: on workers, nannies or the scheduler."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from dagrpc._codec import payload as payloads
from dagrpc._codec.failures import decode_failure, encode_failure, type_name
from dagrpc._codec.unpickling import with_unpickle_lock
from dagrpc._common.remote_raise import raise_from_elsewhere
from dagrpc._process.as_distributed import install_if_asked
from dagrpc.exceptions import CommClosedError, InvalidRequestError, RemoteTaskError
from dagrpc.v1 import common_pb2, failure_pb2, scheduler_service_pb2


def encode_call_request(
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    families: Sequence[str] | None = None,
) -> common_pb2.Payload:
    """Return a function with its arguments as a payload.

    Parameters
    ----------
    families : sequence of str, optional
        Families of encodings that the caller accepts for the result.

    Raises
    ------
    Exception
        Any exception that pickling the function or its arguments raises.
    """
    request = (function, tuple(args), dict(kwargs or {}))
    return payloads.to_payload((*request, tuple(families)) if families is not None else request)


async def run_payload(
    payload: common_pb2.Payload, injected: Mapping[str, Any], executor: Executor
) -> scheduler_service_pb2.RunResult:
    """Run the function of a payload: in a thread, or on the running loop if it is a coroutine function.

    Parameters
    ----------
    payload : Payload
        A payload that `encode_call_request` made.
    injected : mapping
        Arguments that the function gets if it has a parameter of the name, such as ``dask_worker``.
    executor : concurrent.futures.Executor
        Threads for user code.

    Returns
    -------
    RunResult
        The value or the exception. The caller sets ``worker``.
    """
    loop = asyncio.get_running_loop()
    try:
        outcome = await loop.run_in_executor(executor, _call_caught, payload, injected)
        if isinstance(outcome, _Raised):
            return scheduler_service_pb2.RunResult(exception=encode_exception(outcome.error))
        awaitable, value, families = outcome
        if awaitable is not None:
            value = await awaitable
        encoded = await loop.run_in_executor(executor, payloads.to_payload, value, families)
    except asyncio.CancelledError:
        raise
    # Includes SystemExit and KeyboardInterrupt, since any exception of a user's function is a result.
    except BaseException as error:
        return scheduler_service_pb2.RunResult(exception=encode_exception(error))
    return scheduler_service_pb2.RunResult(value=encoded)


class _Raised:
    """Wraps an exception of a user's function, since futures cannot hold all exceptions, such as `StopIteration`."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _call_caught(payload: common_pb2.Payload, injected: Mapping[str, Any]) -> tuple[Any, Any, Sequence[str]] | _Raised:
    try:
        return _call(payload, injected)
    except BaseException as error:
        return _Raised(error)


def _call(payload: common_pb2.Payload, injected: Mapping[str, Any]) -> tuple[Any, Any, Sequence[str]]:
    """Return a coroutine to await, or None and the value; and the families for encoding the value."""
    # A scheduler or nanny has not imported the module before.
    install_if_asked()
    try:
        function, args, kwargs, *families = with_unpickle_lock(payloads.from_payload, payload)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"The function cannot be decoded: {error}") from error
    kwargs = with_injected(function, kwargs, injected)
    accepted = families[0] if families else ()
    value = function(*args, **kwargs)
    return (value, None, accepted) if inspect.iscoroutine(value) else (None, value, accepted)


def with_injected(
    function: Callable[..., Any], kwargs: Mapping[str, Any], injected: Mapping[str, Any]
) -> dict[str, Any]:
    """Return keyword arguments, with those injected arguments that the function has parameters for.

    Examples
    --------
    >>> with_injected(lambda dask_worker: 1, {}, {"dask_worker": "w", "other": 2})
    {'dask_worker': 'w'}
    """
    extra = {name: value for name, value in injected.items() if name not in kwargs and _has_parameter(function, name)}
    return {**kwargs, **extra}


def _has_parameter(function: Callable[..., Any], name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions have no signature
        return False


def encode_exception(error: BaseException) -> common_pb2.Payload:
    """Return an exception with its traceback as a payload, or its text if it cannot be pickled."""
    failure = encode_failure(error, skip_frames=_own_frames(error))
    if not failure.HasField("exception"):
        # The exception is too large.
        told = RemoteTaskError(failure.type_name, failure.message, failure.traceback_text)
        failure = encode_failure(told)
    return failure.exception


def _own_frames(error: BaseException) -> int:
    """Return the number of outermost frames that come before the user's function."""
    count, trace, own = 0, error.__traceback__, (__file__, inspect.__file__)
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if path not in own and "concurrent/futures" not in path.replace("\\", "/"):
            break
        count += 1
        trace = trace.tb_next
    return count


def result_of(result: scheduler_service_pb2.RunResult, families: Sequence[str] | None = None) -> Any:
    """Return the return value of a function; None if the call did not wait for it.

    Parameters
    ----------
    families : sequence of str, optional
        Families of encodings that are accepted.

    Raises
    ------
    BaseException
        The exception that the function raised, with its traceback.
    CommClosedError
        If the worker could not be reached.
    """
    outcome = result.WhichOneof("outcome")
    if outcome == "value":
        return payloads.from_payload(result.value, families)
    if outcome == "exception":
        error = decode_failure(failure_pb2.Failure(type_name=type_name(Exception), exception=result.exception))
        raise_from_elsewhere(error, error.__traceback__)
    if outcome == "unreachable":
        raise CommClosedError(f"{result.worker}: {result.unreachable}")
    return None
