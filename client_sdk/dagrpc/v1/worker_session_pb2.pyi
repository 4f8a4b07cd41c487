from dagrpc.v1 import common_pb2 as _common_pb2
from dagrpc.v1 import event_service_pb2 as _event_service_pb2
from dagrpc.v1 import failure_pb2 as _failure_pb2
from dagrpc.v1 import graph_pb2 as _graph_pb2
from dagrpc.v1 import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReportGivenUpRequest(_message.Message):
    __slots__ = ("name", "nanny", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NANNY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    nanny: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., nanny: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ReportGivenUpResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ComputeRequest(_message.Message):
    __slots__ = ("hello", "reports", "fragment", "number", "received")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    hello: WorkerHello
    reports: _containers.RepeatedCompositeFieldContainer[WorkerReport]
    fragment: _common_pb2.Fragment
    number: int
    received: int
    def __init__(self, hello: _Optional[_Union[WorkerHello, _Mapping]] = ..., reports: _Optional[_Iterable[_Union[WorkerReport, _Mapping]]] = ..., fragment: _Optional[_Union[_common_pb2.Fragment, _Mapping]] = ..., number: _Optional[int] = ..., received: _Optional[int] = ...) -> None: ...

class ComputeResponse(_message.Message):
    __slots__ = ("welcome", "shared", "addresses", "commands", "fragment", "number", "received")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    welcome: WorkerWelcome
    shared: _containers.RepeatedCompositeFieldContainer[_common_pb2.SharedPayload]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    commands: _containers.RepeatedCompositeFieldContainer[WorkerCommand]
    fragment: _common_pb2.Fragment
    number: int
    received: int
    def __init__(self, welcome: _Optional[_Union[WorkerWelcome, _Mapping]] = ..., shared: _Optional[_Iterable[_Union[_common_pb2.SharedPayload, _Mapping]]] = ..., addresses: _Optional[_Iterable[str]] = ..., commands: _Optional[_Iterable[_Union[WorkerCommand, _Mapping]]] = ..., fragment: _Optional[_Union[_common_pb2.Fragment, _Mapping]] = ..., number: _Optional[int] = ..., received: _Optional[int] = ...) -> None: ...

class WorkerHello(_message.Message):
    __slots__ = ("address", "name", "nthreads", "memory_limit", "resources", "nanny", "local_directory", "pid", "versions", "services", "startup_information", "plugins_revision", "session_token", "resume", "returning", "functions", "refuses_code", "encodings")
    class ResourcesEntry(_message.Message):
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
    NTHREADS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    NANNY_FIELD_NUMBER: _ClassVar[int]
    LOCAL_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    STARTUP_INFORMATION_FIELD_NUMBER: _ClassVar[int]
    PLUGINS_REVISION_FIELD_NUMBER: _ClassVar[int]
    SESSION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    RETURNING_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    REFUSES_CODE_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    address: str
    name: str
    nthreads: int
    memory_limit: int
    resources: _containers.ScalarMap[str, float]
    nanny: str
    local_directory: str
    pid: int
    versions: _common_pb2.Versions
    services: _containers.ScalarMap[str, int]
    startup_information: bytes
    plugins_revision: int
    session_token: bytes
    resume: _common_pb2.Resumption
    returning: bool
    functions: ExportedFunctions
    refuses_code: bool
    encodings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, address: _Optional[str] = ..., name: _Optional[str] = ..., nthreads: _Optional[int] = ..., memory_limit: _Optional[int] = ..., resources: _Optional[_Mapping[str, float]] = ..., nanny: _Optional[str] = ..., local_directory: _Optional[str] = ..., pid: _Optional[int] = ..., versions: _Optional[_Union[_common_pb2.Versions, _Mapping]] = ..., services: _Optional[_Mapping[str, int]] = ..., startup_information: _Optional[bytes] = ..., plugins_revision: _Optional[int] = ..., session_token: _Optional[bytes] = ..., resume: _Optional[_Union[_common_pb2.Resumption, _Mapping]] = ..., returning: _Optional[bool] = ..., functions: _Optional[_Union[ExportedFunctions, _Mapping]] = ..., refuses_code: _Optional[bool] = ..., encodings: _Optional[_Iterable[str]] = ...) -> None: ...

class ExportedFunctions(_message.Message):
    __slots__ = ("names", "patterns")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    patterns: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ..., patterns: _Optional[_Iterable[str]] = ...) -> None: ...

