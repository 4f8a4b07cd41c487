"""Raising what was raised in another process, so that tracebacks go from the caller's line to that of the task.

Between them are dagrpc's own functions, which say nothing about the error. `raise_from_elsewhere` marks the place; the
functions that users call, `at_surface`, leave out what is between themselves and that place. The traceback of an error
that dagrpc itself raises is left whole.
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
    """Raise what was raised in another process, with its traceback there."""
    if isinstance(error, StopIteration):
        raise Carried(error.with_traceback(trace))
    raise error.with_traceback(trace)


def at_surface(function: Callable[P, R]) -> Callable[P, R]:
    """Have a function that users call be the only one of dagrpc in tracebacks of what was raised elsewhere."""

    @wraps(function)
    def surface(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            raised, trace = as_raised(error)
        # Not in the except block: what is handled there would become the error's context.
        try:
            raise raised.with_traceback(trace)
        finally:
            # They would be part of a cycle: the error, its traceback, this frame.
            del raised, trace

    _MARKS.add(surface.__code__)  # type: ignore[attr-defined]
    return surface


def as_raised(error: BaseException) -> tuple[BaseException, TracebackType | None]:
    """Return an error that was just caught, and the traceback to raise it with again."""
    if isinstance(error, Carried):
        return error.error, error.error.__traceback__
    return error, _beyond_own(error.__traceback__)


def uncarried(error: BaseException) -> BaseException:
    """Return what an error carries, or itself."""
    return error.error if isinstance(error, Carried) else error


def _beyond_own(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frame that caught it, and without what is between that and elsewhere."""
    rest = None if trace is None else trace.tb_next
    # No further than to what is the user's: that may have called dagrpc, too.
    while trace is not None and _is_own(trace):
        if trace.tb_frame.f_code in _MARKS:
            rest = trace.tb_next
        trace = trace.tb_next
    return rest


def _is_own(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] in _OWN


_OWN = frozenset(("dagrpc", "asyncio", "concurrent", "contextlib"))
_MARKS: set[CodeType] = {raise_from_elsewhere.__code__}
