"""Compares outcomes: converts values of any kind to a form that Python can compare."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Outcome:
    """The outcome of one statement of a program: a value or an exception, in comparable form."""

    what: str
    form: Any


def outcome_of(compute: Callable[[], Any]) -> Outcome:
    """Return the outcome of a computation."""
    try:
        return Outcome("value", comparable(compute()))
    except Exception as error:
        # The frames of the traceback hold the program's futures, and the future that failed holds the exception.
        return Outcome("error", exception_form(error.with_traceback(None)))


def exception_form(error: BaseException | None) -> Any:
    """Return class, arguments, notes and causes of an exception, and the members of a group."""
    if error is None:
        return None
    members = [exception_form(member) for member in error.exceptions] if isinstance(error, BaseExceptionGroup) else None
    return (
        type(error).__name__,
        comparable(list(error.args)) if members is None else error.message,  # type: ignore[attr-defined]
        list(getattr(error, "__notes__", ())),
        exception_form(error.__cause__),
        exception_form(error.__context__) if error.__cause__ is None and not error.__suppress_context__ else None,
        members,
    )


def comparable(value: Any) -> Any:
    """Return a value as plain containers and text, such that equal forms mean equal types and values."""
    if isinstance(value, np.ndarray):
        return ("array", str(value.dtype), value.shape, [comparable(item) for item in value.ravel().tolist()])
    if isinstance(value, (pd.DataFrame, pd.Series, pd.Index)):
        return _pandas_form(value)
    if isinstance(value, dict):
        return (type(value).__name__, [(comparable(key), comparable(item)) for key, item in value.items()])
    if isinstance(value, (set, frozenset)):
        return (type(value).__name__, sorted((comparable(item) for item in value), key=repr))
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [comparable(item) for item in value])
    if isinstance(value, BaseException):
        return exception_form(value)
    if isinstance(value, partial):
        return ("partial", comparable(value.func), comparable(value.args), comparable(value.keywords))
    if isinstance(value, (types.FunctionType, types.MethodType, type)):
        return ("callable", value.__qualname__)
    if isinstance(value, (float, complex, np.floating)):
        # Sums may be added up in another order.
        return (type(value).__name__, repr(value) if value != value else f"{value:.9g}")
    if type(value).__module__ == "__main__":
        return (type(value).__name__, comparable(getattr(value, "__dict__", repr(value))))
    return (type(value).__name__, repr(value))


def _pandas_form(value: pd.DataFrame | pd.Series | pd.Index) -> Any:
    if isinstance(value, pd.Index):
        return (type(value).__name__, str(value.dtype), [comparable(item) for item in value.tolist()])
    frame = value.to_frame() if isinstance(value, pd.Series) else value
    columns = [
        (repr(name), _dtype_form(frame.iloc[:, position].dtype), [comparable(item) for item in frame.iloc[:, position]])
        for position, name in enumerate(frame.columns)
    ]
    return (type(value).__name__, comparable(frame.index), columns)


def _dtype_form(dtype: Any) -> Any:
    if isinstance(dtype, pd.CategoricalDtype):
        # Parts may have met their categories in another order.
        return ("category", sorted(repr(item) for item in dtype.categories), dtype.ordered)
    return str(dtype)
