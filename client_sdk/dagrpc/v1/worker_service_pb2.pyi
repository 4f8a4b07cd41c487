from dagrpc.v1 import common_pb2 as _common_pb2
from dagrpc.v1 import data_pb2 as _data_pb2
from dagrpc.v1 import scheduler_service_pb2 as _scheduler_service_pb2
from dagrpc.v1 import task_service_pb2 as _task_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FetchRefusal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FETCH_REFUSAL_UNSPECIFIED: _ClassVar[FetchRefusal]
    FETCH_REFUSAL_BUSY: _ClassVar[FetchRefusal]
    FETCH_REFUSAL_TOO_LARGE: _ClassVar[FetchRefusal]
FETCH_REFUSAL_UNSPECIFIED: FetchRefusal
FETCH_REFUSAL_BUSY: FetchRefusal
FETCH_REFUSAL_TOO_LARGE: FetchRefusal

class DescribeFunctionsRequest(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class DescribeFunctionsResponse(_message.Message):
    __slots__ = ("functions",)
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    functions: _containers.RepeatedCompositeFieldContainer[_task_service_pb2.Function]
    def __init__(self, functions: _Optional[_Iterable[_Union[_task_service_pb2.Function, _Mapping]]] = ...) -> None: ...

class GetDataRequest(_message.Message):
    __slots__ = ("keys", "max_bytes", "requester", "host", "families")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    max_bytes: int
    requester: str
    host: str
    families: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., max_bytes: _Optional[int] = ..., requester: _Optional[str] = ..., host: _Optional[str] = ..., families: _Optional[_Iterable[str]] = ...) -> None: ...

class GetDataResponse(_message.Message):
    __slots__ = ("manifest", "chunk", "end")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    manifest: _data_pb2.Manifest
    chunk: _data_pb2.DataChunk
    end: _data_pb2.TransferEnd
    def __init__(self, manifest: _Optional[_Union[_data_pb2.Manifest, _Mapping]] = ..., chunk: _Optional[_Union[_data_pb2.DataChunk, _Mapping]] = ..., end: _Optional[_Union[_data_pb2.TransferEnd, _Mapping]] = ...) -> None: ...

class FetchDataRequest(_message.Message):
    __slots__ = ("fetches", "read", "fragment")
    FETCHES_FIELD_NUMBER: _ClassVar[int]
    READ_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    fetches: _containers.RepeatedCompositeFieldContainer[Fetch]
    read: _containers.RepeatedScalarFieldContainer[int]
    fragment: _common_pb2.Fragment
    def __init__(self, fetches: _Optional[_Iterable[_Union[Fetch, _Mapping]]] = ..., read: _Optional[_Iterable[int]] = ..., fragment: _Optional[_Union[_common_pb2.Fragment, _Mapping]] = ...) -> None: ...

class Fetch(_message.Message):
    __slots__ = ("number", "request")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    number: int
    request: GetDataRequest
    def __init__(self, number: _Optional[int] = ..., request: _Optional[_Union[GetDataRequest, _Mapping]] = ...) -> None: ...

class FetchDataResponse(_message.Message):
    __slots__ = ("answers", "fragment")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[Fetched]
    fragment: _common_pb2.Fragment
    def __init__(self, answers: _Optional[_Iterable[_Union[Fetched, _Mapping]]] = ..., fragment: _Optional[_Union[_common_pb2.Fragment, _Mapping]] = ...) -> None: ...

class Fetched(_message.Message):
    __slots__ = ("number", "manifest", "refusal")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    number: int
    manifest: _data_pb2.Manifest
    refusal: FetchRefusal
    def __init__(self, number: _Optional[int] = ..., manifest: _Optional[_Union[_data_pb2.Manifest, _Mapping]] = ..., refusal: _Optional[_Union[FetchRefusal, str]] = ...) -> None: ...

class PutDataRequest(_message.Message):
    __slots__ = ("manifest", "chunk", "end")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    manifest: _data_pb2.Manifest
    chunk: _data_pb2.DataChunk
    end: _data_pb2.TransferEnd
    def __init__(self, manifest: _Optional[_Union[_data_pb2.Manifest, _Mapping]] = ..., chunk: _Optional[_Union[_data_pb2.DataChunk, _Mapping]] = ..., end: _Optional[_Union[_data_pb2.TransferEnd, _Mapping]] = ...) -> None: ...

class PutDataResponse(_message.Message):
    __slots__ = ("total_bytes",)
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    total_bytes: int
    def __init__(self, total_bytes: _Optional[int] = ...) -> None: ...

class RunRequest(_message.Message):
    __slots__ = ("function", "no_wait")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    NO_WAIT_FIELD_NUMBER: _ClassVar[int]
    function: _common_pb2.Payload
    no_wait: bool
    def __init__(self, function: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., no_wait: _Optional[bool] = ...) -> None: ...

class RunResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _scheduler_service_pb2.RunResult
    def __init__(self, result: _Optional[_Union[_scheduler_service_pb2.RunResult, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("worker", "executing", "tasks")
    class ExecutingEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class TasksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    WORKER_FIELD_NUMBER: _ClassVar[int]
    EXECUTING_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    worker: _scheduler_service_pb2.WorkerInfo
    executing: _containers.ScalarMap[str, float]
    tasks: _containers.ScalarMap[str, int]
    def __init__(self, worker: _Optional[_Union[_scheduler_service_pb2.WorkerInfo, _Mapping]] = ..., executing: _Optional[_Mapping[str, float]] = ..., tasks: _Optional[_Mapping[str, int]] = ...) -> None: ...
