from dagrpc.v1 import failure_pb2 as _failure_pb2
from dagrpc.v1 import scheduler_service_pb2 as _scheduler_service_pb2
from dagrpc.v1 import worker_service_pb2 as _worker_service_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProcessStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROCESS_STATUS_UNSPECIFIED: _ClassVar[ProcessStatus]
    PROCESS_STATUS_STARTING: _ClassVar[ProcessStatus]
    PROCESS_STATUS_RUNNING: _ClassVar[ProcessStatus]
    PROCESS_STATUS_STOPPING: _ClassVar[ProcessStatus]
    PROCESS_STATUS_STOPPED: _ClassVar[ProcessStatus]
    PROCESS_STATUS_FAILED: _ClassVar[ProcessStatus]

class ProcessCondition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROCESS_CONDITION_UNSPECIFIED: _ClassVar[ProcessCondition]
    PROCESS_CONDITION_BUSY: _ClassVar[ProcessCondition]
    PROCESS_CONDITION_IDLE: _ClassVar[ProcessCondition]
    PROCESS_CONDITION_STOPPED: _ClassVar[ProcessCondition]
    PROCESS_CONDITION_GONE: _ClassVar[ProcessCondition]
PROCESS_STATUS_UNSPECIFIED: ProcessStatus
PROCESS_STATUS_STARTING: ProcessStatus
PROCESS_STATUS_RUNNING: ProcessStatus
PROCESS_STATUS_STOPPING: ProcessStatus
PROCESS_STATUS_STOPPED: ProcessStatus
PROCESS_STATUS_FAILED: ProcessStatus
PROCESS_CONDITION_UNSPECIFIED: ProcessCondition
PROCESS_CONDITION_BUSY: ProcessCondition
PROCESS_CONDITION_IDLE: ProcessCondition
PROCESS_CONDITION_STOPPED: ProcessCondition
PROCESS_CONDITION_GONE: ProcessCondition

class StartWorkerRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StartWorkerResponse(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: WorkerProcess
    def __init__(self, worker: _Optional[_Union[WorkerProcess, _Mapping]] = ...) -> None: ...

class StopWorkerRequest(_message.Message):
    __slots__ = ("timeout_seconds", "reason")
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    timeout_seconds: float
    reason: str
    def __init__(self, timeout_seconds: _Optional[float] = ..., reason: _Optional[str] = ...) -> None: ...

class StopWorkerResponse(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: WorkerProcess
    def __init__(self, worker: _Optional[_Union[WorkerProcess, _Mapping]] = ...) -> None: ...

class RestartWorkerRequest(_message.Message):
    __slots__ = ("timeout_seconds", "reason")
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    timeout_seconds: float
    reason: str
    def __init__(self, timeout_seconds: _Optional[float] = ..., reason: _Optional[str] = ...) -> None: ...

class RestartWorkerResponse(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: WorkerProcess
    def __init__(self, worker: _Optional[_Union[WorkerProcess, _Mapping]] = ...) -> None: ...

class GetWorkerStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetWorkerStatusResponse(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: WorkerProcess
    def __init__(self, worker: _Optional[_Union[WorkerProcess, _Mapping]] = ...) -> None: ...

class WorkerProcess(_message.Message):
    __slots__ = ("status", "pid", "address", "name", "restarts", "last_exit_code")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    LAST_EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    status: ProcessStatus
    pid: int
    address: str
    name: str
    restarts: int
    last_exit_code: int
    def __init__(self, status: _Optional[_Union[ProcessStatus, str]] = ..., pid: _Optional[int] = ..., address: _Optional[str] = ..., name: _Optional[str] = ..., restarts: _Optional[int] = ..., last_exit_code: _Optional[int] = ...) -> None: ...

class ExplainExitRequest(_message.Message):
    __slots__ = ("address", "timeout_seconds")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    address: str
    timeout_seconds: float
    def __init__(self, address: _Optional[str] = ..., timeout_seconds: _Optional[float] = ...) -> None: ...

class ExplainExitResponse(_message.Message):
    __slots__ = ("exit",)
    EXIT_FIELD_NUMBER: _ClassVar[int]
    exit: _failure_pb2.WorkerExit
    def __init__(self, exit: _Optional[_Union[_failure_pb2.WorkerExit, _Mapping]] = ...) -> None: ...

class ObserveWorkerRequest(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class ObserveWorkerResponse(_message.Message):
    __slots__ = ("condition",)
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    condition: ProcessCondition
    def __init__(self, condition: _Optional[_Union[ProcessCondition, str]] = ...) -> None: ...

class RunInNannyRequest(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: _worker_service_pb2.RunRequest
    def __init__(self, run: _Optional[_Union[_worker_service_pb2.RunRequest, _Mapping]] = ...) -> None: ...

class RunInNannyResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _scheduler_service_pb2.RunResult
    def __init__(self, result: _Optional[_Union[_scheduler_service_pb2.RunResult, _Mapping]] = ...) -> None: ...

class CloseNannyRequest(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class CloseNannyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
