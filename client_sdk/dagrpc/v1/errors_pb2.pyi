from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_INVALID_REQUEST: _ClassVar[Reason]
    REASON_UNKNOWN_KEY: _ClassVar[Reason]
    REASON_UNKNOWN_WORKER: _ClassVar[Reason]
    REASON_UNKNOWN_SESSION: _ClassVar[Reason]
    REASON_VERSION_UNSUPPORTED: _ClassVar[Reason]
    REASON_NO_WORKERS: _ClassVar[Reason]
    REASON_CODE_NOT_ALLOWED: _ClassVar[Reason]
    REASON_LIMIT_REACHED: _ClassVar[Reason]
    REASON_NOT_READY: _ClassVar[Reason]
    REASON_DUPLICATE_WORKER: _ClassVar[Reason]
    REASON_INTERNAL: _ClassVar[Reason]
    REASON_NOT_SAME_HOST: _ClassVar[Reason]
    REASON_UNKNOWN_PLUGIN: _ClassVar[Reason]
    REASON_SHUFFLE_CLOSED: _ClassVar[Reason]
    REASON_SHUFFLE_INCONSISTENT: _ClassVar[Reason]
    REASON_OUT_OF_DISK: _ClassVar[Reason]
    REASON_NOT_AUTHENTICATED: _ClassVar[Reason]
    REASON_TOO_LARGE: _ClassVar[Reason]
REASON_UNSPECIFIED: Reason
REASON_INVALID_REQUEST: Reason
REASON_UNKNOWN_KEY: Reason
REASON_UNKNOWN_WORKER: Reason
REASON_UNKNOWN_SESSION: Reason
REASON_VERSION_UNSUPPORTED: Reason
REASON_NO_WORKERS: Reason
REASON_CODE_NOT_ALLOWED: Reason
REASON_LIMIT_REACHED: Reason
REASON_NOT_READY: Reason
REASON_DUPLICATE_WORKER: Reason
REASON_INTERNAL: Reason
REASON_NOT_SAME_HOST: Reason
REASON_UNKNOWN_PLUGIN: Reason
REASON_SHUFFLE_CLOSED: Reason
REASON_SHUFFLE_INCONSISTENT: Reason
REASON_OUT_OF_DISK: Reason
REASON_NOT_AUTHENTICATED: Reason
REASON_TOO_LARGE: Reason
