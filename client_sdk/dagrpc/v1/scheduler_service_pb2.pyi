from dagrpc.v1 import client_session_pb2 as _client_session_pb2
from dagrpc.v1 import common_pb2 as _common_pb2
from dagrpc.v1 import data_pb2 as _data_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GatherRequest(_message.Message):
    __slots__ = ("keys", "families")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    families: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., families: _Optional[_Iterable[str]] = ...) -> None: ...

class GatherResponse(_message.Message):
    __slots__ = ("manifest", "chunk", "end")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    manifest: _data_pb2.Manifest
    chunk: _data_pb2.DataChunk
    end: _data_pb2.TransferEnd
    def __init__(self, manifest: _Optional[_Union[_data_pb2.Manifest, _Mapping]] = ..., chunk: _Optional[_Union[_data_pb2.DataChunk, _Mapping]] = ..., end: _Optional[_Union[_data_pb2.TransferEnd, _Mapping]] = ...) -> None: ...

class ScatterRequest(_message.Message):
    __slots__ = ("client_id", "items", "workers", "copies")
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    COPIES_FIELD_NUMBER: _ClassVar[int]
    client_id: str
    items: _containers.RepeatedCompositeFieldContainer[ScatterItem]
    workers: _containers.RepeatedScalarFieldContainer[str]
    copies: int
    def __init__(self, client_id: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ScatterItem, _Mapping]]] = ..., workers: _Optional[_Iterable[str]] = ..., copies: _Optional[int] = ...) -> None: ...

class ScatterItem(_message.Message):
    __slots__ = ("key", "nbytes")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    key: str
    nbytes: int
    def __init__(self, key: _Optional[str] = ..., nbytes: _Optional[int] = ...) -> None: ...

class ScatterResponse(_message.Message):
    __slots__ = ("placements",)
    PLACEMENTS_FIELD_NUMBER: _ClassVar[int]
    placements: _containers.RepeatedCompositeFieldContainer[_common_pb2.DataRef]
    def __init__(self, placements: _Optional[_Iterable[_Union[_common_pb2.DataRef, _Mapping]]] = ...) -> None: ...

class RelayDataRequest(_message.Message):
    __slots__ = ("manifest", "chunk", "end", "worker")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    manifest: _data_pb2.Manifest
    chunk: _data_pb2.DataChunk
    end: _data_pb2.TransferEnd
    worker: str
    def __init__(self, manifest: _Optional[_Union[_data_pb2.Manifest, _Mapping]] = ..., chunk: _Optional[_Union[_data_pb2.DataChunk, _Mapping]] = ..., end: _Optional[_Union[_data_pb2.TransferEnd, _Mapping]] = ..., worker: _Optional[str] = ...) -> None: ...

class RelayDataResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WhoHasRequest(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class WhoHasResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedCompositeFieldContainer[_common_pb2.DataRef]
    def __init__(self, data: _Optional[_Iterable[_Union[_common_pb2.DataRef, _Mapping]]] = ...) -> None: ...

class HasWhatRequest(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, workers: _Optional[_Iterable[str]] = ...) -> None: ...

class HasWhatResponse(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerKeys]
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerKeys, _Mapping]]] = ...) -> None: ...

class WorkerKeys(_message.Message):
    __slots__ = ("worker", "keys")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    worker: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, worker: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ...) -> None: ...

class ProcessingRequest(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, workers: _Optional[_Iterable[str]] = ...) -> None: ...

class ProcessingResponse(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerKeys]
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerKeys, _Mapping]]] = ...) -> None: ...

class GetClusterInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetClusterInfoResponse(_message.Message):
    __slots__ = ("scheduler_id", "address", "started", "workers", "clients", "tasks", "versions", "services", "http_prefix")
    class TasksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class ServicesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SCHEDULER_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    CLIENTS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    HTTP_PREFIX_FIELD_NUMBER: _ClassVar[int]
    scheduler_id: str
    address: str
    started: float
    workers: _containers.RepeatedCompositeFieldContainer[WorkerInfo]
    clients: int
    tasks: _containers.ScalarMap[str, int]
    versions: _common_pb2.Versions
    services: _containers.ScalarMap[str, int]
    http_prefix: str
    def __init__(self, scheduler_id: _Optional[str] = ..., address: _Optional[str] = ..., started: _Optional[float] = ..., workers: _Optional[_Iterable[_Union[WorkerInfo, _Mapping]]] = ..., clients: _Optional[int] = ..., tasks: _Optional[_Mapping[str, int]] = ..., versions: _Optional[_Union[_common_pb2.Versions, _Mapping]] = ..., services: _Optional[_Mapping[str, int]] = ..., http_prefix: _Optional[str] = ...) -> None: ...

