"""Raises errors of other processes with tracebacks that go from the caller's line to the task's line.

The frames of dagrpc between the two lines say nothing about the error. `raise_from_elsewhere` marks the place of the
raise; functions that users call have the decorator `at_surface`, which removes the frames down to that place. The
traceback of an error that dagrpc itself raises stays whole.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import CodeType, TracebackType
from typing import NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Carried(RuntimeError):
    """Carries a `StopIteration` through generators and coroutines, which must not raise one."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


def raise_from_elsewhere(error: BaseException, trace: TracebackType | None) -> NoReturn:
    """Raise an error of another process with its traceback from there."""
    if isinstance(error, StopIteration):
        raise Carried(error.with_traceback(trace))
    raise error.with_traceback(trace)


def at_surface(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function for users: it is dagrpc's only frame in tracebacks of errors of other processes."""

    @wraps(function)
    def surface(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            raised, trace = as_raised(error)
        # Outside of the except block, where the caught error would become the context.
        try:
            raise raised.with_traceback(trace)
        finally:
            # The names would make a cycle: the error, its traceback, this frame.
            del raised, trace

    _MARKS.add(surface.__code__)  # type: ignore[attr-defined]
    return surface


def as_raised(error: BaseException) -> tuple[BaseException, TracebackType | None]:
    """Return a caught error and the traceback with which to raise it again."""
    if isinstance(error, Carried):
        return error.error, error.error.__traceback__
    return error, _beyond_own(error.__traceback__)


def uncarried(error: BaseException) -> BaseException:
    """Return the error that `Carried` carries, or the error itself."""
    return error.error if isinstance(error, Carried) else error


def _beyond_own(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames from the one that caught it down to the mark."""
    rest = None if trace is None else trace.tb_next
    # Stop at frames of user code, which may have called dagrpc again.
    while trace is not None and _is_own(trace):
        if trace.tb_frame.f_code in _MARKS:
            rest = trace.tb_next
        trace = trace.tb_next
    return rest


def _is_own(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] in _OWN


_OWN = frozenset(("dagrpc", "asyncio", "concurrent", "contextlib"))
_MARKS: set[CodeType] = {raise_from_elsewhere.__code__}
