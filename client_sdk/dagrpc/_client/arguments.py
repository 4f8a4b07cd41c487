"""Arguments of calls: futures in them become references, and what cannot be pickled is told by name."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from dask.utils import format_bytes, is_namedtuple_instance

from dagrpc import config
from dagrpc._client.tokens import PLAIN
from dagrpc._codec import pickle5
from dagrpc._codec.tasks import DependencyRef, encode_call
from dagrpc.actor import Actor, future_of
from dagrpc.future import Future


def replace_futures(value: Any, found: dict[str, Future[Any]]) -> Any:
    """Return a value with references in place of the futures in it.

    Looks into lists, tuples, sets and dicts, and returns them as they are if there is none.

    Parameters
    ----------
    value : object
        Anything.
    found : dict
        Gets the futures by their keys as on the wire.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, (Future, Actor)):
        future = value if isinstance(value, Future) else future_of(value)
        wire = future.bound_state().wire
        found[wire] = future
        return DependencyRef(wire)
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        items = [replace_futures(item, found) for item in value]
        if any(new is not old for new, old in zip(items, value, strict=True)):
            return kind(items)
    elif kind is dict:
        items = [(name, replace_futures(item, found)) for name, item in value.items()]
        if any(new is not value[name] for name, new in items):
            return dict(items)
    elif is_namedtuple_instance(value):
        items = [replace_futures(item, found) for item in value]
        if any(new is not old for new, old in zip(items, value, strict=True)):
            return kind(*items)
    return value


def encode_arguments(
    name: Hashable, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> bytes:
    """Return the run spec of a call.

    Raises
    ------
    TypeError
        If an argument cannot be pickled; names the task and the argument.
    """
    try:
        run_spec = encode_call(args, kwargs)
    except Exception as error:
        culprit = _culprit(args, kwargs)
        raise TypeError(f"Could not pickle {culprit} of task {name!r}: {type(error).__name__}: {error}") from error
    check_size(len(run_spec), f"task {name!r}")
    return run_spec


def _culprit(args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    named = [(f"argument {position}", value) for position, value in enumerate(args)]
    named += [(f"argument {name!r}", value) for name, value in kwargs.items()]
    for name, value in named:
        try:
            pickle5.dumps_inband(value)
        except Exception:
            return f"{name}, a {type(value).__module__}.{type(value).__qualname__},"
    return "the arguments"


_LIMIT = 1 << 30
"""protobuf can write 2 GiB at most, and a task shares its message with others."""
_SMALL = 2_000
"""Tasks up to this size do not count as large, however many there are."""


def excess(run_spec: bytes) -> int:
    """Return by how many bytes a task is larger than tasks should be."""
    return max(0, len(run_spec) - _SMALL)


def check_size(nbytes: int, what: str) -> None:
    """Raise `ValueError` if something is larger than any message can be."""
    if nbytes > _LIMIT:
        raise ValueError(
            f"Sending {what} would take {format_bytes(nbytes)}, which is more than {format_bytes(_LIMIT)}. Scatter "
            "large data first and pass the future on, or have the task load it"
        )


def warn_if_large(nbytes: int, what: str) -> None:
    """Warn if what is about to be sent is larger than it should be."""
    if nbytes > config.get_bytes("admin.large-graph-warning-threshold"):
        warnings.warn(
            f"Sending {what} takes {format_bytes(nbytes)}. That is slow, and the scheduler has to hold it. Scatter "
            "large data first and pass the future on, or have the tasks load it.",
            stacklevel=_levels_to_user(),
        )


def _levels_to_user() -> int:
    """Return the stack level of the first frame outside of dagrpc, for warnings."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("dagrpc", "dask"):
        frame, level = frame.f_back, level + 1
    return level
