from dagrpc.v1 import common_pb2 as _common_pb2
from dagrpc.v1 import failure_pb2 as _failure_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProgressGrouping(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROGRESS_GROUPING_UNSPECIFIED: _ClassVar[ProgressGrouping]
    PROGRESS_GROUPING_PREFIX: _ClassVar[ProgressGrouping]
    PROGRESS_GROUPING_SPAN: _ClassVar[ProgressGrouping]
PROGRESS_GROUPING_UNSPECIFIED: ProgressGrouping
PROGRESS_GROUPING_PREFIX: ProgressGrouping
PROGRESS_GROUPING_SPAN: ProgressGrouping

class WatchProgressRequest(_message.Message):
    __slots__ = ("keys", "grouping", "only_unfinished", "interval_seconds", "groups")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    GROUPING_FIELD_NUMBER: _ClassVar[int]
    ONLY_UNFINISHED_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    grouping: ProgressGrouping
    only_unfinished: bool
    interval_seconds: float
    groups: _containers.RepeatedCompositeFieldContainer[TaskGrouping]
    def __init__(self, keys: _Optional[_Iterable[str]] = ..., grouping: _Optional[_Union[ProgressGrouping, str]] = ..., only_unfinished: _Optional[bool] = ..., interval_seconds: _Optional[float] = ..., groups: _Optional[_Iterable[_Union[TaskGrouping, _Mapping]]] = ...) -> None: ...

class TaskGrouping(_message.Message):
    __slots__ = ("name", "keys")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    name: str
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., keys: _Optional[_Iterable[str]] = ...) -> None: ...

class WatchProgressResponse(_message.Message):
    __slots__ = ("groups", "done", "failure")
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[GroupProgress]
    done: bool
    failure: _failure_pb2.Failure
    def __init__(self, groups: _Optional[_Iterable[_Union[GroupProgress, _Mapping]]] = ..., done: _Optional[bool] = ..., failure: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ...) -> None: ...

class GroupProgress(_message.Message):
    __slots__ = ("name", "total", "finished", "erred", "processing", "queued", "no_worker", "waiting")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    ERRED_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    NO_WORKER_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    name: str
    total: int
    finished: int
    erred: int
    processing: int
    queued: int
    no_worker: int
    waiting: int
    def __init__(self, name: _Optional[str] = ..., total: _Optional[int] = ..., finished: _Optional[int] = ..., erred: _Optional[int] = ..., processing: _Optional[int] = ..., queued: _Optional[int] = ..., no_worker: _Optional[int] = ..., waiting: _Optional[int] = ...) -> None: ...

class ListTasksBelowRequest(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class ListTasksBelowResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class GetTaskWorkRequest(_message.Message):
    __slots__ = ("key", "failed_first")
    KEY_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIRST_FIELD_NUMBER: _ClassVar[int]
    key: str
    failed_first: bool
    def __init__(self, key: _Optional[str] = ..., failed_first: _Optional[bool] = ...) -> None: ...

class GetTaskWorkResponse(_message.Message):
    __slots__ = ("key", "state", "dependencies", "run_spec", "shared", "failure")
    KEY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCIES_FIELD_NUMBER: _ClassVar[int]
    RUN_SPEC_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    key: str
    state: str
    dependencies: _containers.RepeatedScalarFieldContainer[str]
    run_spec: bytes
    shared: _containers.RepeatedCompositeFieldContainer[_common_pb2.SharedPayload]
    failure: _failure_pb2.Failure
    def __init__(self, key: _Optional[str] = ..., state: _Optional[str] = ..., dependencies: _Optional[_Iterable[str]] = ..., run_spec: _Optional[bytes] = ..., shared: _Optional[_Iterable[_Union[_common_pb2.SharedPayload, _Mapping]]] = ..., failure: _Optional[_Union[_failure_pb2.Failure, _Mapping]] = ...) -> None: ...

class GetSpansRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSpansResponse(_message.Message):
    __slots__ = ("spans", "threads", "time")
    SPANS_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    spans: _containers.RepeatedCompositeFieldContainer[SpanInfo]
    threads: _containers.RepeatedCompositeFieldContainer[ThreadCount]
    time: float
    def __init__(self, spans: _Optional[_Iterable[_Union[SpanInfo, _Mapping]]] = ..., threads: _Optional[_Iterable[_Union[ThreadCount, _Mapping]]] = ..., time: _Optional[float] = ...) -> None: ...

class SpanInfo(_message.Message):
    __slots__ = ("id", "name", "parent", "enqueued", "start", "stop", "states", "seconds", "nbytes", "groups", "metadata")
    class StatesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class SecondsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    ENQUEUED_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: _containers.RepeatedScalarFieldContainer[str]
    parent: str
    enqueued: float
    start: float
    stop: float
    states: _containers.ScalarMap[str, int]
    seconds: _containers.ScalarMap[str, float]
    nbytes: int
    groups: _containers.RepeatedScalarFieldContainer[str]
    metadata: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[_Iterable[str]] = ..., parent: _Optional[str] = ..., enqueued: _Optional[float] = ..., start: _Optional[float] = ..., stop: _Optional[float] = ..., states: _Optional[_Mapping[str, int]] = ..., seconds: _Optional[_Mapping[str, float]] = ..., nbytes: _Optional[int] = ..., groups: _Optional[_Iterable[str]] = ..., metadata: _Optional[str] = ...) -> None: ...

class ThreadCount(_message.Message):
    __slots__ = ("since", "count")
    SINCE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    since: float
    count: int
    def __init__(self, since: _Optional[float] = ..., count: _Optional[int] = ...) -> None: ...
