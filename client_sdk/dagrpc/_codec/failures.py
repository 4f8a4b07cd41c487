"""Exceptions as `Failure` messages, readable in any language and rebuilt in Python."""

from __future__ import annotations

import pickle
import traceback
from types import TracebackType

import cloudpickle
from tblib import Traceback

from dagrpc import config
from dagrpc._codec import pickle5
from dagrpc.exceptions import (
    KilledWorker,
    LostActorError,
    NoValidWorkerError,
    RemoteTaskError,
)
from dagrpc.v1 import common_pb2, failure_pb2

_KINDS = failure_pb2.FailureKind
_EXCEPTION_LIMIT = 16 << 20
"""Pickled exceptions up to this size travel; of larger ones only the words do. The scheduler has to hold them."""


def type_name(kind: type) -> str:
    """Return the qualified name of a type."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _shorten(text: str) -> str:
    """Return text that is short enough, and that UTF-8 can carry: names of files may have lone surrogates."""
    limit = int(config.get("admin.max-error-length"))
    shortened = text if len(text) <= limit else text[:limit] + "…"
    return shortened.encode("utf-8", "backslashreplace").decode("utf-8")


def _message(error: BaseException) -> str:
    try:
        return _shorten(str(error))
    except Exception as broken:
        return f"<its message cannot be made: {type_name(type(broken))}>"


def encode_failure(
    error: BaseException, kind: failure_pb2.FailureKind = _KINDS.FAILURE_KIND_APPLICATION, *, skip_frames: int = 0
) -> failure_pb2.Failure:
    """Return an exception as a message. Never fails: what cannot be pickled is told in words.

    Parameters
    ----------
    skip_frames : int
        How many of the outermost frames are dagrpc's own and left out of the traceback.
    """
    trace: TracebackType | None = error.__traceback__
    for _ in range(skip_frames):
        if trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
    return failure_pb2.Failure(
        kind=kind,
        type_name=_shorten(type_name(type(error))),
        message=_message(error),
        traceback_text=_shorten("".join(traceback.format_exception(type(error), error, trace))),
        exception=_encode_exception(error, trace),
    )


def _encode_exception(error: BaseException, trace: TracebackType | None) -> common_pb2.Payload | None:
    """Return exception and traceback as a payload, or None if they cannot survive the way."""
    try:
        portable = Traceback(trace).as_dict() if trace is not None else None
        data = pickle5.dumps_inband((error, portable))
        # An exception whose constructor wants other arguments than it kept breaks only when it is unpickled.
        restored, _ = pickle.loads(data)
        if type(restored) is not type(error) and type_name(type(restored)) != type_name(type(error)):
            return None
    except Exception:
        return _encode_by_parts(error, trace)
    if len(data) > _EXCEPTION_LIMIT:
        return None
    return common_pb2.Payload(encoding="pickle", data=data)


def _encode_by_parts(error: BaseException, trace: TracebackType | None) -> common_pb2.Payload | None:
    """Return an exception that its own pickling breaks as type, arguments and attributes."""
    try:
        portable = Traceback(trace).as_dict() if trace is not None else None
        parts = _Parts(type(error), error.args, dict(error.__dict__))
        data: bytes = cloudpickle.dumps((parts, portable), protocol=5)
        pickle.loads(data)
    except Exception:
        return None
    return common_pb2.Payload(encoding="pickle", data=data)


class _Parts:
    """An exception in parts; unpickles as the exception."""

    def __init__(self, kind: type[BaseException], args: tuple[object, ...], attributes: dict[str, object]) -> None:
        self.parts = (kind, args, attributes)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, self.parts


def _rebuild(kind: type[BaseException], args: tuple[object, ...], attributes: dict[str, object]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


def decode_failure(failure: failure_pb2.Failure, key: str = "") -> BaseException:
    """Return the exception of a failure, with its traceback.

    Parameters
    ----------
    key : str
        Key of the task, for failures that the scheduler declared.
    """
    if failure.kind == _KINDS.FAILURE_KIND_KILLED_WORKER:
        deaths = max(int(failure.worker_deaths) - 1, 0)
        end = failure.worker_exit
        code = end.exit_code if failure.HasField("worker_exit") else None
        reason = end.reason or failure.message.rpartition(" (")[2].removesuffix(")")
        return KilledWorker(failure.origin_key or key, failure.worker, deaths, reason, code, tuple(end.log_lines))
    if failure.kind == _KINDS.FAILURE_KIND_NO_VALID_WORKER:
        return NoValidWorkerError(failure.message)
    if failure.kind == _KINDS.FAILURE_KIND_LOST_ACTOR:
        return LostActorError(failure.message)
    if failure.HasField("exception"):
        try:
            error, portable = pickle.loads(failure.exception.data)
            trace = Traceback.from_dict(portable).as_traceback() if portable is not None else None
            restored: BaseException = error.with_traceback(trace)
        except Exception:
            # Its type cannot be imported here, or its state not be rebuilt: tell it in words.
            return RemoteTaskError(failure.type_name, failure.message, failure.traceback_text)
        return restored
    return RemoteTaskError(failure.type_name, failure.message, failure.traceback_text)
