"""Converts exceptions to `Failure` messages, which any language can read, and back to exceptions."""

from __future__ import annotations

import pickle
import traceback
from types import TracebackType

from dagrpc import config
from dagrpc._codec.exception_chains import ChainEncoder, Link, decode_chain
from dagrpc._codec.tracebacks import without_first
from dagrpc.exceptions import (
    KilledWorker,
    LostActorError,
    NoValidWorkerError,
    RemoteTaskError,
)
from dagrpc.v1 import common_pb2, failure_pb2

_KINDS = failure_pb2.FailureKind
_EXCEPTION_LIMIT = 16 << 20
"""Largest pickled exception, in bytes, that a failure contains. The scheduler stores failures; larger ones are text."""


def type_name(kind: type) -> str:
    """Return the qualified name of a type."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _limit() -> int:
    return int(config.get("admin.max-error-length"))


def _portable(text: str) -> str:
    """Return text that UTF-8 can encode, since file names may contain lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _shorten(text: str) -> str:
    """Return a text, cut at its end to the maximum length."""
    limit = _limit()
    return _portable(text if len(text) <= limit else text[:limit] + "…")


def _shorten_within(text: str) -> str:
    """Return a text, cut to the maximum length but with its end, the most useful part of a traceback."""
    limit = _limit()
    return _portable(text if len(text) <= limit else f"{text[: limit // 4]}\n  …\n{text[-(limit - limit // 4) :]}")


def _message(error: BaseException) -> str:
    try:
        return _shorten(str(error))
    except BaseException as broken:  # whatever the exception's own code raises
        return f"<its message cannot be made: {type_name(type(broken))}>"


def _words(error: BaseException) -> tuple[str, str]:
    return _shorten(type_name(type(error))), _message(error)


def _traceback_text(error: BaseException, trace: TracebackType | None) -> str:
    try:
        return _shorten_within("".join(traceback.format_exception(type(error), error, trace)))
    except BaseException:  # again
        return "".join(traceback.format_tb(trace, -20)) + ": ".join(_words(error))


def encode_failure(
    error: BaseException, kind: failure_pb2.FailureKind = _KINDS.FAILURE_KIND_APPLICATION, *, skip_frames: int = 0
) -> failure_pb2.Failure:
    """Return an exception as a message. Never fails, since exceptions that cannot be pickled are sent as text.

    Parameters
    ----------
    skip_frames : int
        Number of outermost frames to leave out of the traceback, since they belong to dagrpc.
    """
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        error, skip_frames = _harmless(error, skip_frames), 0
    trace: TracebackType | None = error.__traceback__
    for _ in range(skip_frames):
        if trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
    name, message = _words(error)
    text = _traceback_text(error, trace)
    return failure_pb2.Failure(
        kind=kind,
        type_name=name,
        message=message,
        traceback_text=text,
        exception=_encode_exception(error, trace, text),
    )


def _harmless(error: BaseException, skip_frames: int) -> BaseException:
    """Return the error to raise in place of `SystemExit` and the like, which would end the caller's program."""
    trace = without_first(error.__traceback__, skip_frames)
    told = RuntimeError(
        f"{error!r} was raised on the cluster; it is only the cause of this error, since it would end the program"
    )
    told.__cause__ = error.with_traceback(trace)
    return told.with_traceback(trace)


def _encode_exception(error: BaseException, trace: TracebackType | None, text: str) -> common_pb2.Payload | None:
    """Return exception and tracebacks as a payload, or None if they are too large."""
    links = ChainEncoder(_words, _limit(), _EXCEPTION_LIMIT // 4).encode(error, trace)
    if sum(len(link.data or b"") for link in links) > _EXCEPTION_LIMIT:
        for link in links[1:]:
            link.data = None
    # A receiver that gets only the payload shows the text if the exception itself is missing.
    data = pickle.dumps(([link.plain() for link in links], "" if links[0].data else text), protocol=5)
    return common_pb2.Payload(encoding="pickle", data=data) if len(data) <= _EXCEPTION_LIMIT else None


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
        reason = failure.worker_loss or end.reason
        return KilledWorker(failure.origin_key or key, failure.worker, deaths, reason, code, tuple(end.log_lines))
    if failure.kind == _KINDS.FAILURE_KIND_NO_VALID_WORKER:
        return NoValidWorkerError(failure.message)
    if failure.kind == _KINDS.FAILURE_KIND_LOST_ACTOR:
        return LostActorError(failure.message)
    if failure.HasField("exception"):
        return _decode_exception(failure)
    return RemoteTaskError(failure.type_name, failure.message, failure.traceback_text)


def _decode_exception(failure: failure_pb2.Failure) -> BaseException:
    """Return the exception, or its text if its class is missing here or its state cannot be rebuilt."""
    links: list[Link] = []

    def in_words(link: Link) -> RemoteTaskError:
        text = failure.traceback_text or kept if link is links[0] else ""
        return RemoteTaskError(link.type_name, link.message, text)

    try:
        plain, kept = pickle.loads(failure.exception.data)
        links += (Link(*values) for values in plain)
        return decode_chain(links, in_words)
    except Exception:
        return RemoteTaskError(failure.type_name, failure.message, failure.traceback_text)