class WorkerWelcome(_message.Message):
    __slots__ = ("scheduler_id", "name", "inline_limit", "versions", "recording", "details", "resumed", "grace_seconds", "last_shuffle_run")
    SCHEDULER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INLINE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FIELD_NUMBER: _ClassVar[int]
    GRACE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LAST_SHUFFLE_RUN_FIELD_NUMBER: _ClassVar[int]
    scheduler_id: str
    name: str
    inline_limit: int
    versions: _common_pb2.Versions
    recording: int
    details: int
    resumed: _common_pb2.Resumption
    grace_seconds: float
    last_shuffle_run: int
    def __init__(self, scheduler_id: _Optional[str] = ..., name: _Optional[str] = ..., inline_limit: _Optional[int] = ..., versions: _Optional[_Union[_common_pb2.Versions, _Mapping]] = ..., recording: _Optional[int] = ..., details: _Optional[int] = ..., resumed: _Optional[_Union[_common_pb2.Resumption, _Mapping]] = ..., grace_seconds: _Optional[float] = ..., last_shuffle_run: _Optional[int] = ...) -> None: ...

class WorkerReport(_message.Message):
    __slots__ = ("finished", "erred", "rescheduled", "long_running", "replicas_added", "replicas_removed", "data_missing", "status_changed", "goodbye", "steal_answer", "resources_changed", "functions_changed", "log_event", "holdings", "run_details")
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    ERRED_FIELD_NUMBER: _ClassVar[int]
    RESCHEDULED_FIELD_NUMBER: _ClassVar[int]
    LONG_RUNNING_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_ADDED_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_REMOVED_FIELD_NUMBER: _ClassVar[int]
    DATA_MISSING_FIELD_NUMBER: _ClassVar[int]
    STATUS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    STEAL_ANSWER_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_CHANGED_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_CHANGED_FIELD_NUMBER: _ClassVar[int]
    LOG_EVENT_FIELD_NUMBER: _ClassVar[int]
    HOLDINGS_FIELD_NUMBER: _ClassVar[int]
    RUN_DETAILS_FIELD_NUMBER: _ClassVar[int]
    finished: TaskFinished
    erred: TaskErred
    rescheduled: TaskRescheduled
    long_running: TaskLongRunning
    replicas_added: ReplicasAdded
    replicas_removed: ReplicasRemoved
    data_missing: DataMissing
    status_changed: StatusChanged
    goodbye: WorkerGoodbye
    steal_answer: StealAnswer
    resources_changed: ResourcesChanged
    functions_changed: ExportedFunctions
    log_event: _event_service_pb2.LogEvent
    holdings: WorkerHoldings
    run_details: RunDetails
    def __init__(self, finished: _Optional[_Union[TaskFinished, _Mapping]] = ..., erred: _Optional[_Union[TaskErred, _Mapping]] = ..., rescheduled: _Optional[_Union[TaskRescheduled, _Mapping]] = ..., long_running: _Optional[_Union[TaskLongRunning, _Mapping]] = ..., replicas_added: _Optional[_Union[ReplicasAdded, _Mapping]] = ..., replicas_removed: _Optional[_Union[ReplicasRemoved, _Mapping]] = ..., data_missing: _Optional[_Union[DataMissing, _Mapping]] = ..., status_changed: _Optional[_Union[StatusChanged, _Mapping]] = ..., goodbye: _Optional[_Union[WorkerGoodbye, _Mapping]] = ..., steal_answer: _Optional[_Union[StealAnswer, _Mapping]] = ..., resources_changed: _Optional[_Union[ResourcesChanged, _Mapping]] = ..., functions_changed: _Optional[_Union[ExportedFunctions, _Mapping]] = ..., log_event: _Optional[_Union[_event_service_pb2.LogEvent, _Mapping]] = ..., holdings: _Optional[_Union[WorkerHoldings, _Mapping]] = ..., run_details: _Optional[_Union[RunDetails, _Mapping]] = ...) -> None: ...

class RunDetails(_message.Message):
    __slots__ = ("key", "run_id", "thread", "activities", "type", "metadata")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    THREAD_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    key: str
    run_id: int
    thread: int
    activities: _containers.RepeatedCompositeFieldContainer[_records_pb2.Activity]
    type: bytes
    metadata: bytes
    def __init__(self, key: _Optional[str] = ..., run_id: _Optional[int] = ..., thread: _Optional[int] = ..., activities: _Optional[_Iterable[_Union[_records_pb2.Activity, _Mapping]]] = ..., type: _Optional[bytes] = ..., metadata: _Optional[bytes] = ...) -> None: ...

