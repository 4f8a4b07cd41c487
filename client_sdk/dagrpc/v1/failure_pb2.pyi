from dagrpc.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExitCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXIT_CAUSE_UNSPECIFIED: _ClassVar[ExitCause]
    EXIT_CAUSE_EXITED: _ClassVar[ExitCause]
    EXIT_CAUSE_SIGNAL: _ClassVar[ExitCause]
    EXIT_CAUSE_MEMORY_LIMIT: _ClassVar[ExitCause]
    EXIT_CAUSE_OUT_OF_MEMORY: _ClassVar[ExitCause]
    EXIT_CAUSE_NO_SIGN_OF_LIFE: _ClassVar[ExitCause]
    EXIT_CAUSE_STOPPED: _ClassVar[ExitCause]

class FailureKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_KIND_UNSPECIFIED: _ClassVar[FailureKind]
    FAILURE_KIND_APPLICATION: _ClassVar[FailureKind]
    FAILURE_KIND_DESERIALIZATION: _ClassVar[FailureKind]
    FAILURE_KIND_SERIALIZATION: _ClassVar[FailureKind]
    FAILURE_KIND_KILLED_WORKER: _ClassVar[FailureKind]
    FAILURE_KIND_LOST_DATA: _ClassVar[FailureKind]
    FAILURE_KIND_NO_VALID_WORKER: _ClassVar[FailureKind]
    FAILURE_KIND_LOST_ACTOR: _ClassVar[FailureKind]
    FAILURE_KIND_TIMEOUT: _ClassVar[FailureKind]
EXIT_CAUSE_UNSPECIFIED: ExitCause
EXIT_CAUSE_EXITED: ExitCause
EXIT_CAUSE_SIGNAL: ExitCause
EXIT_CAUSE_MEMORY_LIMIT: ExitCause
EXIT_CAUSE_OUT_OF_MEMORY: ExitCause
EXIT_CAUSE_NO_SIGN_OF_LIFE: ExitCause
EXIT_CAUSE_STOPPED: ExitCause
FAILURE_KIND_UNSPECIFIED: FailureKind
FAILURE_KIND_APPLICATION: FailureKind
FAILURE_KIND_DESERIALIZATION: FailureKind
FAILURE_KIND_SERIALIZATION: FailureKind
FAILURE_KIND_KILLED_WORKER: FailureKind
FAILURE_KIND_LOST_DATA: FailureKind
FAILURE_KIND_NO_VALID_WORKER: FailureKind
FAILURE_KIND_LOST_ACTOR: FailureKind
FAILURE_KIND_TIMEOUT: FailureKind

class Failure(_message.Message):
    __slots__ = ("kind", "type_name", "message", "traceback_text", "exception", "origin_key", "worker", "worker_deaths", "worker_exit", "worker_loss")
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_TEXT_FIELD_NUMBER: _ClassVar[int]
    EXCEPTION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_KEY_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    WORKER_DEATHS_FIELD_NUMBER: _ClassVar[int]
    WORKER_EXIT_FIELD_NUMBER: _ClassVar[int]
    WORKER_LOSS_FIELD_NUMBER: _ClassVar[int]
    kind: FailureKind
    type_name: str
    message: str
    traceback_text: str
    exception: _common_pb2.Payload
    origin_key: str
    worker: str
    worker_deaths: int
    worker_exit: WorkerExit
    worker_loss: str
    def __init__(self, kind: _Optional[_Union[FailureKind, str]] = ..., type_name: _Optional[str] = ..., message: _Optional[str] = ..., traceback_text: _Optional[str] = ..., exception: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., origin_key: _Optional[str] = ..., worker: _Optional[str] = ..., worker_deaths: _Optional[int] = ..., worker_exit: _Optional[_Union[WorkerExit, _Mapping]] = ..., worker_loss: _Optional[str] = ...) -> None: ...

class WorkerExit(_message.Message):
    __slots__ = ("cause", "reason", "exit_code", "memory_used", "memory_limit", "log_lines")
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_USED_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    LOG_LINES_FIELD_NUMBER: _ClassVar[int]
    cause: ExitCause
    reason: str
    exit_code: int
    memory_used: int
    memory_limit: int
    log_lines: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, cause: _Optional[_Union[ExitCause, str]] = ..., reason: _Optional[str] = ..., exit_code: _Optional[int] = ..., memory_used: _Optional[int] = ..., memory_limit: _Optional[int] = ..., log_lines: _Optional[_Iterable[str]] = ...) -> None: ...
