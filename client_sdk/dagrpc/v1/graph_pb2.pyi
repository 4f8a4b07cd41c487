from dagrpc.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GraphPart(_message.Message):
    __slots__ = ("graph_id", "last", "shared", "options", "tasks", "fifo_timeout_seconds", "submitter", "groups", "code")
    GRAPH_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    FIFO_TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SUBMITTER_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    graph_id: str
    last: bool
    shared: _containers.RepeatedCompositeFieldContainer[_common_pb2.SharedPayload]
    options: _containers.RepeatedCompositeFieldContainer[TaskOptions]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskSpec]
    fifo_timeout_seconds: float
    submitter: str
    groups: _containers.RepeatedScalarFieldContainer[str]
    code: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, graph_id: _Optional[str] = ..., last: _Optional[bool] = ..., shared: _Optional[_Iterable[_Union[_common_pb2.SharedPayload, _Mapping]]] = ..., options: _Optional[_Iterable[_Union[TaskOptions, _Mapping]]] = ..., tasks: _Optional[_Iterable[_Union[TaskSpec, _Mapping]]] = ..., fifo_timeout_seconds: _Optional[float] = ..., submitter: _Optional[str] = ..., groups: _Optional[_Iterable[str]] = ..., code: _Optional[_Iterable[str]] = ...) -> None: ...

class TaskSpec(_message.Message):
    __slots__ = ("key", "dependencies", "run_spec", "call", "shared", "options", "order", "wanted")
    KEY_FIELD_NUMBER: _ClassVar[int]
    DEPENDENCIES_FIELD_NUMBER: _ClassVar[int]
    RUN_SPEC_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    WANTED_FIELD_NUMBER: _ClassVar[int]
    key: str
    dependencies: _containers.RepeatedScalarFieldContainer[str]
    run_spec: bytes
    call: Call
    shared: _containers.RepeatedScalarFieldContainer[int]
    options: int
    order: int
    wanted: bool
    def __init__(self, key: _Optional[str] = ..., dependencies: _Optional[_Iterable[str]] = ..., run_spec: _Optional[bytes] = ..., call: _Optional[_Union[Call, _Mapping]] = ..., shared: _Optional[_Iterable[int]] = ..., options: _Optional[int] = ..., order: _Optional[int] = ..., wanted: _Optional[bool] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("entrypoint", "arguments", "keyword_arguments")
    class KeywordArgumentsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Argument
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Argument, _Mapping]] = ...) -> None: ...
    ENTRYPOINT_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    KEYWORD_ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    entrypoint: str
    arguments: _containers.RepeatedCompositeFieldContainer[Argument]
    keyword_arguments: _containers.MessageMap[str, Argument]
    def __init__(self, entrypoint: _Optional[str] = ..., arguments: _Optional[_Iterable[_Union[Argument, _Mapping]]] = ..., keyword_arguments: _Optional[_Mapping[str, Argument]] = ...) -> None: ...

class Argument(_message.Message):
    __slots__ = ("value", "task")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    value: _common_pb2.Payload
    task: str
    def __init__(self, value: _Optional[_Union[_common_pb2.Payload, _Mapping]] = ..., task: _Optional[str] = ...) -> None: ...

class TaskOptions(_message.Message):
    __slots__ = ("workers", "allow_other_workers", "resources", "retries", "priority", "actor", "executor", "annotations", "timeout_seconds")
    class ResourcesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_OTHER_WORKERS_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    EXECUTOR_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedScalarFieldContainer[str]
    allow_other_workers: bool
    resources: _containers.ScalarMap[str, float]
    retries: int
    priority: float
    actor: bool
    executor: str
    annotations: str
    timeout_seconds: float
    def __init__(self, workers: _Optional[_Iterable[str]] = ..., allow_other_workers: _Optional[bool] = ..., resources: _Optional[_Mapping[str, float]] = ..., retries: _Optional[int] = ..., priority: _Optional[float] = ..., actor: _Optional[bool] = ..., executor: _Optional[str] = ..., annotations: _Optional[str] = ..., timeout_seconds: _Optional[float] = ...) -> None: ...
