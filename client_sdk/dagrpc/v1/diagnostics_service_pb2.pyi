from dagrpc.v1 import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProfileSubject(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROFILE_SUBJECT_UNSPECIFIED: _ClassVar[ProfileSubject]
    PROFILE_SUBJECT_TASKS: _ClassVar[ProfileSubject]
    PROFILE_SUBJECT_WORKER_LOOPS: _ClassVar[ProfileSubject]
    PROFILE_SUBJECT_SCHEDULER: _ClassVar[ProfileSubject]
PROFILE_SUBJECT_UNSPECIFIED: ProfileSubject
PROFILE_SUBJECT_TASKS: ProfileSubject
PROFILE_SUBJECT_WORKER_LOOPS: ProfileSubject
PROFILE_SUBJECT_SCHEDULER: ProfileSubject

class GetCallStacksRequest(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class GetCallStacksResponse(_message.Message):
    __slots__ = ("workers", "unreachable")
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerCallStacks]
    unreachable: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerCallStacks, _Mapping]]] = ..., unreachable: _Optional[_Iterable[str]] = ...) -> None: ...

class WorkerCallStacks(_message.Message):
    __slots__ = ("worker", "stacks")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    STACKS_FIELD_NUMBER: _ClassVar[int]
    worker: str
    stacks: _containers.RepeatedCompositeFieldContainer[CallStack]
    def __init__(self, worker: _Optional[str] = ..., stacks: _Optional[_Iterable[_Union[CallStack, _Mapping]]] = ...) -> None: ...

class CallStack(_message.Message):
    __slots__ = ("key", "frames")
    KEY_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    key: str
    frames: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[str] = ..., frames: _Optional[_Iterable[str]] = ...) -> None: ...

class SampleCallStacksRequest(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class SampleCallStacksResponse(_message.Message):
    __slots__ = ("stacks",)
    STACKS_FIELD_NUMBER: _ClassVar[int]
    stacks: _containers.RepeatedCompositeFieldContainer[CallStack]
    def __init__(self, stacks: _Optional[_Iterable[_Union[CallStack, _Mapping]]] = ...) -> None: ...

class GetProfileRequest(_message.Message):
    __slots__ = ("subject", "prefix", "start", "stop", "workers", "by_worker")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    BY_WORKER_FIELD_NUMBER: _ClassVar[int]
    subject: ProfileSubject
    prefix: str
    start: float
    stop: float
    workers: _containers.RepeatedScalarFieldContainer[str]
    by_worker: bool
    def __init__(self, subject: _Optional[_Union[ProfileSubject, str]] = ..., prefix: _Optional[str] = ..., start: _Optional[float] = ..., stop: _Optional[float] = ..., workers: _Optional[_Iterable[str]] = ..., by_worker: _Optional[bool] = ...) -> None: ...

class GetProfileResponse(_message.Message):
    __slots__ = ("profiles", "unreachable")
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    profiles: _containers.RepeatedCompositeFieldContainer[WorkerProfile]
    unreachable: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, profiles: _Optional[_Iterable[_Union[WorkerProfile, _Mapping]]] = ..., unreachable: _Optional[_Iterable[str]] = ...) -> None: ...

class WorkerProfile(_message.Message):
    __slots__ = ("worker", "profile")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    worker: str
    profile: Profile
    def __init__(self, worker: _Optional[str] = ..., profile: _Optional[_Union[Profile, _Mapping]] = ...) -> None: ...

class Profile(_message.Message):
    __slots__ = ("nodes", "lines")
    NODES_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    nodes: _containers.RepeatedCompositeFieldContainer[ProfileNode]
    lines: _containers.RepeatedCompositeFieldContainer[CodeLine]
    def __init__(self, nodes: _Optional[_Iterable[_Union[ProfileNode, _Mapping]]] = ..., lines: _Optional[_Iterable[_Union[CodeLine, _Mapping]]] = ...) -> None: ...

