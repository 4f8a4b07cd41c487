"""The one table between dagrpc's errors and gRPC's statuses."""

from __future__ import annotations

import logging
import uuid

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from dagrpc import exceptions
from dagrpc.exceptions import CommClosedError, DagrpcError

logger = logging.getLogger("dagrpc.io")

DOMAIN = "dagrpc"
_MESSAGE_LIMIT = 1_000
"""Statuses travel in headers, of which there may be 8 KiB in all."""

CODES: dict[type[DagrpcError], grpc.StatusCode] = {
    exceptions.InvalidRequestError: grpc.StatusCode.INVALID_ARGUMENT,
    exceptions.UnknownKeyError: grpc.StatusCode.NOT_FOUND,
    exceptions.UnknownWorkerError: grpc.StatusCode.NOT_FOUND,
    exceptions.UnknownSessionError: grpc.StatusCode.NOT_FOUND,
    exceptions.UnknownPluginError: grpc.StatusCode.NOT_FOUND,
    exceptions.VersionUnsupportedError: grpc.StatusCode.FAILED_PRECONDITION,
    exceptions.NoWorkersError: grpc.StatusCode.FAILED_PRECONDITION,
    exceptions.CodeNotAllowedError: grpc.StatusCode.PERMISSION_DENIED,
    exceptions.NotAuthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    exceptions.LimitReachedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    exceptions.TooLargeError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    exceptions.NotReadyError: grpc.StatusCode.UNAVAILABLE,
    exceptions.DuplicateWorkerError: grpc.StatusCode.ALREADY_EXISTS,
    exceptions.NotSameHostError: grpc.StatusCode.FAILED_PRECONDITION,
    exceptions.ShuffleClosedError: grpc.StatusCode.FAILED_PRECONDITION,
    exceptions.P2PConsistencyError: grpc.StatusCode.FAILED_PRECONDITION,
    exceptions.P2POutOfDiskError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    exceptions.InternalError: grpc.StatusCode.INTERNAL,
}
_BY_REASON: dict[str, type[DagrpcError]] = {error.reason: error for error in CODES}


def shorten(text: str, limit: int = _MESSAGE_LIMIT) -> str:
    """Return text that fits into a status, cut at a character."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode("utf-8")
    return encoded[:limit].decode("utf-8", "ignore") + "…[truncated]"


def to_status(error: DagrpcError) -> status_pb2.Status:
    """Return the status that stands for an error."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    detail = any_pb2.Any()
    detail.Pack(info)
    details = [detail]
    if isinstance(error, exceptions.LimitReachedError):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(50)
        packed = any_pb2.Any()
        packed.Pack(retry)
        details.append(packed)
    code: int = CODES[type(error)].value[0]
    return status_pb2.Status(code=code, message=shorten(str(error)), details=details)


def internal_error(error: BaseException, where: str) -> exceptions.InternalError:
    """Log an unexpected error under a new id, and return what the caller may know of it."""
    correlation_id = uuid.uuid4().hex[:12]
    logger.error("%s failed [%s]", where, correlation_id, exc_info=error)
    return exceptions.InternalError(f"Internal error in {where}; the service's log has details under {correlation_id}")


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Return the reason in an answer that was a status, or an empty string."""
    try:
        status = rpc_status.from_call(_SyncView(error))
    except ValueError:
        return ""
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info) and info.domain == DOMAIN:
            return str(info.reason)
    return ""


def is_of_connection(error: grpc.aio.AioRpcError) -> bool:
    """Tell whether it was the connection that failed, rather than the peer that refused a call."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and not reason_of(error)


def from_rpc_error(error: grpc.aio.AioRpcError, peer: str) -> Exception:
    """Return the error to raise for a failed call to `peer`."""
    if known := _BY_REASON.get(reason_of(error)):
        return known(error.details() or "")
    code = error.code()
    text = shorten(error.details() or "", 400)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimeoutError(f"No answer from {peer} in time")
    if code is grpc.StatusCode.UNAVAILABLE:
        return CommClosedError(f"No connection to {peer}: {text}")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return CommClosedError(f"{peer} speaks gRPC but is not the service that was expected there: {text}")
    if code is grpc.StatusCode.CANCELLED:
        return CommClosedError(f"The call to {peer} was cancelled: {text}")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        setting = _setting_of(text)
        return (
            exceptions.TooLargeError(f"{peer}: {text}{setting}")
            if setting
            else exceptions.LimitReachedError(f"{peer}: {text}")
        )
    return CommClosedError(f"{peer} answered {code.name}: {text}")


def _setting_of(text: str) -> str:
    """Return the setting to change, for the limits that gRPC itself keeps."""
    for words, setting in (("message larger than max", "message-size"), ("metadata size", "metadata-size")):
        if words in text:
            return f" (the limit is comm.limits.{setting})"
    return ""


class _SyncView:
    """An error of grpc.aio with the accessors that grpc_status wants."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self._error = error

    def trailing_metadata(self) -> list[tuple[str, bytes | str]]:
        return list(self._error.trailing_metadata() or ())

    def code(self) -> grpc.StatusCode:
        return self._error.code()

    def details(self) -> str:
        return self._error.details() or ""


assert set(code_pb2.Code.values()) >= {code.value[0] for code in CODES.values()}
