from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ActivityKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTIVITY_KIND_UNSPECIFIED: _ClassVar[ActivityKind]
    ACTIVITY_KIND_COMPUTE: _ClassVar[ActivityKind]
    ACTIVITY_KIND_TRANSFER: _ClassVar[ActivityKind]
    ACTIVITY_KIND_DESERIALIZE: _ClassVar[ActivityKind]
ACTIVITY_KIND_UNSPECIFIED: ActivityKind
ACTIVITY_KIND_COMPUTE: ActivityKind
ACTIVITY_KIND_TRANSFER: ActivityKind
ACTIVITY_KIND_DESERIALIZE: ActivityKind

class RecordBatch(_message.Message):
    __slots__ = ("tasks", "transfers", "dropped")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    TRANSFERS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskRecord]
    transfers: _containers.RepeatedCompositeFieldContainer[TransferRecord]
    dropped: int
    def __init__(self, tasks: _Optional[_Iterable[_Union[TaskRecord, _Mapping]]] = ..., transfers: _Optional[_Iterable[_Union[TransferRecord, _Mapping]]] = ..., dropped: _Optional[int] = ...) -> None: ...

class TaskRecord(_message.Message):
    __slots__ = ("key", "thread", "activities", "nbytes", "type_name", "error", "metadata")
    KEY_FIELD_NUMBER: _ClassVar[int]
    THREAD_FIELD_NUMBER: _ClassVar[int]
    ACTIVITIES_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    key: str
    thread: int
    activities: _containers.RepeatedCompositeFieldContainer[Activity]
    nbytes: int
    type_name: str
    error: str
    metadata: bytes
    def __init__(self, key: _Optional[str] = ..., thread: _Optional[int] = ..., activities: _Optional[_Iterable[_Union[Activity, _Mapping]]] = ..., nbytes: _Optional[int] = ..., type_name: _Optional[str] = ..., error: _Optional[str] = ..., metadata: _Optional[bytes] = ...) -> None: ...

class Activity(_message.Message):
    __slots__ = ("kind", "start", "stop", "source")
    KIND_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    kind: ActivityKind
    start: float
    stop: float
    source: str
    def __init__(self, kind: _Optional[_Union[ActivityKind, str]] = ..., start: _Optional[float] = ..., stop: _Optional[float] = ..., source: _Optional[str] = ...) -> None: ...

class TransferRecord(_message.Message):
    __slots__ = ("source", "start", "stop", "keys", "nbytes")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    source: str
    start: float
    stop: float
    keys: int
    nbytes: int
    def __init__(self, source: _Optional[str] = ..., start: _Optional[float] = ..., stop: _Optional[float] = ..., keys: _Optional[int] = ..., nbytes: _Optional[int] = ...) -> None: ...