class TaskFinished(_message.Message):
    __slots__ = ("key", "run_id", "nbytes", "type_name", "start", "stop", "payload", "plain")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PLAIN_FIELD_NUMBER: _ClassVar[int]
    key: str
    run_id: int
    nbytes: int
    type_name: str
    start: float
    stop: float
    payload: _common_pb2.Payload
    plain: _common_pb2.Payload
    def __init__(self, key: _Optional[str] = ..., run_id: _Optional[int] = ..., nbytes: _Optional[int] = ..., type_name: _Optional[str] = ..., start: _Optional[float] = ..., stop: _Optional[float] = ..., payload: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., plain: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ...) -> None: ...

class TaskErred(_message.Message):
    __slots__ = ("key", "run_id", "failure", "start", "stop")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    key: str
    run_id: int
    failure: _failure_pb2.Failure
    start: float
    stop: float
    def __init__(self, key: _Optional[str] = ..., run_id: _Optional[int] = ..., failure: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ..., start: _Optional[float] = ..., stop: _Optional[float] = ...) -> None: ...

class TaskRescheduled(_message.Message):
    __slots__ = ("key", "run_id")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    key: str
    run_id: int
    def __init__(self, key: _Optional[str] = ..., run_id: _Optional[int] = ...) -> None: ...

class TaskLongRunning(_message.Message):
    __slots__ = ("key", "run_id", "duration_seconds")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    key: str
    run_id: int
    duration_seconds: float
    def __init__(self, key: _Optional[str] = ..., run_id: _Optional[int] = ..., duration_seconds: _Optional[float] = ...) -> None: ...

class ReplicasAdded(_message.Message):
    __slots__ = ("data", "kept")
    DATA_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedCompositeFieldContainer[_common_pb2.DataRef]
    kept: bool
    def __init__(self, data: _Optional[_Iterable[_Union[_common_pb2.DataRef, _Mapping]]] = ..., kept: _Optional[bool] = ...) -> None: ...

class ReplicasRemoved(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class DataMissing(_message.Message):
    __slots__ = ("key", "worker")
    KEY_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    key: str
    worker: str
    def __init__(self, key: _Optional[str] = ..., worker: _Optional[str] = ...) -> None: ...

class StatusChanged(_message.Message):
    __slots__ = ("status",)
    STATUS_FIELD_NUMBER: _ClassVar[int]
    status: _common_pb2.WorkerStatus
    def __init__(self, status: _Optional[_Union[_common_pb2.WorkerStatus, str]] = ...) -> None: ...

class ResourcesChanged(_message.Message):
    __slots__ = ("resources",)
    class ResourcesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    resources: _containers.ScalarMap[str, float]
    def __init__(self, resources: _Optional[_Mapping[str, float]] = ...) -> None: ...

class WorkerHoldings(_message.Message):
    __slots__ = ("results", "last")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[HeldResult]
    last: bool
    def __init__(self, results: _Optional[_Iterable[_Union[HeldResult, _Mapping]]] = ..., last: _Optional[bool] = ...) -> None: ...

class HeldResult(_message.Message):
    __slots__ = ("key", "nbytes", "run_id")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    key: str
    nbytes: int
    run_id: int
    def __init__(self, key: _Optional[str] = ..., nbytes: _Optional[int] = ..., run_id: _Optional[int] = ...) -> None: ...

class WorkerGoodbye(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class StealAnswer(_message.Message):
    __slots__ = ("key", "run_id", "state")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    key: str
    run_id: int
    state: str
    def __init__(self, key: _Optional[str] = ..., run_id: _Optional[int] = ..., state: _Optional[str] = ...) -> None: ...

class WorkerCommand(_message.Message):
    __slots__ = ("compute", "free", "acquire_replicas", "remove_replicas", "refresh_who_has", "free_shared", "steal", "close", "end_shuffle")
    COMPUTE_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    ACQUIRE_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    REMOVE_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    REFRESH_WHO_HAS_FIELD_NUMBER: _ClassVar[int]
    FREE_SHARED_FIELD_NUMBER: _ClassVar[int]
    STEAL_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    END_SHUFFLE_FIELD_NUMBER: _ClassVar[int]
    compute: ComputeTask
    free: FreeKeys
    acquire_replicas: AcquireReplicas
    remove_replicas: RemoveReplicas
    refresh_who_has: RefreshWhoHas
    free_shared: FreeShared
    steal: StealTask
    close: CloseWorker
    end_shuffle: EndShuffle
    def __init__(self, compute: _Optional[_Union[ComputeTask, _Mapping]] = ..., free: _Optional[_Union[FreeKeys, _Mapping]] = ..., acquire_replicas: _Optional[_Union[AcquireReplicas, _Mapping]] = ..., remove_replicas: _Optional[_Union[RemoveReplicas, _Mapping]] = ..., refresh_who_has: _Optional[_Union[RefreshWhoHas, _Mapping]] = ..., free_shared: _Optional[_Union[FreeShared, _Mapping]] = ..., steal: _Optional[_Union[StealTask, _Mapping]] = ..., close: _Optional[_Union[CloseWorker, _Mapping]] = ..., end_shuffle: _Optional[_Union[EndShuffle, _Mapping]] = ...) -> None: ...

class ComputeTask(_message.Message):
    __slots__ = ("key", "run_id", "priority", "run_spec", "call", "shared", "dependencies", "resources", "actor", "executor", "annotations", "duration_seconds", "timeout_seconds")
    class ResourcesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    RUN_SPEC_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCIES_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    EXECUTOR_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    key: str
    run_id: int
    priority: _containers.RepeatedScalarFieldContainer[float]
    run_spec: bytes
    call: _graph_pb2.Call
    shared: _containers.RepeatedScalarFieldContainer[int]
    dependencies: _containers.RepeatedCompositeFieldContainer[Dependency]
    resources: _containers.ScalarMap[str, float]
    actor: bool
    executor: str
    annotations: str
    duration_seconds: float
    timeout_seconds: float
    def __init__(self, key: _Optional[str] = ..., run_id: _Optional[int] = ..., priority: _Optional[_Iterable[float]] = ..., run_spec: _Optional[bytes] = ..., call: _Optional[_Union[_graph_pb2.Call, _Mapping]] = ..., shared: _Optional[_Iterable[int]] = ..., dependencies: _Optional[_Iterable[_Union[Dependency, _Mapping]]] = ..., resources: _Optional[_Mapping[str, float]] = ..., actor: _Optional[bool] = ..., executor: _Optional[str] = ..., annotations: _Optional[str] = ..., duration_seconds: _Optional[float] = ..., timeout_seconds: _Optional[float] = ...) -> None: ...

class Dependency(_message.Message):
    __slots__ = ("key", "nbytes", "holders")
    KEY_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    key: str
    nbytes: int
    holders: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, key: _Optional[str] = ..., nbytes: _Optional[int] = ..., holders: _Optional[_Iterable[int]] = ...) -> None: ...

class FreeKeys(_message.Message):
    __slots__ = ("keys", "interrupt", "discard")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    INTERRUPT_FIELD_NUMBER: _ClassVar[int]
    DISCARD_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    interrupt: bool
    discard: bool
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., interrupt: _Optional[bool] = ..., discard: _Optional[bool] = ...) -> None: ...