class WorkerInfo(_message.Message):
    __slots__ = ("address", "name", "host", "nthreads", "memory_limit", "resources", "status", "nanny", "local_directory", "pid", "last_seen", "metrics", "occupancy", "services", "versions")
    class ResourcesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class ServicesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    NTHREADS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    NANNY_FIELD_NUMBER: _ClassVar[int]
    LOCAL_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    OCCUPANCY_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    address: str
    name: str
    host: str
    nthreads: int
    memory_limit: int
    resources: _containers.ScalarMap[str, float]
    status: _common_pb2.WorkerStatus
    nanny: str
    local_directory: str
    pid: int
    last_seen: float
    metrics: _containers.ScalarMap[str, float]
    occupancy: float
    services: _containers.ScalarMap[str, int]
    versions: _common_pb2.Versions
    def __init__(self, address: _Optional[str] = ..., name: _Optional[str] = ..., host: _Optional[str] = ..., nthreads: _Optional[int] = ..., memory_limit: _Optional[int] = ..., resources: _Optional[_Mapping[str, float]] = ..., status: _Optional[_Union[_common_pb2.WorkerStatus, str]] = ..., nanny: _Optional[str] = ..., local_directory: _Optional[str] = ..., pid: _Optional[int] = ..., last_seen: _Optional[float] = ..., metrics: _Optional[_Mapping[str, float]] = ..., occupancy: _Optional[float] = ..., services: _Optional[_Mapping[str, int]] = ..., versions: _Optional[_Union[_common_pb2.Versions, _Mapping]] = ...) -> None: ...

class GetTasksRequest(_message.Message):
    __slots__ = ("keys", "limit", "state")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    state: str
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., limit: _Optional[int] = ..., state: _Optional[str] = ...) -> None: ...

class GetTasksResponse(_message.Message):
    __slots__ = ("tasks",)
    TASKS_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskInfo]
    def __init__(self, tasks: _Optional[_Iterable[_Union[TaskInfo, _Mapping]]] = ...) -> None: ...

class TaskInfo(_message.Message):
    __slots__ = ("key", "state", "dependencies", "dependents", "workers", "processing_on", "nbytes", "type_name", "retries", "suspicious", "priority")
    KEY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCIES_FIELD_NUMBER: _ClassVar[int]
    DEPENDENTS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_ON_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    SUSPICIOUS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    key: str
    state: str
    dependencies: _containers.RepeatedScalarFieldContainer[str]
    dependents: _containers.RepeatedScalarFieldContainer[str]
    workers: _containers.RepeatedScalarFieldContainer[str]
    processing_on: str
    nbytes: int
    type_name: str
    retries: int
    suspicious: int
    priority: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, key: _Optional[str] = ..., state: _Optional[str] = ..., dependencies: _Optional[_Iterable[str]] = ..., dependents: _Optional[_Iterable[str]] = ..., workers: _Optional[_Iterable[str]] = ..., processing_on: _Optional[str] = ..., nbytes: _Optional[int] = ..., type_name: _Optional[str] = ..., retries: _Optional[int] = ..., suspicious: _Optional[int] = ..., priority: _Optional[_Iterable[float]] = ...) -> None: ...

class RunOnWorkersRequest(_message.Message):
    __slots__ = ("function", "workers", "nanny", "no_wait")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    NANNY_FIELD_NUMBER: _ClassVar[int]
    NO_WAIT_FIELD_NUMBER: _ClassVar[int]
    function: _common_pb2.Payload
    workers: _containers.RepeatedScalarFieldContainer[str]
    nanny: bool
    no_wait: bool
    def __init__(self, function: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., workers: _Optional[_Iterable[str]] = ..., nanny: _Optional[bool] = ..., no_wait: _Optional[bool] = ...) -> None: ...

class RunOnWorkersResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RunResult]
    def __init__(self, results: _Optional[_Iterable[_Union[RunResult, _Mapping]]] = ...) -> None: ...

class RunResult(_message.Message):
    __slots__ = ("worker", "value", "exception", "unreachable")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EXCEPTION_FIELD_NUMBER: _ClassVar[int]
    UNREACHABLE_FIELD_NUMBER: _ClassVar[int]
    worker: str
    value: _common_pb2.Payload
    exception: _common_pb2.Payload
    unreachable: str
    def __init__(self, worker: _Optional[str] = ..., value: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., exception: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., unreachable: _Optional[str] = ...) -> None: ...

class RunOnSchedulerRequest(_message.Message):
    __slots__ = ("function", "no_wait")
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    NO_WAIT_FIELD_NUMBER: _ClassVar[int]
    function: _common_pb2.Payload
    no_wait: bool
    def __init__(self, function: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., no_wait: _Optional[bool] = ...) -> None: ...

class RunOnSchedulerResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: RunResult
    def __init__(self, result: _Optional[_Union[RunResult, _Mapping]] = ...) -> None: ...

class RestartWorkersRequest(_message.Message):
    __slots__ = ("timeout_seconds", "workers", "no_wait")
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    NO_WAIT_FIELD_NUMBER: _ClassVar[int]
    timeout_seconds: float
    workers: _containers.RepeatedScalarFieldContainer[str]
    no_wait: bool
    def __init__(self, timeout_seconds: _Optional[float] = ..., workers: _Optional[_Iterable[str]] = ..., no_wait: _Optional[bool] = ...) -> None: ...

class RestartWorkersResponse(_message.Message):
    __slots__ = ("outcomes",)
    class OutcomesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.ScalarMap[str, str]
    def __init__(self, outcomes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RetireWorkersRequest(_message.Message):
    __slots__ = ("workers", "keep_open")
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    KEEP_OPEN_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedScalarFieldContainer[str]
    keep_open: bool
    def __init__(self, workers: _Optional[_Iterable[str]] = ..., keep_open: _Optional[bool] = ...) -> None: ...

class RetireWorkersResponse(_message.Message):
    __slots__ = ("workers",)
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, workers: _Optional[_Iterable[str]] = ...) -> None: ...

class ShutdownRequest(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class ShutdownResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
