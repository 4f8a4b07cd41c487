"""Encodes the arguments of calls: errors name unpicklable arguments, large ones are warned of or refused."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from dask.utils import format_bytes

from dagrpc import config
from dagrpc._codec import pickle5
from dagrpc._codec.functions import PickledFunction, encode_call


def encode_arguments(
    name: Hashable, function: PickledFunction, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[bytes, bool]:
    """Return the run spec of a call, and whether its function travels apart, as the task's first shared blob.

    Raises
    ------
    TypeError
        If an argument cannot be pickled; the message names the task and the argument.
    """
    try:
        run_spec, apart = encode_call(function, args, kwargs)
    except Exception as error:
        culprit = _culprit(args, kwargs)
        raise TypeError(f"Could not pickle {culprit} of task {name!r}: {type(error).__name__}: {error}") from error
    check_size(len(run_spec), f"task {name!r}")
    return run_spec, apart


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
"""Bytes of one task at most: protobuf writes 2 GiB, and a task shares its message with other tasks."""
_SMALL = 2_000
"""Bytes up to which tasks do not count as large, no matter how many there are."""


def excess(run_spec: bytes) -> int:
    """Return by how many bytes a task exceeds the size of a small task."""
    return max(0, len(run_spec) - _SMALL)


def check_size(nbytes: int, what: str) -> None:
    """Raise `ValueError` for a size that no message can have."""
    if nbytes > _LIMIT:
        raise ValueError(
            f"Sending {what} would take {format_bytes(nbytes)}, which is more than {format_bytes(_LIMIT)}. Scatter "
            "large data first and pass the future on, or load the data in the task"
        )


def warn_if_large(nbytes: int, what: str) -> None:
    """Warn if a submission is larger than the configured threshold."""
    if nbytes > config.get_bytes("admin.large-graph-warning-threshold"):
        warnings.warn(
            # Programs filter warnings by the beginning of this text.
            f"Sending large graph of size {format_bytes(nbytes)}: {what}. That is slow, and the scheduler has to hold "
            "it. Scatter large data first and pass the future on, or load the data in the tasks.",
            stacklevel=_levels_to_user(),
        )


def _levels_to_user() -> int:
    """Return the stack level of the first frame outside of dagrpc, for warnings."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("dagrpc", "dask"):
        frame, level = frame.f_back, level + 1
    return level