class ProfileNode(_message.Message):
    __slots__ = ("parent", "line", "count")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    parent: int
    line: int
    count: int
    def __init__(self, parent: _Optional[int] = ..., line: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class CodeLine(_message.Message):
    __slots__ = ("function", "filename", "first_line", "line_number", "source")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    FILENAME_FIELD_NUMBER: _ClassVar[int]
    FIRST_LINE_FIELD_NUMBER: _ClassVar[int]
    LINE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    function: str
    filename: str
    first_line: int
    line_number: int
    source: str
    def __init__(self, function: _Optional[str] = ..., filename: _Optional[str] = ..., first_line: _Optional[int] = ..., line_number: _Optional[int] = ..., source: _Optional[str] = ...) -> None: ...

class CollectProfileRequest(_message.Message):
    __slots__ = ("subject", "prefix", "start", "stop")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    subject: ProfileSubject
    prefix: str
    start: float
    stop: float
    def __init__(self, subject: _Optional[_Union[ProfileSubject, str]] = ..., prefix: _Optional[str] = ..., start: _Optional[float] = ..., stop: _Optional[float] = ...) -> None: ...

class CollectProfileResponse(_message.Message):
    __slots__ = ("profile",)
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    profile: Profile
    def __init__(self, profile: _Optional[_Union[Profile, _Mapping]] = ...) -> None: ...

class GetTaskStreamRequest(_message.Message):
    __slots__ = ("start", "stop", "count", "after", "cursor_only", "transfers", "client_id", "begin", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    CURSOR_ONLY_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: float
    stop: float
    count: int
    after: int
    cursor_only: bool
    transfers: bool
    client_id: str
    begin: bool
    end: bool
    def __init__(self, start: _Optional[float] = ..., stop: _Optional[float] = ..., count: _Optional[int] = ..., after: _Optional[int] = ..., cursor_only: _Optional[bool] = ..., transfers: _Optional[bool] = ..., client_id: _Optional[str] = ..., begin: _Optional[bool] = ..., end: _Optional[bool] = ...) -> None: ...

class GetTaskStreamResponse(_message.Message):
    __slots__ = ("worker", "records", "cursor", "unreachable", "dropped")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    worker: str
    records: _records_pb2.RecordBatch
    cursor: int
    unreachable: _containers.RepeatedScalarFieldContainer[str]
    dropped: int
    def __init__(self, worker: _Optional[str] = ..., records: _Optional[_Union[_records_pb2.RecordBatch, _Mapping]] = ..., cursor: _Optional[int] = ..., unreachable: _Optional[_Iterable[str]] = ..., dropped: _Optional[int] = ...) -> None: ...

class FlushRecordsRequest(_message.Message):
    __slots__ = ("recording", "details")
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    recording: int
    details: int
    def __init__(self, recording: _Optional[int] = ..., details: _Optional[int] = ...) -> None: ...

class FlushRecordsResponse(_message.Message):
    __slots__ = ("records", "more")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    records: _records_pb2.RecordBatch
    more: bool
    def __init__(self, records: _Optional[_Union[_records_pb2.RecordBatch, _Mapping]] = ..., more: _Optional[bool] = ...) -> None: ...

class ReadRecentRecordsRequest(_message.Message):
    __slots__ = ("after", "transfers_after", "limit", "untold_before")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    UNTOLD_BEFORE_FIELD_NUMBER: _ClassVar[int]
    after: int
    transfers_after: int
    limit: int
    untold_before: int
    def __init__(self, after: _Optional[int] = ..., transfers_after: _Optional[int] = ..., limit: _Optional[int] = ..., untold_before: _Optional[int] = ...) -> None: ...

class ReadRecentRecordsResponse(_message.Message):
    __slots__ = ("records", "next", "next_transfer", "skipped")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    NEXT_TRANSFER_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    records: _records_pb2.RecordBatch
    next: int
    next_transfer: int
    skipped: int
    def __init__(self, records: _Optional[_Union[_records_pb2.RecordBatch, _Mapping]] = ..., next: _Optional[int] = ..., next_transfer: _Optional[int] = ..., skipped: _Optional[int] = ...) -> None: ...

class BeginReportRequest(_message.Message):
    __slots__ = ("client_id", "report_id")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    report_id: str
    def __init__(self, client_id: _Optional[str] = ..., report_id: _Optional[str] = ...) -> None: ...

class BeginReportResponse(_message.Message):
    __slots__ = ("report_id", "time")
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    report_id: str
    time: float
    def __init__(self, report_id: _Optional[str] = ..., time: _Optional[float] = ...) -> None: ...

class EndReportRequest(_message.Message):
    __slots__ = ("report_id",)
    REPORT_ID_FIELD_NUMBER: _ClassVar[int]
    report_id: str
    def __init__(self, report_id: _Optional[str] = ...) -> None: ...

class EndReportResponse(_message.Message):
    __slots__ = ("measurements", "computations")
    MEASUREMENTS_FIELD_NUMBER: _ClassVar[int]
    COMPUTATIONS_FIELD_NUMBER: _ClassVar[int]
    measurements: _containers.RepeatedCompositeFieldContainer[Measurements]
    computations: _containers.RepeatedCompositeFieldContainer[Computation]
    def __init__(self, measurements: _Optional[_Iterable[_Union[Measurements, _Mapping]]] = ..., computations: _Optional[_Iterable[_Union[Computation, _Mapping]]] = ...) -> None: ...

class Measurements(_message.Message):
    __slots__ = ("worker", "times", "cpu", "memory", "managed", "executing")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    MANAGED_FIELD_NUMBER: _ClassVar[int]
    EXECUTING_FIELD_NUMBER: _ClassVar[int]
    worker: str
    times: _containers.RepeatedScalarFieldContainer[float]
    cpu: _containers.RepeatedScalarFieldContainer[float]
    memory: _containers.RepeatedScalarFieldContainer[float]
    managed: _containers.RepeatedScalarFieldContainer[float]
    executing: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, worker: _Optional[str] = ..., times: _Optional[_Iterable[float]] = ..., cpu: _Optional[_Iterable[float]] = ..., memory: _Optional[_Iterable[float]] = ..., managed: _Optional[_Iterable[float]] = ..., executing: _Optional[_Iterable[float]] = ...) -> None: ...

class Computation(_message.Message):
    __slots__ = ("start", "client_id", "tasks", "code")
    START_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    start: float
    client_id: str
    tasks: int
    code: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, start: _Optional[float] = ..., client_id: _Optional[str] = ..., tasks: _Optional[int] = ..., code: _Optional[_Iterable[str]] = ...) -> None: ...

class GetMemoryRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMemoryResponse(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerMemory]
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerMemory, _Mapping]]] = ...) -> None: ...

class WorkerMemory(_message.Message):
    __slots__ = ("worker", "process", "managed", "spilled")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    MANAGED_FIELD_NUMBER: _ClassVar[int]
    SPILLED_FIELD_NUMBER: _ClassVar[int]
    worker: str
    process: float
    managed: float
    spilled: float
    def __init__(self, worker: _Optional[str] = ..., process: _Optional[float] = ..., managed: _Optional[float] = ..., spilled: _Optional[float] = ...) -> None: ...