class AcquireReplicas(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedCompositeFieldContainer[_common_pb2.DataRef]
    def __init__(self, data: _Optional[_Iterable[_Union[_common_pb2.DataRef, _Mapping]]] = ...) -> None: ...

class RemoveReplicas(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class RefreshWhoHas(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: _containers.RepeatedCompositeFieldContainer[_common_pb2.DataRef]
    def __init__(self, data: _Optional[_Iterable[_Union[_common_pb2.DataRef, _Mapping]]] = ...) -> None: ...

class FreeShared(_message.Message):
    __slots__ = ("digests",)
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, digests: _Optional[_Iterable[bytes]] = ...) -> None: ...

class StealTask(_message.Message):
    __slots__ = ("key", "run_id")
    KEY_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    key: str
    run_id: int
    def __init__(self, key: _Optional[str] = ..., run_id: _Optional[int] = ...) -> None: ...

class CloseWorker(_message.Message):
    __slots__ = ("reason", "restart")
    REASON_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    reason: str
    restart: bool
    def __init__(self, reason: _Optional[str] = ..., restart: _Optional[bool] = ...) -> None: ...

class EndShuffle(_message.Message):
    __slots__ = ("shuffle_id", "run_id")
    SHUFFLE_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    shuffle_id: str
    run_id: int
    def __init__(self, shuffle_id: _Optional[str] = ..., run_id: _Optional[int] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("address", "time", "metrics", "records")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    address: str
    time: float
    metrics: _containers.ScalarMap[str, float]
    records: _records_pb2.RecordBatch
    def __init__(self, address: _Optional[str] = ..., time: _Optional[float] = ..., metrics: _Optional[_Mapping[str, float]] = ..., records: _Optional[_Union[_records_pb2.RecordBatch, _Mapping]] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("time", "interval_seconds", "recording", "details")
    TIME_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    time: float
    interval_seconds: float
    recording: int
    details: int
    def __init__(self, time: _Optional[float] = ..., interval_seconds: _Optional[float] = ..., recording: _Optional[int] = ..., details: _Optional[int] = ...) -> None: ...
