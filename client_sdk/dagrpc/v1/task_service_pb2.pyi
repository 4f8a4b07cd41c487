import datetime

from dagrpc.v1 import common_pb2 as _common_pb2
from dagrpc.v1 import data_pb2 as _data_pb2
from dagrpc.v1 import failure_pb2 as _failure_pb2
from dagrpc.v1 import graph_pb2 as _graph_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LeasedState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LEASED_STATE_UNSPECIFIED: _ClassVar[LeasedState]
    LEASED_STATE_PENDING: _ClassVar[LeasedState]
    LEASED_STATE_RUNNING: _ClassVar[LeasedState]
    LEASED_STATE_DONE: _ClassVar[LeasedState]
    LEASED_STATE_FAILED: _ClassVar[LeasedState]
    LEASED_STATE_CANCELLED: _ClassVar[LeasedState]
    LEASED_STATE_UNKNOWN: _ClassVar[LeasedState]
LEASED_STATE_UNSPECIFIED: LeasedState
LEASED_STATE_PENDING: LeasedState
LEASED_STATE_RUNNING: LeasedState
LEASED_STATE_DONE: LeasedState
LEASED_STATE_FAILED: LeasedState
LEASED_STATE_CANCELLED: LeasedState
LEASED_STATE_UNKNOWN: LeasedState

class TaskStatus(_message.Message):
    __slots__ = ("key", "state", "nbytes", "type_name", "value", "failure", "reason", "cursor", "value_outcome")
    KEY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    VALUE_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    key: str
    state: LeasedState
    nbytes: int
    type_name: str
    value: _common_pb2.Payload
    failure: _failure_pb2.Failure
    reason: str
    cursor: int
    value_outcome: _data_pb2.DataOutcome
    def __init__(self, key: _Optional[str] = ..., state: _Optional[_Union[LeasedState, str]] = ..., nbytes: _Optional[int] = ..., type_name: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ..., reason: _Optional[str] = ..., cursor: _Optional[int] = ..., value_outcome: _Optional[_Union[_data_pb2.DataOutcome, str]] = ...) -> None: ...

class ListFunctionsRequest(_message.Message):
    __slots__ = ("prefix", "page_size", "page_token")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    page_size: int
    page_token: str
    def __init__(self, prefix: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFunctionsResponse(_message.Message):
    __slots__ = ("functions", "next_page_token", "patterns")
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedCompositeFieldContainer[Function]
    next_page_token: str
    patterns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, functions: _Optional[_Iterable[_Union[Function, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., patterns: _Optional[_Iterable[str]] = ...) -> None: ...

class Function(_message.Message):
    __slots__ = ("name", "doc", "parameters_schema", "workers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DOC_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    doc: str
    parameters_schema: str
    workers: int
    def __init__(self, name: _Optional[str] = ..., doc: _Optional[str] = ..., parameters_schema: _Optional[str] = ..., workers: _Optional[int] = ...) -> None: ...

class NamedCall(_message.Message):
    __slots__ = ("key", "call", "options")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    key: str
    call: _graph_pb2.Call
    options: _graph_pb2.TaskOptions
    def __init__(self, key: _Optional[str] = ..., call: _Optional[_Union[_graph_pb2.Call, _Mapping]] = ..., options: _Optional[_Union[_graph_pb2.TaskOptions, _Mapping]] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("lease", "ttl", "calls", "accept", "inline_limit", "wait", "release_answered", "release")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    INLINE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    lease: str
    ttl: _duration_pb2.Duration
    calls: _containers.RepeatedCompositeFieldContainer[NamedCall]
    accept: _containers.RepeatedScalarFieldContainer[str]
    inline_limit: int
    wait: _duration_pb2.Duration
    release_answered: bool
    release: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, lease: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., calls: _Optional[_Iterable[_Union[NamedCall, _Mapping]]] = ..., accept: _Optional[_Iterable[str]] = ..., inline_limit: _Optional[int] = ..., wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., release_answered: _Optional[bool] = ..., release: _Optional[_Iterable[str]] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("lease", "tasks")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    lease: str
    tasks: _containers.RepeatedCompositeFieldContainer[TaskStatus]
    def __init__(self, lease: _Optional[str] = ..., tasks: _Optional[_Iterable[_Union[TaskStatus, _Mapping]]] = ...) -> None: ...

class WaitRequest(_message.Message):
    __slots__ = ("lease", "keys", "any", "timeout", "accept", "inline_limit")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    ANY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    INLINE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    lease: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    any: bool
    timeout: _duration_pb2.Duration
    accept: _containers.RepeatedScalarFieldContainer[str]
    inline_limit: int
    def __init__(self, lease: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ..., any: _Optional[bool] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., accept: _Optional[_Iterable[str]] = ..., inline_limit: _Optional[int] = ...) -> None: ...

class WaitResponse(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskStatus]
    def __init__(self, tasks: _Optional[_Iterable[_Union[TaskStatus, _Mapping]]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("lease", "cursor", "accept", "inline_limit", "settled", "together")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    INLINE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    TOGETHER_FIELD_NUMBER: _ClassVar[int]
    lease: str
    cursor: int
    accept: _containers.RepeatedScalarFieldContainer[str]
    inline_limit: int
    settled: bool
    together: bool
    def __init__(self, lease: _Optional[str] = ..., cursor: _Optional[int] = ..., accept: _Optional[_Iterable[str]] = ..., inline_limit: _Optional[int] = ..., settled: _Optional[bool] = ..., together: _Optional[bool] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("task", "tasks")
    TASK_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    task: TaskStatus
    tasks: _containers.RepeatedCompositeFieldContainer[TaskStatus]
    def __init__(self, task: _Optional[_Union[TaskStatus, _Mapping]] = ..., tasks: _Optional[_Iterable[_Union[TaskStatus, _Mapping]]] = ...) -> None: ...

class ResultRequest(_message.Message):
    __slots__ = ("key", "accept", "lease", "timeout", "offset")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    key: str
    accept: _containers.RepeatedScalarFieldContainer[str]
    lease: str
    timeout: _duration_pb2.Duration
    offset: int
    def __init__(self, key: _Optional[str] = ..., accept: _Optional[_Iterable[str]] = ..., lease: _Optional[str] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., offset: _Optional[int] = ...) -> None: ...

class ResultResponse(_message.Message):
    __slots__ = ("task", "total_bytes", "data")
    TASK_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    task: TaskStatus
    total_bytes: int
    data: bytes
    def __init__(self, task: _Optional[_Union[TaskStatus, _Mapping]] = ..., total_bytes: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("lease", "keys", "interrupt", "reason")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    INTERRUPT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    lease: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    interrupt: bool
    reason: str
    def __init__(self, lease: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ..., interrupt: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskStatus]
    def __init__(self, tasks: _Optional[_Iterable[_Union[TaskStatus, _Mapping]]] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("lease", "ttl", "release", "end")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    lease: str
    ttl: _duration_pb2.Duration
    release: _containers.RepeatedScalarFieldContainer[str]
    end: bool
    def __init__(self, lease: _Optional[str] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., release: _Optional[_Iterable[str]] = ..., end: _Optional[bool] = ...) -> None: ...

class RenewResponse(_message.Message):
    __slots__ = ("ttl", "tasks", "unfinished")
    TTL_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    UNFINISHED_FIELD_NUMBER: _ClassVar[int]
    ttl: _duration_pb2.Duration
    tasks: int
    unfinished: int
    def __init__(self, ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., tasks: _Optional[int] = ..., unfinished: _Optional[int] = ...) -> None: ...
